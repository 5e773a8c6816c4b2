package rest

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

type statusBody struct {
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
}

// health serves GET /api/v1/health/. Like alive it speaks of the process alone.
func (s *server) health(w http.ResponseWriter, _ *http.Request) error {
	writeEnvelope(w, struct {
		Health string `json:"health"`
	}{"ok"})
	return nil
}

// alive serves GET /healthz. It never depends on Redis: restarting every instance
// because Redis is away would only add their clients' reconnects to the trouble.
func (s *server) alive(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, statusBody{Status: "ok"})
	return nil
}

// ready serves GET /readyz: whether a balancer should send clients here.
func (s *server) ready(w http.ResponseWriter, _ *http.Request) error {
	if err := s.Hub.Ready(); err != nil {
		w.Header().Set("Retry-After", retryAfter)
		writeJSON(w, http.StatusServiceUnavailable, statusBody{Status: "unavailable", Reason: err.Error()})
		return nil
	}
	writeJSON(w, http.StatusOK, statusBody{Status: "ready"})
	return nil
}

// metrics serves GET /metrics.
func (s *server) metrics() handle {
	handler := promhttp.HandlerFor(s.Gatherer, promhttp.HandlerOpts{
		// A collector that fails hides its own numbers, not those of all others.
		ErrorHandling: promhttp.ContinueOnError,
		ErrorLog:      slog.NewLogLogger(s.Logger.Handler(), slog.LevelError),
	})
	return s.answeredBy(handler)
}

// answeredBy is a handler that says itself what goes wrong.
func (s *server) answeredBy(handler http.Handler) handle {
	return func(w http.ResponseWriter, r *http.Request) error {
		// Who does not take what it has asked for must not keep it, and its connection, for ever.
		// A connection without deadlines exists in tests only.
		control := http.NewResponseController(w)
		_ = control.SetWriteDeadline(time.Now().Add(s.AnswerTimeout))
		handler.ServeHTTP(w, r)
		if err := control.Flush(); err == nil { // while the deadline holds
			_ = control.SetWriteDeadline(time.Time{})
		}
		return nil
	}
}
