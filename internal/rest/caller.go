package rest

import (
	"context"
	"errors"
	"net/http"

	"github.com/roomcast/roomcast/internal/auth"
	"github.com/roomcast/roomcast/internal/event"
)

// Callers knows who may call. Its errors are *auth.Refusal.
type Callers interface {
	Identify(ctx context.Context, credential string) (*auth.Principal, error)
}

// caller is who calls, shown by Authorization: Bearer. Nothing else of a request is looked at
// before.
func (s *server) caller(r *http.Request) (*auth.Principal, error) {
	if s.Callers == nil {
		return s.everyone, nil
	}
	credential, ok := auth.Bearer(r.Header.Get("Authorization"))
	if !ok {
		return nil, &auth.Refusal{Code: auth.CodeRequired, Message: "Authorization: Bearer with a key or a token is required"}
	}
	return s.Callers.Identify(r.Context(), credential)
}

// mayPublish is nil if the caller may publish to a room.
func mayPublish(caller *auth.Principal, room event.Room) error {
	if caller.CanPublish(room) {
		return nil
	}
	return &auth.Refusal{Code: auth.CodeForbidden, Message: "publishing to " + room.String() + " is not permitted"}
}

// forAdmins serves what operators alone may see.
func (s *server) forAdmins(next handle) handle {
	return func(w http.ResponseWriter, r *http.Request) error {
		caller, err := s.caller(r)
		switch {
		case err != nil:
			return err
		case !caller.IsAdmin():
			return &auth.Refusal{Code: auth.CodeForbidden, Message: "this takes a key with the scope admin"}
		}
		return next(w, r)
	}
}

// unauthorised is the failure of a caller that was refused; nil for other errors.
func unauthorised(err error) *failure {
	var refusal *auth.Refusal
	if !errors.As(err, &refusal) {
		return nil
	}
	kind := kind{refusal.Code, http.StatusUnauthorized, "The caller is not identified"}
	switch refusal.Code {
	case auth.CodeForbidden:
		kind.status, kind.title = http.StatusForbidden, "The caller lacks a permission"
	case auth.CodeUnavailable:
		kind.status, kind.title = http.StatusServiceUnavailable, "Temporarily unavailable"
	}
	return &failure{kind: kind, detail: refusal.Message}
}
