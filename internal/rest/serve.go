package rest

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"
)

// serve wraps a route in what all of them share: request id, headers, metrics, recovery
// from panics, and the one door for errors.
func (s *server) serve(route route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		answer := &answer{ResponseWriter: w}
		header := answer.Header()
		header.Set(requestIDHeader, s.ids.of(r))
		header["X-Content-Type-Options"], header["Cache-Control"] = noSniff, noStore
		defer func() {
			s.Metrics.Served(route.label, r.Method, answer.code(), time.Since(start))
		}()
		s.setReadDeadline(answer, r)
		handle := route.handle
		if s.MaxURL > 0 && len(r.RequestURI) > s.MaxURL {
			handle = s.refuseURL
		}
		if err := s.guard(handle, answer, r); err != nil {
			s.fail(answer, r, route, err)
		}
	})
}

func (s *server) refuseURL(http.ResponseWriter, *http.Request) error {
	return &failure{kind: urlTooLong, detail: fmt.Sprintf("the URL is longer than %d bytes", s.MaxURL)}
}

// guard turns a panic of handle into an error. One request must not take down the
// clients of all others.
func (s *server) guard(handle handle, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		switch value := recover(); {
		case value == nil:
		case isAbort(value):
			panic(value) // asks net/http to cut the connection
		default:
			err = fmt.Errorf("panic: %v\n%s", value, debug.Stack())
		}
	}()
	return handle(w, r)
}

func isAbort(value any) bool {
	err, ok := value.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}

// fail is where an error leaves the server.
func (s *server) fail(answer *answer, r *http.Request, route route, err error) {
	failure := classify(err)
	s.Metrics.Failed(failure.kind.code)
	id := answer.Header().Get(requestIDHeader)
	if failure.kind == internal {
		s.Logger.ErrorContext(r.Context(), "request failed",
			"request", id, "route", route.label, "error", err)
	}
	if answer.status != 0 {
		// Half of another answer is out: a cut connection says so, more bytes would not.
		panic(http.ErrAbortHandler)
	}
	if failure.kind.status == http.StatusServiceUnavailable {
		answer.Header().Set("Retry-After", retryAfter)
	}
	if failure.kind.status == http.StatusUnauthorized {
		answer.Header().Set("WWW-Authenticate", "Bearer")
	}
	route.surface.fail(answer, failure, id)
}

// answer remembers which status went out.
type answer struct {
	http.ResponseWriter
	status int // 0 until one is written
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK { // 1xx are not the answer yet
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(body []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(body)
}

// Unwrap lets http.ResponseController reach the connection's deadlines.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// code is what the client saw; a handler that writes nothing has answered 200.
func (a *answer) code() int {
	if a.status == 0 {
		return http.StatusOK
	}
	return a.status
}
