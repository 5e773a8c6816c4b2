package gateway_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/gateway"
	"github.com/roomcast/roomcast/internal/hub"
	"github.com/roomcast/roomcast/internal/logtest"
	"github.com/roomcast/roomcast/internal/memory"
	"github.com/roomcast/roomcast/internal/session"
)

// patience bounds every wait of these tests; it says nothing about speed.
const patience = 20 * time.Second

// roomsPerMember is small, so that a test can reach it. The hub lets 16 more requests
// than that wait.
const roomsPerMember = 3

// house is a gateway on a hub of its own.
type house struct {
	t       *testing.T
	hub     *hub.Hub
	gateway *gateway.Gateway
	members atomic.Int64 // seats taken, as the hub counts them
	log     *logtest.Journal

	publications int
}

// open runs a house on the memory store, or on what wrap makes of it.
func open(t *testing.T, wrap func(hub.Store) hub.Store, change ...func(*hub.Options)) *house {
	t.Helper()
	bus := memory.NewBus(memory.Options{HistorySize: 100, HistoryBytes: 1 << 20, HistoryTTL: time.Minute})
	var store hub.Store = bus.Store()
	if wrap != nil {
		store = wrap(store)
	}
	h := &house{t: t, log: &logtest.Journal{}}
	logger := h.log.Logger()
	options := hub.Options{
		Store: store, Instance: "i", Observer: counter{h}, Logger: logger,
		// One worker: what one client was given is in the position of another's next answer.
		Workers: 1, RoomsPerMember: roomsPerMember, HoldBytes: 1 << 20, RequestTimeout: patience,
		ReplayBytes: 512 << 10, RecoveryWindow: time.Minute,
		HeartbeatInterval: 5 * time.Second, // a starved test must not count as deaf
	}
	for _, change := range change {
		change(&options)
	}
	h.hub = hub.New(options)
	h.gateway = gateway.New(gateway.Options{Hub: h.hub, Recovery: true, Logger: logger})
	h.hub.Start()
	t.Cleanup(h.hub.Stop)
	return h
}

// publish sends an update to a room and returns its position.
func (h *house) publish(room event.Room) string {
	h.t.Helper()
	eventually(h.t, "the hub is ready", func() bool { return h.hub.Ready() == nil })
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	h.publications++
	n := strconv.Itoa(h.publications)
	receipt, err := h.hub.Publish(ctx, event.Publication{
		ID: "p" + n, Remember: time.Minute, Room: room, Object: `{"n":` + n + `}`,
	})
	if err != nil {
		h.t.Fatalf("publishing: %v", err)
	}
	return receipt.Position.String()
}

// connect brings a client in.
func (h *house) connect() *client {
	h.t.Helper()
	c := &client{t: h.t, house: h}
	peer, err := h.gateway.Connect(c, session.Handshake{})
	if err != nil {
		h.t.Fatalf("a client was refused: %v", err)
	}
	c.peer = peer
	h.t.Cleanup(func() { peer.Disconnected("transport close") })
	return c
}

// client is a session.Client that keeps the packets it gets, as Engine.IO 4 text.
type client struct {
	t     *testing.T
	house *house
	peer  session.Peer

	mu     sync.Mutex
	got    []string
	read   int
	closed string
}

func (c *client) ID() string { return "client-1" }

func (c *client) Send(batch *event.Batch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, text := range batch.In(event.Bare).Texts() {
		c.got = append(c.got, string(text))
	}
}

func (c *client) Close(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = reason
}

func (c *client) received() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.got[c.read:])
}

// says sends an event without asking for an acknowledgement.
func (c *client) says(name string, args ...string) { c.event(session.Message{Name: name}, args...) }

// asks sends an "application" event with one argument and asks for an acknowledgement.
func (c *client) asks(id uint64, request string) {
	c.event(session.Message{Name: "application", AckID: id, HasAck: true}, request)
}

// event overwrites the arguments afterwards: they are valid only during the call.
func (c *client) event(m session.Message, args ...string) {
	for _, arg := range args {
		if !json.Valid([]byte(arg)) {
			c.t.Fatalf("a test says what is not JSON: %.100s", arg)
		}
		m.Args = append(m.Args, json.RawMessage(arg))
	}
	c.peer.Event(m)
	for _, arg := range m.Args {
		clear(arg)
	}
}

// wants waits for the next packets and checks that there are no more.
func (c *client) wants(want ...string) {
	c.t.Helper()
	eventually(c.t, strconv.Itoa(len(want))+" packets: "+strings.Join(want, " "), func() bool { return len(c.received()) >= len(want) })
	if got := c.received(); !slices.Equal(got, want) {
		c.t.Fatalf("packets\n got %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read += len(want)
}

// subscribe joins a room and reads the answer.
func (c *client) subscribe(workspace, app string) {
	c.t.Helper()
	before := len(c.received())
	c.says("application", `{"event":"SUBSCRIBE","payload":{"workspaceId":"`+workspace+`","appId":"`+app+`"}}`)
	eventually(c.t, "the answer to a SUBSCRIBE", func() bool { return len(c.received()) > before })
	answer := c.received()[before]
	if !strings.HasPrefix(answer, `42["application_response",{"status":"SUCCESS","event":"SUBSCRIBE",`) {
		c.t.Fatalf("SUBSCRIBE was answered %s", answer)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read++
}

// response is the event that answers, with this object.
func response(object string) string { return `42["application_response",` + object + `]` }

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not seen within %s: %s", patience, what)
		}
	}
}

// counter is the hub's Observer.
type counter struct{ house *house }

func (c counter) MembersChanged(delta int) { c.house.members.Add(int64(delta)) }
func (counter) RoomsChanged(int)           {}
func (counter) Heard(string)               {}
func (counter) Delivered(int)              {}
func (counter) Dropped(string, int)        {}
func (counter) BusLag(time.Duration)       {}
func (counter) Repaired(string)            {}
func (counter) Resynced(string)            {}
func (counter) Recovery(string)            {}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
