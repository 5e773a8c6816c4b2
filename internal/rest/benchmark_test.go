package rest_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/metrics"
	"github.com/roomcast/roomcast/internal/rest"

	"context"
)

type accepting struct{}

func (accepting) Publish(context.Context, event.Publication) (event.Receipt, error) {
	return event.Receipt{Position: event.Position{Epoch: "abcdefgh", Sequence: 1795731434123456}}, nil
}
func (accepting) Ready() error { return nil }

// blank is the least that a server's ResponseWriter does.
type blank struct{ header http.Header }

func (b blank) Header() http.Header         { return b.header }
func (b blank) Write(p []byte) (int, error) { return len(p), nil }
func (b blank) WriteHeader(int)             {}

// BenchmarkCreateUpdate is what an update costs between net/http and the store.
func BenchmarkCreateUpdate(b *testing.B) {
	handler := rest.New(rest.Options{
		Hub: accepting{}, Metrics: metrics.New(prometheus.NewRegistry(), metrics.BuildInfo{}), Logger: slog.New(slog.DiscardHandler),
	})
	body := `{"event":"UPDATED","data":{"seq":123456,"at":1795731434123,"pad":"` + strings.Repeat("x", 140) + `"}}`
	request := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/api/v1/workspaces/w/apps/room-17/updates", http.NoBody)
	request.Header.Set("Content-Type", "application/json")
	request.ContentLength = int64(len(body))
	b.ReportAllocs()
	for b.Loop() {
		request.Body = io.NopCloser(strings.NewReader(body))
		handler.ServeHTTP(blank{make(http.Header, 8)}, request)
	}
}
