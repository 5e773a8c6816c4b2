package eio3

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/engineio"
	"github.com/roomcast/roomcast/internal/session"
)

const patience = 10 * time.Second

// eventually polls until condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("not seen within %v: %s", patience, what)
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// wire stands for an Engine.IO session. As the real one it calls its handler's methods
// one at a time and tells it the end from a goroutine of its own.
type wire struct {
	id      string
	handler *connection

	inbound sync.Mutex // held while the handler runs

	mu     sync.Mutex
	sent   []string // Socket.IO packets as text
	reason string
	ended  chan struct{} // closed by Close
	told   chan struct{} // closed when the handler has been told
}

func (w *wire) ID() string         { return w.id }
func (w *wire) RemoteAddr() string { return "192.0.2.7:5678" }

func (w *wire) SendText(message []byte) { w.record(string(message)) }

func (w *wire) Send(out engineio.Outbound) {
	for _, text := range out.Texts() {
		w.record(string(text[1:])) // without the Engine.IO type
	}
}

func (w *wire) record(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reason == "" {
		w.sent = append(w.sent, text)
	}
}

func (w *wire) Close(reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reason != "" {
		return
	}
	w.reason = reason
	close(w.ended)
	go func() {
		defer close(w.told)
		w.inbound.Lock()
		defer w.inbound.Unlock()
		w.handler.Closed(reason)
	}()
}

// text and binary are what the client sends.
func (w *wire) text(packets ...string) {
	for _, packet := range packets {
		w.inbound.Lock()
		message := []byte(packet)
		w.handler.Text(message)
		clear(message) // valid only during the call
		w.inbound.Unlock()
	}
}

func (w *wire) binary(data string) {
	w.inbound.Lock()
	defer w.inbound.Unlock()
	w.handler.Binary([]byte(data))
}

func (w *wire) received() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.sent)
}

// closedWith waits for the server's close and returns its reason.
func (w *wire) closedWith(t testing.TB) string {
	t.Helper()
	select {
	case <-w.told:
	case <-time.After(patience):
		t.Fatal("the session was not closed")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reason
}

func (w *wire) isOpen() bool {
	select {
	case <-w.ended:
		return false
	default:
		return true
	}
}

// gateway records what it is told, in the order of the telling.
type gateway struct {
	refuse func(session.Handshake) error // nil: all are welcome
	onEach func(p *peer, name string)    // called on each event, on the library's goroutine

	mu    sync.Mutex
	peers []*peer
}

func (g *gateway) Connect(client session.Client, handshake session.Handshake) (session.Peer, error) {
	if g.refuse != nil {
		if err := g.refuse(handshake); err != nil {
			return nil, err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	p := &peer{gateway: g, client: client, handshake: handshake}
	g.peers = append(g.peers, p)
	return p, nil
}

// peer returns the nth peer that joined.
func (g *gateway) peer(n int) *peer {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n >= len(g.peers) {
		return nil
	}
	return g.peers[n]
}

type peer struct {
	gateway   *gateway
	client    session.Client
	handshake session.Handshake

	mu      sync.Mutex
	events  []string
	reasons []string
}

// describe is an event in one line: name, raw arguments, ack id, binary.
func describe(m session.Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", m.Name)
	for _, arg := range m.Args {
		fmt.Fprintf(&b, " %s", []byte(arg))
	}
	if m.HasAck {
		fmt.Fprintf(&b, " ack=%d", m.AckID)
	}
	if m.Binary {
		b.WriteString(" binary")
	}
	return b.String()
}

func (p *peer) Event(m session.Message) {
	for _, arg := range m.Args {
		if !json.Valid(arg) {
			panic("argument is not JSON: " + string(arg))
		}
	}
	p.mu.Lock()
	if len(p.reasons) > 0 {
		p.events = append(p.events, "AFTER THE END")
	}
	p.events = append(p.events, describe(m))
	p.mu.Unlock()
	if p.gateway.onEach != nil {
		p.gateway.onEach(p, m.Name)
	}
}

func (p *peer) Disconnected(reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reasons = append(p.reasons, reason)
}

func (p *peer) heard() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.events)
}

func (p *peer) ends() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.reasons)
}

// newServer starts a server that is waited for when the test ends.
func newServer(t testing.TB, g session.Gateway) *Server {
	t.Helper()
	s := New(Options{Gateway: g, Logger: discardLogger(), MaxPayload: 1000})
	t.Cleanup(func() { shutDown(t, s) })
	return s
}

func shutDown(t testing.TB, s *Server) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Wait(ctx); err != nil {
		t.Error(err)
	}
	eventually(t, "library without sessions", func() bool { return s.library.Count() == 0 })
}

// dial opens a session, which is closed when the test ends.
func dial(t testing.TB, s *Server) *wire {
	t.Helper()
	w := open(s, "sid-of-"+strings.ReplaceAll(t.Name(), "/", "-"))
	t.Cleanup(func() {
		w.Close("transport close")
		<-w.told
	})
	return w
}

func open(s *Server, id string) *wire {
	w := &wire{id: id, ended: make(chan struct{}), told: make(chan struct{})}
	request := httptest.NewRequest("GET", "/socket.io/?EIO=3&transport=polling&user=u%20v", nil)
	request.Header.Set("Authorization", "Bearer t")
	w.inbound.Lock()
	defer w.inbound.Unlock()
	w.handler = s.accept(w, request)
	return w
}

// wantEvents waits until the peer has heard want and nothing else.
func wantEvents(t testing.TB, p *peer, want ...string) {
	t.Helper()
	eventually(t, fmt.Sprint(len(want), " events"), func() bool { return len(p.heard()) >= len(want) })
	if got := p.heard(); !slices.Equal(got, want) {
		t.Errorf("events:\n got %q\nwant %q", got, want)
	}
}

func wantSent(t testing.TB, w *wire, want ...string) {
	t.Helper()
	if got := w.received(); !slices.Equal(got, want) {
		t.Errorf("packets sent:\n got %q\nwant %q", got, want)
	}
}

// wantEnd waits until the peer has been told the end, and checks that it was told once.
func wantEnd(t testing.TB, p *peer, reason string) {
	t.Helper()
	eventually(t, "the peer's end", func() bool { return len(p.ends()) > 0 })
	if got := p.ends(); !slices.Equal(got, []string{reason}) {
		t.Errorf("peer ended with %q, want once %q", got, reason)
	}
}

func discardLogger() *slog.Logger { return slog.New(slog.DiscardHandler) }

var errStranger = errors.New("database says no")
