package rest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"
)

// readBody reads at most MaxPayload bytes.
func (s *server) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, &failure{kind: unsupportedMediaType, detail: "the body must come without Content-Encoding"}
	}
	// Known before a byte is read: a caller that waits for 100 Continue sends nothing.
	if r.ContentLength > int64(s.MaxPayload) {
		return nil, s.tooLarge()
	}
	body, err := readAll(http.MaxBytesReader(w, r.Body, int64(s.MaxPayload)), r.ContentLength)
	var limit *http.MaxBytesError
	switch {
	case err == nil:
		return body, nil
	case errors.As(err, &limit):
		return nil, s.tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.Header().Set("Connection", "close") // the rest of the body may still come
		return nil, &failure{kind: requestTimeout, detail: fmt.Sprintf("the body did not arrive within %s", s.BodyTimeout)}
	}
	return nil, malformed("the body ended early")
}

// maxAhead is how many bytes are made ready for a body before any of it has come.
const maxAhead = 8 << 10

// readAll reads a body that is said to be of length bytes, -1 where nothing is said.
func readAll(body io.Reader, length int64) ([]byte, error) {
	var all bytes.Buffer
	all.Grow(int(min(max(length, 0), maxAhead)) + bytes.MinRead)
	_, err := all.ReadFrom(body)
	return all.Bytes(), err
}

func (s *server) tooLarge() error {
	return &failure{
		kind:   payloadTooLarge,
		detail: fmt.Sprintf("the body is larger than %d bytes", s.MaxPayload),
	}
}

// setReadDeadline bounds how long the body may take to arrive, also where it is refused
// unread: net/http discards it before the next request. Without a bound a caller that
// sends a byte a minute keeps a connection for ever.
func (s *server) setReadDeadline(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	// A connection without deadlines exists in tests only; its reads end by themselves.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.BodyTimeout))
}

// requireJSON refuses a body that is not declared as JSON in UTF-8.
func requireJSON(r *http.Request) error {
	if r.Header.Get("Content-Type") == "application/json" {
		return nil // as nearly all callers write it
	}
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := params["charset"]
	if err != nil || media != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return &failure{kind: unsupportedMediaType, detail: "Content-Type must be application/json, in UTF-8"}
	}
	return nil
}
