package rest

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
)

// retryAfter is in seconds: an instance that hears its own heartbeat again is ready
// within three.
const retryAfter = "3"

// kind is a class of failures. Its code is a promise to callers and never changes.
type kind struct {
	code   string
	status int
	title  string
}

var (
	malformedJSON        = kind{"malformed-json", http.StatusBadRequest, "The body is not usable JSON"}
	invalidField         = kind{"invalid-field", http.StatusBadRequest, "A field is missing or invalid"}
	notFound             = kind{"not-found", http.StatusNotFound, "Not found"}
	methodNotAllowed     = kind{"method-not-allowed", http.StatusMethodNotAllowed, "Method not allowed"}
	requestTimeout       = kind{"request-timeout", http.StatusRequestTimeout, "The body took too long"}
	payloadTooLarge      = kind{"payload-too-large", http.StatusRequestEntityTooLarge, "The body is too large"}
	urlTooLong           = kind{"url-too-long", http.StatusRequestURITooLong, "The URL is too long"}
	unsupportedMediaType = kind{"unsupported-media-type", http.StatusUnsupportedMediaType, "Unsupported media type"}
	keyReused            = kind{"idempotency-key-reused", http.StatusUnprocessableEntity, "The idempotency key was used before"}
	tooManyRequests      = kind{"too-many-requests", http.StatusTooManyRequests, "Too many requests"}
	busy                 = kind{"busy", http.StatusServiceUnavailable, "Too many requests at a time"}
	internal             = kind{"internal", http.StatusInternalServerError, "Internal error"}
	unavailable          = kind{"unavailable", http.StatusServiceUnavailable, "Temporarily unavailable"}
)

// failure is an error that the caller may read.
type failure struct {
	kind   kind
	detail string
	faults []fault // of invalidField, at least one
}

// fault is one field that has to change, of the body, the path or the header.
type fault struct {
	// Pointer leads to a field of the body: a JSON pointer as URI fragment.
	Pointer string `json:"pointer,omitempty"`
	// Parameter names a part of the path instead.
	Parameter string `json:"parameter,omitempty"`
	// Header names a field of the header instead.
	Header string `json:"header,omitempty"`
	Detail string `json:"detail"`
}

func (f *failure) Error() string { return f.kind.code + ": " + f.detail }

// invalid is the failure of one or more faults.
func invalid(faults ...fault) *failure {
	details := make([]string, len(faults))
	for i, fault := range faults {
		details[i] = fault.Detail
	}
	return &failure{kind: invalidField, detail: strings.Join(details, "; "), faults: faults}
}

// faultsOf are the fields that an error speaks of, none of nil.
func faultsOf(err error) []fault {
	if err == nil {
		return nil
	}
	return classify(err).faults
}

// malformed is the failure of a body that is no JSON object, for the given reason.
func malformed(reason string) *failure {
	return &failure{kind: malformedJSON, detail: reason}
}

// classify decides what a caller sees of an error. What it does not know is internal,
// and its text stays here.
func classify(err error) *failure {
	if failure := unauthorised(err); failure != nil {
		return failure
	}
	var known *failure
	var id *event.InvalidID
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &id):
		return invalid(bodyFault(id.Field, id.Error()))
	case errors.Is(err, hub.ErrUnavailable),
		errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, context.Canceled):
		return &failure{kind: unavailable, detail: "updates cannot be published at the moment, try again"}
	}
	return &failure{kind: internal, detail: "something went wrong here; the log has it under this request's id"}
}
