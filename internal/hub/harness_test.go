package hub_test

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
	"github.com/roomcast/roomcast/internal/memory"
)

// patience bounds every wait of these tests; it says nothing about speed.
const patience = 20 * time.Second

// counts is an Observer that tests read.
type counts struct {
	rooms, members, delivered, dropped, resynced, foreign, malformed atomic.Int64
	lag                                                              atomic.Int64 // the latest

	mu         sync.Mutex
	repaired   map[string]int // by cause
	recoveries map[string]int // by outcome
}

func (c *counts) Recovery(outcome string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.recoveries == nil {
		c.recoveries = make(map[string]int)
	}
	c.recoveries[outcome]++
}

func (c *counts) asked() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.recoveries)
}

func (c *counts) repairs() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.repaired)
}

func (c *counts) Repaired(cause string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.repaired == nil {
		c.repaired = make(map[string]int)
	}
	c.repaired[cause]++
}

func (c *counts) RoomsChanged(delta int)   { c.rooms.Add(int64(delta)) }
func (c *counts) MembersChanged(delta int) { c.members.Add(int64(delta)) }
func (c *counts) Delivered(n int)          { c.delivered.Add(int64(n)) }
func (c *counts) Dropped(_ string, n int)  { c.dropped.Add(int64(n)) }
func (c *counts) BusLag(lag time.Duration) { c.lag.Store(int64(lag)) }
func (c *counts) Resynced(string)          { c.resynced.Add(1) }
func (c *counts) Heard(origin string) {
	switch origin {
	case "foreign":
		c.foreign.Add(1)
	case "malformed":
		c.malformed.Add(1)
	}
}

func newBus() *memory.Bus {
	return memory.NewBus(memory.Options{HistorySize: 1000, HistoryBytes: 1 << 20, HistoryTTL: time.Minute})
}

// startHub runs a hub on a store until the test ends.
func startHub(t *testing.T, instance string, store hub.Store, change ...func(*hub.Options)) (*hub.Hub, *counts) {
	t.Helper()
	observed := &counts{}
	options := hub.Options{
		Store: store, Instance: instance, Observer: observed, Logger: slog.New(slog.DiscardHandler),
		Workers: 2, RoomsPerMember: 8, HoldBytes: 1 << 20, RequestTimeout: patience,
		ReplayBytes: 512 << 10, RecoveryWindow: time.Minute,
		HeartbeatInterval: 5 * time.Second, // a starved test must not count as deaf
	}
	for _, c := range change {
		c(&options)
	}
	h := hub.New(options)
	h.Start()
	t.Cleanup(func() {
		h.Stop()
		if err := store.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	return h, observed
}

func awaitReady(t *testing.T, h *hub.Hub) {
	t.Helper()
	await(t, "the hub is ready", func() bool { return h.Ready() == nil })
}

// await polls a condition until it holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// listener is a Member that writes down what it gets.
type listener struct {
	mu     sync.Mutex
	events []*event.Event
	sends  []int // how many events each Send brought
	closed []string
}

func (l *listener) Send(batch *event.Batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, batch.Events()...)
	l.sends = append(l.sends, batch.Len())
}

func (l *listener) Close(reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = append(l.closed, reason)
}

func (l *listener) closings() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.closed)
}

func (l *listener) got() []*event.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}

// sequences is the sequences of the deliveries, replies left out.
func (l *listener) sequences() []uint64 {
	var all []uint64
	for _, e := range l.got() {
		if !e.Position.IsZero() {
			all = append(all, e.Position.Sequence)
		}
	}
	return all
}

// heard is what the listener got, in words: see words.
func (l *listener) heard() []string {
	var all []string
	for _, e := range l.got() {
		all = append(all, words(e))
	}
	return all
}

// words tells an event in few words: "reply", "RESYNC <app>", "foreign <app>" or "<app> <position>".
func words(e *event.Event) string {
	switch {
	case e.Object() == "":
		return "reply"
	case strings.Contains(e.Object(), `"event":"RESYNC"`):
		return "RESYNC " + e.Room.App
	case e.Position.IsZero():
		return "foreign " + e.Room.App
	}
	return delivery(e.Room, e.Position)
}

func delivery(room event.Room, at event.Position) string { return room.App + " " + at.String() }

// expect compares what a listener has got by now, when nothing moves any more, with what
// is due. It works in a bubble of testing/synctest only.
func expect(t *testing.T, l *listener, due ...string) {
	t.Helper()
	synctest.Wait()
	if got := l.heard(); !slices.Equal(got, due) {
		t.Errorf("got %q, due is %q", got, due)
	}
}

// join takes a seat and waits for the outcome, which is written to the listener as a reply.
func join(t *testing.T, seating *hub.Seating, room event.Room, since event.Position) hub.Outcome {
	t.Helper()
	outcomes := make(chan hub.Outcome, 1)
	if err := seating.Join(room, since, replyTo(outcomes)); err != nil {
		t.Fatalf("joining %s: %v", room, err)
	}
	return receive(t, outcomes)
}

func leave(t *testing.T, seating *hub.Seating, room event.Room) hub.Outcome {
	t.Helper()
	outcomes := make(chan hub.Outcome, 1)
	if err := seating.Leave(room, replyTo(outcomes)); err != nil {
		t.Fatalf("leaving %s: %v", room, err)
	}
	return receive(t, outcomes)
}

func replyTo(outcomes chan<- hub.Outcome) hub.Reply {
	return func(outcome hub.Outcome) []*event.Event {
		outcomes <- outcome
		return []*event.Event{event.NewReply("reply", []byte(`{}`))}
	}
}

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(patience):
		t.Fatal("waited in vain for an answer")
		panic("unreachable")
	}
}

var publications atomic.Int64

// publisher is a hub, or a store by which another instance publishes.
type publisher interface {
	Publish(ctx context.Context, publication event.Publication) (event.Receipt, error)
}

func publish(t *testing.T, by publisher, room event.Room) event.Position {
	t.Helper()
	return publishSized(t, by, room, 0)
}

// publishSized publishes an object with a payload of at least so many bytes.
func publishSized(t *testing.T, by publisher, room event.Room, size int) event.Position {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	n := strconv.FormatInt(publications.Add(1), 10)
	receipt, err := by.Publish(ctx, event.Publication{
		ID: "p" + n, Remember: time.Minute, Room: room,
		Object: `{"event":"UPDATE_APP","workspaceId":"` + room.Workspace + `","appId":"` + room.App +
			`","payload":{"n":` + n + `,"text":"` + strings.Repeat("x", size) + `"}}`,
	})
	if err != nil {
		t.Fatalf("publishing to %s: %v", room, err)
	}
	return receipt.Position
}

func newRoom(t *testing.T, workspace, app string) event.Room {
	t.Helper()
	room, err := event.NewRoom(workspace, app)
	if err != nil {
		t.Fatal(err)
	}
	return room
}
