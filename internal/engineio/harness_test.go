package engineio_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/engineio"
)

// patience bounds every wait of these tests; nothing is asserted about being faster.
const patience = 10 * time.Second

// eventually polls until condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("not seen within %v: %s", patience, what)
		}
		time.Sleep(200 * time.Microsecond)
	}
}

// harness is an engine behind a real HTTP server on loopback.
type harness struct {
	testing.TB
	engine   *engineio.Server
	http     *httptest.Server
	client   *http.Client
	observer *tally

	mu    sync.Mutex
	peers map[string]*peer // every accepted session by its id

	// Set before the first request.
	onAccept func(p *peer)
	onText   func(p *peer, message string)
}

// options are the reference's defaults, so that its literal traces apply.
func options() engineio.Options {
	return engineio.Options{
		PingInterval:   25 * time.Second,
		PingTimeout:    20 * time.Second,
		UpgradeTimeout: 10 * time.Second,
		MaxPayload:     1_000_000,
		BacklogBytes:   1 << 20,
		MaxSessions:    2000,
		EIO3:           true,
		Logger:         slog.New(slog.DiscardHandler),
	}
}

// start runs an engine whose sessions echo every message; edit may change its options.
// When the test ends it must close, with every session told, counted out and its backlog
// gone.
func start(t testing.TB, edit ...func(*engineio.Options)) *harness {
	return startWith(t, httptest.NewServer, edit...)
}

func startWith(t testing.TB, serve func(http.Handler) *httptest.Server, edit ...func(*engineio.Options)) *harness {
	t.Helper()
	h := &harness{TB: t, observer: &tally{}, peers: make(map[string]*peer)}
	h.onText = func(p *peer, message string) { p.session.SendText([]byte(message)) }
	o := options()
	o.Observer, o.Accept = h.observer, h.accept
	for _, change := range edit {
		change(&o)
	}
	h.engine = engineio.NewServer(o)
	h.http = serve(h.engine)
	h.client = h.http.Client()
	t.Cleanup(h.stop)
	return h
}

func (h *harness) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := h.engine.Close(ctx); err != nil {
		h.Errorf("Close: %v", err)
	}
	h.client.CloseIdleConnections()
	h.http.Close()
	if live := h.engine.Live(); live != 0 {
		h.Errorf("%d sessions live after Close", live)
	}
	h.observer.check(h.TB)
}

func (h *harness) accept(session *engineio.Session, _ *http.Request) engineio.Handler {
	p := &peer{h: h, session: session, closed: make(chan string, 2)}
	h.mu.Lock()
	h.peers[session.ID()] = p
	h.mu.Unlock()
	if h.onAccept != nil {
		h.onAccept(p)
	}
	return p
}

// peer is the server's side of one session.
type peer struct {
	h       *harness
	session *engineio.Session
	closed  chan string

	mu    sync.Mutex
	heard []string // texts, and binary messages with "bin:" in front
}

func (p *peer) Text(message []byte) {
	p.hear(string(message))
	p.h.onText(p, string(message))
}

func (p *peer) Binary(data []byte) { p.hear("bin:" + string(data)) }

func (p *peer) Closed(reason string) { p.closed <- reason }

func (p *peer) hear(message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = append(p.heard, message)
}

// expectHeard waits for all messages the peer is to have heard so far.
func (p *peer) expectHeard(t testing.TB, want ...string) {
	t.Helper()
	var got []string
	eventually(t, "messages "+strings.Join(want, ","), func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		got = slices.Clone(p.heard)
		return len(got) >= len(want)
	})
	if !slices.Equal(got, want) {
		t.Fatalf("the handler heard %q, want %q", got, want)
	}
}

// end waits until the handler is told the end, and returns the reason.
func (p *peer) end(t testing.TB) string {
	t.Helper()
	select {
	case reason := <-p.closed:
		return reason
	case <-time.After(patience):
		t.Fatal("the handler was not told the end")
		return ""
	}
}

func (p *peer) expectClosed(t testing.TB, want string) {
	t.Helper()
	if reason := p.end(t); reason != want {
		t.Fatalf("closed with %q, want %q", reason, want)
	}
}

// expectOpen fails when the session has ended.
func (p *peer) expectOpen(t testing.TB) {
	t.Helper()
	select {
	case reason := <-p.closed:
		t.Fatalf("the session was closed: %s", reason)
	default:
	}
}

// peer returns the server's side of a session, once that is accepted.
func (h *harness) peer(sid string) (p *peer) {
	h.Helper()
	eventually(h, "session "+sid, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		p = h.peers[sid]
		return p != nil
	})
	return p
}

// answer is one HTTP response, read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request whose target is a query on the engine's path.
func (h *harness) do(method, query, body string, header ...string) answer {
	h.Helper()
	a, err := h.try(context.Background(), method, query, body, header...)
	if err != nil {
		h.Fatalf("%s ?%s: %v", method, query, err)
	}
	return a
}

func (h *harness) try(ctx context.Context, method, query, body string, header ...string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, h.http.URL+"/socket.io/?"+query, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := h.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(got)}, err
}

// expect checks a status and a body.
func (a answer) expect(t testing.TB, status int, body string) {
	t.Helper()
	if a.status != status || a.body != body {
		t.Fatalf("answered %d %q, want %d %q", a.status, a.body, status, body)
	}
}

// tally is an Observer that adds everything up.
type tally struct {
	mu     sync.Mutex
	counts counts
}

type counts struct {
	opened, upgraded, closed, refused []string
	backlog                           int
	highest                           int // that backlog ever was
	discarded                         int // bytes
}

func (o *tally) SessionOpened(protocol, transport string) {
	o.count(func(c *counts) { c.opened = append(c.opened, protocol+" "+transport) })
}

func (o *tally) SessionUpgraded(protocol string) {
	o.count(func(c *counts) { c.upgraded = append(c.upgraded, protocol) })
}

func (o *tally) SessionClosed(protocol, transport, reason string) {
	o.count(func(c *counts) { c.closed = append(c.closed, protocol+" "+transport+" "+reason) })
}

func (o *tally) Refused(cause string) {
	o.count(func(c *counts) { c.refused = append(c.refused, cause) })
}

func (o *tally) BacklogChanged(delta int) { // closures would count as allocations of Send
	o.mu.Lock()
	defer o.mu.Unlock()
	o.counts.backlog += delta
	o.counts.highest = max(o.counts.highest, o.counts.backlog)
}

func (o *tally) Discarded(bytes int) { o.count(func(c *counts) { c.discarded += bytes }) }

func (o *tally) count(add func(*counts)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	add(&o.counts)
}

// now is what was counted so far.
func (o *tally) now() counts {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.counts
}

// check is what must hold of every engine that was closed.
func (o *tally) check(t testing.TB) {
	c := o.now()
	if len(c.opened) != len(c.closed) {
		t.Errorf("%d sessions opened, %d closed", len(c.opened), len(c.closed))
	}
	if c.backlog != 0 {
		t.Errorf("the backlogs add up to %d bytes after the end", c.backlog)
	}
}
