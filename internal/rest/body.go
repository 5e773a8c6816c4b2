package rest

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// bodies are buffers of what was read of requests.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxKept is the largest buffer that is kept for another request, in bytes.
const maxKept = 16 << 10

func release(body *bytes.Buffer) {
	if body.Cap() <= maxKept {
		body.Reset()
		bodies.Put(body)
	}
}

// withBody has next answer a request once its body has come, which is valid until then.
func (s *server) withBody(w http.ResponseWriter, r *http.Request, next func(body []byte) error) error {
	body := bodies.Get().(*bytes.Buffer)
	defer release(body)
	if err := s.readBody(w, r, body); err != nil {
		return err
	}
	return next(body.Bytes())
}

// readBody reads at most MaxPayload bytes.
func (s *server) readBody(w http.ResponseWriter, r *http.Request, into *bytes.Buffer) error {
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return &failure{kind: unsupportedMediaType, detail: "the body must come without Content-Encoding"}
	}
	// Known before a byte is read: a caller that waits for 100 Continue sends nothing.
	if r.ContentLength > int64(s.MaxPayload) {
		return s.tooLarge()
	}
	into.Grow(int(min(max(r.ContentLength, 0), maxAhead)) + bytes.MinRead)
	_, err := into.ReadFrom(http.MaxBytesReader(w, r.Body, int64(s.MaxPayload)))
	var limit *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &limit):
		return s.tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.Header().Set("Connection", "close") // the rest of the body may still come
		return &failure{kind: requestTimeout, detail: fmt.Sprintf("the body did not arrive within %s", s.BodyTimeout)}
	}
	return malformed("the body ended early")
}

// maxAhead is how many bytes are made ready for a body before any of it has come.
const maxAhead = 8 << 10

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
