package hub_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
)

// faultyStore stands between a hub and its bus and does what networks and Redis do: it
// loses publications, lags, fails reads, and begins new epochs.
type faultyStore struct {
	hub.Store
	commands chan func(event.Sink)

	tops, questions, ranges atomic.Int64 // reads asked for

	mu    sync.Mutex // guards what follows
	loses func(*event.Event) bool
	deaf  bool // hears nothing at all
	read  func(ctx context.Context, what string) error
	wrote func(what string) error
	turn  turn
}

// turn is a new epoch, from the publications after a sequence on.
type turn struct {
	epoch    string // none yet if empty
	after    uint64
	previous event.Position
}

func newFaultyStore(inner hub.Store) *faultyStore {
	return &faultyStore{Store: inner, commands: make(chan func(event.Sink))}
}

// lose chooses the publications that are not heard; nil ends it.
func (s *faultyStore) lose(loses func(*event.Event) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loses = loses
}

func everything(*event.Event) bool { return true }

func (s *faultyStore) setDeaf(deaf bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deaf = deaf
}

// onRead has every read pass by a function first, which may fail it or keep it waiting.
// It is told "top", "changed" or "range".
func (s *faultyStore) onRead(read func(ctx context.Context, what string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read = read
}

// onWritten calls a function after each change of a record has taken effect; its error is
// that of an answer that got lost. It is told "enter", "leave" or "claim".
func (s *faultyStore) onWritten(wrote func(what string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrote = wrote
}

func (s *faultyStore) written(what string, err error) error {
	s.mu.Lock()
	wrote := s.wrote
	s.mu.Unlock()
	if err != nil || wrote == nil {
		return err
	}
	return wrote(what)
}

// blockReads keeps reads of one kind waiting until release is called.
func (s *faultyStore) blockReads(kind string) (release func()) {
	released := make(chan struct{})
	s.onRead(func(ctx context.Context, what string) error {
		if what != kind {
			return nil
		}
		select {
		case <-released:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	return func() { close(released) }
}

// begin starts an epoch after what has been published until now. Positions of the epoch
// before are good up to previous; none are if it is zero.
func (s *faultyStore) begin(t *testing.T, epoch string, previous event.Position) {
	t.Helper()
	top, err := s.Store.Top(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn = turn{epoch: epoch, after: top.Sequence, previous: previous}
}

// inject runs a command in the goroutine that hears the channel and waits for its end.
func (s *faultyStore) inject(t *testing.T, command func(event.Sink)) {
	t.Helper()
	done := make(chan struct{})
	s.commands <- func(sink event.Sink) {
		defer close(done)
		command(sink)
	}
	receive(t, done)
}

// holdBack makes the bus lag until release is called.
func (s *faultyStore) holdBack(t *testing.T) (release func()) {
	t.Helper()
	released := make(chan struct{})
	release = sync.OnceFunc(func() { close(released) })
	t.Cleanup(release) // before the hub is stopped, which would wait
	s.commands <- func(event.Sink) { <-released }
	return release
}

// Follow implements hub.Store. The feed is taken from the bus by another goroutine, so
// that commands find their turn between what is heard.
func (s *faultyStore) Follow(ctx context.Context, sink event.Sink) error {
	heard := make(chan func(event.Sink), 8192)
	var following sync.WaitGroup
	defer following.Wait()
	following.Go(func() { _ = s.Store.Follow(ctx, relay{s, heard}) })
	for {
		select {
		case <-ctx.Done():
			return nil
		case tell := <-heard:
			tell(sink)
		case command := <-s.commands:
			command(sink)
		}
	}
}

// relay is the sink of the bus's own feed.
type relay struct {
	store *faultyStore
	heard chan<- func(event.Sink)
}

func (r relay) Subscribed()             { r.heard <- event.Sink.Subscribed }
func (r relay) Interrupted(cause error) { r.heard <- func(s event.Sink) { s.Interrupted(cause) } }
func (r relay) Rejected(cause error)    { r.heard <- func(s event.Sink) { s.Rejected(cause) } }

func (r relay) Event(e *event.Event) {
	r.heard <- func(sink event.Sink) {
		r.store.mu.Lock()
		lost := r.store.deaf || r.store.loses != nil && r.store.loses(e)
		published := r.store.turn.at(e.Position)
		r.store.mu.Unlock()
		if !lost {
			sink.Event(event.NewDelivery(e.Room, published, e.Previous, e.Object()))
		}
	}
}

func (r relay) Heartbeat(beat event.Heartbeat) {
	r.heard <- func(sink event.Sink) {
		r.store.mu.Lock()
		deaf := r.store.deaf
		beat.Position = r.store.turn.now(beat.Position)
		r.store.mu.Unlock()
		if !deaf {
			sink.Heartbeat(beat)
		}
	}
}

func (r relay) Claimed(claimed event.Claimed) {
	r.heard <- func(sink event.Sink) {
		r.store.mu.Lock()
		deaf := r.store.deaf
		r.store.mu.Unlock()
		if !deaf {
			sink.Claimed(claimed)
		}
	}
}

// at is the position an event was published with.
func (t turn) at(p event.Position) event.Position {
	if t.epoch != "" && p.Sequence > t.after {
		p.Epoch = t.epoch
	}
	return p
}

// now is a position as told by a store that knows the present epoch only.
func (t turn) now(p event.Position) event.Position {
	if t.epoch != "" {
		p.Epoch = t.epoch
	}
	return p
}

func (s *faultyStore) pass(ctx context.Context, what string, count *atomic.Int64) error {
	count.Add(1)
	s.mu.Lock()
	read := s.read
	s.mu.Unlock()
	if read == nil {
		return nil
	}
	return read(ctx, what)
}

func (s *faultyStore) present() turn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.turn
}

// Publish implements hub.Store.
func (s *faultyStore) Publish(ctx context.Context, publication event.Publication) (event.Receipt, error) {
	receipt, err := s.Store.Publish(ctx, publication)
	receipt.Position = s.present().at(receipt.Position)
	return receipt, err
}

// Top implements hub.Store.
func (s *faultyStore) Top(ctx context.Context) (event.Top, error) {
	if err := s.pass(ctx, "top", &s.tops); err != nil {
		return event.Top{}, err
	}
	top, err := s.Store.Top(ctx)
	return s.rename(top), err
}

func (s *faultyStore) rename(top event.Top) event.Top {
	turn := s.present()
	if turn.epoch == "" {
		return top
	}
	return event.Top{Position: turn.now(top.Position), Previous: turn.previous}
}

// Changed implements hub.Store.
func (s *faultyStore) Changed(ctx context.Context, rooms []event.Room, after uint64) ([]event.Room, error) {
	if err := s.pass(ctx, "changed", &s.questions); err != nil {
		return nil, err
	}
	return s.Store.Changed(ctx, rooms, after)
}

// Range implements hub.Store. Like Redis, it tells all events with the present epoch.
func (s *faultyStore) Range(ctx context.Context, room event.Room, after uint64, maxBytes int) (event.Range, error) {
	if err := s.pass(ctx, "range", &s.ranges); err != nil {
		return event.Range{}, err
	}
	found, err := s.Store.Range(ctx, room, after, maxBytes)
	turn := s.present()
	found.Top = s.rename(found.Top)
	for i, e := range found.Events {
		found.Events[i] = event.NewDelivery(e.Room, turn.now(e.Position), e.Previous, e.Object())
	}
	return found, err
}

// Enter implements hub.Store.
func (s *faultyStore) Enter(ctx context.Context, record event.Record, room event.Room, number uint64) (event.Top, error) {
	top, err := s.Store.Enter(ctx, record, room, number)
	return s.rename(top), s.written("enter", err)
}

// Leave implements hub.Store.
func (s *faultyStore) Leave(ctx context.Context, tenancy event.Tenancy, room event.Room, number uint64) error {
	return s.written("leave", s.Store.Leave(ctx, tenancy, room, number))
}

// Claim implements hub.Store.
func (s *faultyStore) Claim(ctx context.Context, claim event.Claim) (event.Record, event.Top, error) {
	record, top, err := s.Store.Claim(ctx, claim)
	return record, s.rename(top), s.written("claim", err)
}

// startFaulty runs a hub on a faulty store, ready, inside a bubble.
func startFaulty(t *testing.T, bus hub.Store, change ...func(*hub.Options)) (*hub.Hub, *counts, *faultyStore) {
	t.Helper()
	store := newFaultyStore(bus)
	h, observed := startHub(t, "a", store, change...)
	awaitReady(t, h)
	return h, observed, store
}
