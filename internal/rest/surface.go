package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// surface is the shape in which a route speaks of errors.
type surface interface {
	fail(w http.ResponseWriter, f *failure, requestID string)
}

// envelope is the shape of the first contract. Its codes begin with an area.
type envelope struct {
	area string
}

type envelopeBody struct {
	Status string         `json:"status"`
	Data   any            `json:"data"`
	Error  *envelopeError `json:"error"`
}

type envelopeError struct {
	Code    string `json:"code"`
	Name    string `json:"name"`
	Message string `json:"message"`
}

func (e envelope) fail(w http.ResponseWriter, f *failure, _ string) {
	code := e.area + "/" + f.kind.code
	switch {
	case f.kind == malformedJSON:
		code = e.area + "/unmarshalling-failed" // the name the first contract gave it
	case strings.Contains(f.kind.code, "/"):
		code = f.kind.code // of another area
	}
	writeJSON(w, f.kind.status, envelopeBody{Status: "ERROR", Error: &envelopeError{
		Code:    code,
		Name:    strings.TrimSuffix(http.StatusText(f.kind.status), " Error") + " Error",
		Message: f.detail,
	}})
}

func writeEnvelope(w http.ResponseWriter, data any) {
	writeJSON(w, http.StatusOK, envelopeBody{Status: "SUCCESS", Data: data})
}

// problem is RFC 9457. The type is a name and not a page; instance is the request's id,
// which is a valid relative reference because its characters are unreserved.
type problem struct{}

type problemBody struct {
	Type     string  `json:"type"`
	Title    string  `json:"title"`
	Status   int     `json:"status"`
	Detail   string  `json:"detail"`
	Instance string  `json:"instance"`
	Code     string  `json:"code"`
	Errors   []fault `json:"errors,omitempty"`
}

func (problem) fail(w http.ResponseWriter, f *failure, requestID string) {
	w.Header().Set("Content-Type", "application/problem+json")
	writeJSON(w, f.kind.status, problemBody{
		Type:     "/problems/" + f.kind.code,
		Title:    f.kind.title,
		Status:   f.kind.status,
		Detail:   f.detail,
		Instance: requestID,
		Code:     f.kind.code,
		Errors:   f.faults,
	})
}

// writeJSON writes value without escaping for HTML, so that text a caller sent comes
// back as it was.
func writeJSON(w http.ResponseWriter, status int, value any) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(fmt.Errorf("encoding an answer: %w", err)) // only our own types come here
	}
	writeBody(w, status, body.Bytes())
}

// writeBody writes JSON.
func writeBody(w http.ResponseWriter, status int, body []byte) {
	header := w.Header()
	if header.Get("Content-Type") == "" {
		header["Content-Type"] = contentType
	}
	w.WriteHeader(status)
	// The caller may have left; there is nobody to tell.
	_, _ = w.Write(body)
}

// Header values that every answer has. Nobody writes to them: http.Header.Add copies.
var (
	contentType = []string{"application/json"}
	noSniff     = []string{"nosniff"}
	noStore     = []string{"no-store"}
)
