// Package storetest is the contract that every store keeps, as a test suite.
package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
)

// Store is what is tested.
type Store = hub.Store

// Limits are the bounds under which a channel is opened.
type Limits struct {
	HistorySize   int
	HistoryBytes  int
	HistoryTTL    time.Duration
	RoomIndexSize int
}

// Generous is Limits that no test reaches which does not mean to.
func Generous() Limits {
	return Limits{HistorySize: 10_000, HistoryBytes: 64 << 20, HistoryTTL: time.Hour, RoomIndexSize: 10_000}
}

// Instance opens one more store of the same channel. It is closed with the test.
type Instance func() Store

// Run checks the contract. open makes an empty channel; a test that calls it twice gets
// two.
func Run(t *testing.T, open func(t *testing.T, limits Limits) Instance) {
	suite := suite{open: open}
	t.Run("Sequence", suite.sequence)
	t.Run("Identity", suite.identity)
	t.Run("Feed", suite.feed)
	t.Run("History", suite.history)
	t.Run("Proof", suite.proof)
	t.Run("Changed", suite.changed)
	t.Run("Records", suite.records)
	t.Run("Context", suite.context)
}

type suite struct {
	open func(t *testing.T, limits Limits) Instance
}

var (
	red   = event.Room{Workspace: "w", App: "red"}
	green = event.Room{Workspace: "w", App: "green"}
	blue  = event.Room{Workspace: "w", App: "blue"}
)

// Publisher publishes to a store; any error fails its test. It belongs to one goroutine.
type Publisher struct {
	t     testing.TB
	store Store
	count int
	name  string
}

// NewPublisher makes a publisher whose ids begin with name.
func NewPublisher(t testing.TB, store Store, name string) *Publisher {
	return &Publisher{t: t, store: store, name: name}
}

// Next is a publication to room under an id of its own.
func (p *Publisher) Next(room event.Room, object string) event.Publication {
	p.count++
	return event.Publication{
		ID:       fmt.Sprintf("%s-%d", p.name, p.count),
		Remember: time.Minute,
		Room:     room,
		Object:   object,
	}
}

// Publish publishes object, or a numbered one if it is empty, and returns its position.
func (p *Publisher) Publish(room event.Room, object string) event.Position {
	p.t.Helper()
	publication := p.Next(room, object)
	if object == "" {
		publication.Object = fmt.Sprintf(`{"n":%d}`, p.count)
	}
	receipt, err := p.store.Publish(p.t.Context(), publication)
	if err != nil {
		p.t.Fatalf("Publish: %v", err)
	}
	if receipt.Duplicate {
		p.t.Fatalf("Publish answered a new id %s as a duplicate", publication.ID)
	}
	return receipt.Position
}

func top(t *testing.T, store Store) event.Top {
	t.Helper()
	top, err := store.Top(t.Context())
	if err != nil {
		t.Fatalf("Top: %v", err)
	}
	return top
}

func read(t *testing.T, store Store, room event.Room, after uint64, maxBytes int) event.Range {
	t.Helper()
	found, err := store.Range(t.Context(), room, after, maxBytes)
	if err != nil {
		t.Fatalf("Range: %v", err)
	}
	return found
}

func sequences(events []*event.Event) []uint64 {
	var all []uint64
	for _, e := range events {
		all = append(all, e.Position.Sequence)
	}
	return all
}
