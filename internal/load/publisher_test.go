package load

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// counter is a server of the REST contract that answers with statuses in turn, the last of
// them for ever.
type counter struct {
	*httptest.Server
	mu       sync.Mutex
	statuses []int
	requests []request
}

type request struct{ path, key, authorization, body string }

func newCounter(t *testing.T, statuses ...int) *counter {
	t.Helper()
	c := &counter{statuses: statuses}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, request{
		r.URL.EscapedPath(), r.Header.Get("Idempotency-Key"), r.Header.Get("Authorization"), string(body),
	})
	status := c.statuses[min(len(c.requests), len(c.statuses))-1]
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(status)
}

func burst(t *testing.T, options PublisherOptions, n int) Published {
	t.Helper()
	options.Workspace, options.Rooms, options.Workers = "a b/c", 1, 1
	p := NewPublisher(options)
	defer p.Close()
	p.Burst(t.Context(), n)
	return p.Published()
}

func TestWhatIsPublished(t *testing.T) {
	server := newCounter(t, http.StatusAccepted)
	if got := burst(t, PublisherOptions{Servers: []string{server.URL + "/"}, Key: "k", Size: 100}, 2); got.Accepted != 2 {
		t.Errorf("%+v", got)
	}
	for i, r := range server.requests {
		var body struct {
			Event  string
			UserID string
			Data   struct{ N int }
		}
		if err := json.Unmarshal([]byte(r.body), &body); err != nil {
			t.Fatalf("%s: %v", r.body, err)
		}
		if r.path != "/api/v1/workspaces/a%20b%2Fc/apps/room-0/updates" || r.authorization != "Bearer k" ||
			body.Event != "LOAD" || body.UserID != "load" || body.Data.N != i+1 {
			t.Errorf("%+v", r)
		}
	}
	if server.requests[0].key == server.requests[1].key || server.requests[0].key == "" {
		t.Errorf("keys %q, %q", server.requests[0].key, server.requests[1].key)
	}
}

// A publication whose fate is not known is tried again under its key, at the next server.
func TestRetriesShareAKey(t *testing.T) {
	first := newCounter(t, http.StatusServiceUnavailable)
	second := newCounter(t, http.StatusTooManyRequests, http.StatusOK)
	got := burst(t, PublisherOptions{Servers: []string{first.URL, second.URL}}, 1)
	if got.Accepted != 1 || got.GivenUp != 0 || got.Faults["503 Service Unavailable: "] != 2 ||
		got.Faults["429 Too Many Requests: "] != 1 {
		t.Errorf("%+v", got)
	}
	for _, r := range slices.Concat(first.requests, second.requests) {
		if r != first.requests[0] {
			t.Errorf("%+v is not %+v", r, first.requests[0])
		}
	}
}

func TestServersThatAreAway(t *testing.T) {
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	server := newCounter(t, http.StatusOK)
	got := burst(t, PublisherOptions{Servers: []string{away.URL, server.URL}}, 1)
	if got.Accepted != 1 || got.Faults["connection refused"] != 1 {
		t.Errorf("%+v", got)
	}
}

// What was refused for what it is, or has no key, is not sent twice.
func TestWhatIsNotTriedAgain(t *testing.T) {
	refusing := newCounter(t, http.StatusForbidden)
	if got := burst(t, PublisherOptions{Servers: []string{refusing.URL}}, 1); got.GivenUp != 1 || len(refusing.requests) != 1 {
		t.Errorf("%+v after %d requests", got, len(refusing.requests))
	}
	failing := newCounter(t, http.StatusInternalServerError)
	got := burst(t, PublisherOptions{Servers: []string{failing.URL}, Keyless: true}, 1)
	if got.GivenUp != 1 || len(failing.requests) != 1 || failing.requests[0].key != "" {
		t.Errorf("%+v after %+v", got, failing.requests)
	}
}

func TestFaultsAreBoundedAndAlike(t *testing.T) {
	var f faults
	for _, text := range []string{"read tcp 127.0.0.1:5001->127.0.0.1:80: no", "read tcp 127.0.0.1:5002->127.0.0.1:80: no"} {
		f.note(errorText(text))
	}
	if got := f.counts(); got["read tcp 127.0.0.1:80: no"] != 2 {
		t.Errorf("%v", got)
	}
	for i := range 2 * maxFaults {
		f.note(errorText(strings.Repeat("x", i)))
	}
	f.note(errorText(strings.Repeat("y", 1000)))
	if got := f.counts(); len(got) > maxFaults {
		t.Errorf("%d texts", len(got))
	}
}

type errorText string

func (e errorText) Error() string { return string(e) }
