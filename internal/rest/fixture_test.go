package rest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/rest"
)

// channel is a Publisher that keeps what is published and, as stores do, under which id.
type channel struct {
	mu           sync.Mutex
	publications []event.Publication
	answers      map[string]answered

	publish  func(ctx context.Context) error // nil: accepts
	notReady error
}

type answered struct {
	fingerprint string
	receipt     event.Receipt
}

func (c *channel) Publish(ctx context.Context, p event.Publication) (event.Receipt, error) {
	if c.publish != nil {
		if err := c.publish(ctx); err != nil {
			return event.Receipt{}, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.answers[p.ID]; ok {
		if known.fingerprint != p.Fingerprint {
			return event.Receipt{}, fmt.Errorf("store at 10.0.0.1: %w", event.ErrIDReused)
		}
		return event.Receipt{Position: known.receipt.Position, Duplicate: true}, nil
	}
	c.publications = append(c.publications, p)
	receipt := event.Receipt{Position: event.Position{Epoch: "e1", Sequence: 41 + uint64(len(c.publications))}}
	c.answers[p.ID] = answered{p.Fingerprint, receipt}
	return receipt, nil
}

func (c *channel) Ready() error { return c.notReady }

func (c *channel) published() []event.Publication {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.publications
}

// ledger is an Observer that keeps what it is told.
type ledger struct {
	mu    sync.Mutex
	lines []string
}

// Failed is of no interest beside what was served.
func (l *ledger) Failed(string) {}

func (l *ledger) Served(route, method string, status int, _ time.Duration) {
	l.note(fmt.Sprintf("%s %s %d", method, route, status))
}

func (l *ledger) Published(outcome string) { l.note("published " + outcome) }

func (l *ledger) note(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

func (l *ledger) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "; ")
}

type fixture struct {
	channel *channel
	ledger  *ledger
	handler http.Handler
}

// newFixture makes a handler with a body limit of 1000 bytes, changed as told.
func newFixture(change ...func(*rest.Options)) *fixture {
	f := &fixture{channel: &channel{answers: make(map[string]answered)}, ledger: &ledger{}}
	options := rest.Options{Hub: f.channel, Metrics: f.ledger, MaxPayload: 1000}
	for _, change := range change {
		change(&options)
	}
	f.handler = rest.New(options)
	return f
}

const requestID = "test-request.1"

// call sends a request that accepts nothing but what it says.
func (f *fixture) call(method, path, contentType, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("X-Request-Id", requestID)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return f.do(r)
}

func (f *fixture) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w
}

// check compares an answer with literal text; bodies end with one line feed.
func check(t *testing.T, w *httptest.ResponseRecorder, status int, contentType, body string) {
	t.Helper()
	if w.Code != status {
		t.Errorf("status %d, want %d", w.Code, status)
	}
	if got := w.Header().Get("Content-Type"); got != contentType {
		t.Errorf("Content-Type %q, want %q", got, contentType)
	}
	if got := strings.TrimSuffix(w.Body.String(), "\n"); got != body {
		t.Errorf("body\n%s\nwant\n%s", got, body)
	}
}

// isJSON guards the literals below against being wrong themselves.
func isJSON(t *testing.T, text string) {
	t.Helper()
	if !json.Valid([]byte(text)) {
		t.Errorf("not JSON: %s", text)
	}
}
