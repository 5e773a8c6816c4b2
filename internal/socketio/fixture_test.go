package socketio_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/engineio"
	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/session"
	"github.com/roomcast/roomcast/internal/socketio"
)

// patience bounds every wait of these tests; it says nothing about speed.
const patience = 20 * time.Second

// gateway is a session.Gateway that writes down what it is told.
type gateway struct {
	refuse  func(session.Handshake) error // nil: all are welcome
	late    bool                          // the test welcomes the clients itself
	onEvent func(*peer, session.Message)  // nil: nothing is answered

	mu    sync.Mutex
	peers []*peer
}

func (g *gateway) Connect(client session.Client, handshake session.Handshake) (session.Peer, error) {
	if g.refuse != nil {
		if err := g.refuse(handshake); err != nil {
			return nil, err
		}
	}
	handshake.Auth = slices.Clone(handshake.Auth) // valid only during the call
	p := &peer{gateway: g, client: client, handshake: handshake}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.peers = append(g.peers, p)
	if !g.late {
		client.Send(event.NewBatch(client.(session.Recoverable).Welcome(client.ID(), "")))
	}
	return p, nil
}

func (g *gateway) all() []*peer {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.peers)
}

// peer returns the only peer there has been.
func (g *gateway) peer(t *testing.T) *peer {
	t.Helper()
	all := g.all()
	if len(all) != 1 {
		t.Fatalf("%d clients have joined, want 1", len(all))
	}
	return all[0]
}

// peer is a session.Peer whose record is in lines: events as describe has them, and the
// end as "end: <reason>".
type peer struct {
	gateway   *gateway
	client    session.Client
	handshake session.Handshake

	mu   sync.Mutex
	told []string
}

func (p *peer) Event(m session.Message) {
	p.note(describe(m))
	if p.gateway.onEvent != nil {
		p.gateway.onEvent(p, m)
	}
}

func (p *peer) Disconnected(reason string) { p.note("end: " + reason) }

func (p *peer) note(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told = append(p.told, line)
}

func (p *peer) record() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.told)
}

func (p *peer) hasEnded() bool {
	record := p.record()
	return len(record) > 0 && strings.HasPrefix(record[len(record)-1], "end: ")
}

// describe is an event in one line: name, raw arguments, ack id, whether it was binary.
func describe(m session.Message) string {
	var line strings.Builder
	fmt.Fprintf(&line, "%q", m.Name)
	for _, arg := range m.Args {
		fmt.Fprintf(&line, " %s", []byte(arg))
	}
	if m.HasAck {
		fmt.Fprintf(&line, " ack=%d", m.AckID)
	}
	if m.Binary {
		line.WriteString(" binary")
	}
	return line.String()
}

// uncounted is an engineio.Observer of no interest.
type uncounted struct{}

func (uncounted) SessionOpened(_, _ string)    {}
func (uncounted) SessionUpgraded(string)       {}
func (uncounted) SessionClosed(_, _, _ string) {}
func (uncounted) BacklogChanged(int)           {}
func (uncounted) Discarded(int)                {}
func (uncounted) Refused(string)               {}

// newEngine makes an Engine.IO server with Socket.IO on it. At the end of the test it is
// closed, and every peer must have been told its end exactly once and last.
func newEngine(t testing.TB, g *gateway, change ...func(*socketio.Options)) *engineio.Server {
	t.Helper()
	options := socketio.Options{
		Gateway: g, ConnectTimeout: patience, AttachmentTimeout: patience,
		Logger: slog.New(slog.DiscardHandler),
	}
	for _, change := range change {
		change(&options)
	}
	engine := engineio.NewServer(engineio.Options{
		Accept:       socketio.New(options).Accept,
		PingInterval: time.Minute, PingTimeout: time.Minute, UpgradeTimeout: patience,
		MaxPayload: 100_000, BacklogBytes: 1 << 20, MaxSessions: 100,
		Observer: uncounted{}, Logger: options.Logger,
	})
	t.Cleanup(func() {
		shutDown(t, engine)
		for _, p := range g.all() {
			checkEnd(t, p)
		}
	})
	return engine
}

func checkEnd(t testing.TB, p *peer) {
	t.Helper()
	record := p.record()
	for i, line := range record {
		if strings.HasPrefix(line, "end: ") != (i == len(record)-1) {
			t.Errorf("a peer must be told its end once and last: %q", record)
		}
	}
	if len(record) == 0 {
		t.Error("a peer was not told its end")
	}
}

func shutDown(t testing.TB, engine *engineio.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := engine.Close(ctx); err != nil {
		t.Errorf("closing the engine: %v", err)
	}
}

// server is an engine that listens.
type server struct {
	engine  *engineio.Server
	address string // host:port
}

func start(t *testing.T, g *gateway, change ...func(*socketio.Options)) *server {
	t.Helper()
	// Made first, to be closed last: the engine's end answers the polls that are held.
	var engine *engineio.Server
	listening := httptest.NewUnstartedServer(nil)
	t.Cleanup(listening.Close)
	engine = newEngine(t, g, change...)
	listening.Config.Handler = engine
	listening.Start()
	return &server{engine: engine, address: listening.Listener.Addr().String()}
}

// eventually polls until condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not seen within %s: %s", patience, what)
		}
	}
}

func wantRecord(t *testing.T, p *peer, want ...string) {
	t.Helper()
	eventually(t, fmt.Sprint(len(want), " lines in the record"), func() bool { return len(p.record()) >= len(want) })
	if got := p.record(); !slices.Equal(got, want) {
		t.Errorf("record\n got %q\nwant %q", got, want)
	}
}
