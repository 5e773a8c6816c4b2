package storetest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

// waitLimit bounds the wait for something that will happen unless there is a fault.
const waitLimit = 20 * time.Second

// Heard is what a feed told its sink, each kind in order.
type Heard struct {
	Subscribed  int
	Interrupted []error
	Events      []*event.Event
	Heartbeats  []event.Heartbeat
	Claimed     []event.Claimed
	Rejected    []error
}

// Ear is a sink that keeps everything.
type Ear struct {
	mu      sync.Mutex
	heard   Heard
	changed chan struct{} // closed and replaced with every change
}

// NewEar makes an ear that has heard nothing.
func NewEar() *Ear { return &Ear{changed: make(chan struct{})} }

// Listen follows the store until the end of the test, at the latest, and returns when the
// subscription was confirmed. stop ends it and waits for Follow to return, which must be
// without an error.
func Listen(t testing.TB, store Store) (ear *Ear, stop func()) {
	t.Helper()
	ear, stop = Follow(t, store)
	ear.Await(t, "the first subscription", func(h Heard) bool { return h.Subscribed == 1 })
	return ear, stop
}

// Follow is Listen without waiting for the subscription.
func Follow(t testing.TB, store Store) (ear *Ear, stop func()) {
	t.Helper()
	ear = NewEar()
	return ear, FollowWith(t, store, ear)
}

// FollowWith is Follow with a sink of the test's own.
func FollowWith(t testing.TB, store Store, sink event.Sink) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- store.Follow(ctx, sink) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("Follow returned %v after its context ended, want nil", err)
				}
			case <-time.After(waitLimit):
				t.Errorf("Follow goes on after its context ended")
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// Await waits until condition holds for what was heard, and returns that.
func (e *Ear) Await(t testing.TB, what string, condition func(Heard) bool) Heard {
	t.Helper()
	limit := time.After(waitLimit)
	for {
		heard, changed := e.sofar()
		if condition(heard) {
			return heard
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("waited for %s in vain; heard %d subscriptions, interruptions %v, %d events, %d heartbeats, rejections %v", what,
				heard.Subscribed, heard.Interrupted, len(heard.Events), len(heard.Heartbeats), heard.Rejected)
		}
	}
}

// Heard returns what was heard so far.
func (e *Ear) Heard() Heard {
	heard, _ := e.sofar()
	return heard
}

// AwaitEvents waits for n events and returns them.
func (e *Ear) AwaitEvents(t testing.TB, n int) []*event.Event {
	t.Helper()
	return e.Await(t, "events", func(h Heard) bool { return len(h.Events) >= n }).Events
}

// echoSent is when an echo says it was sent.
const echoSent = 1500 * time.Microsecond

// AwaitEcho sends a heartbeat under a name not used before and waits until it is heard:
// everything published earlier has then been heard too, unless it is lost.
func (e *Ear) AwaitEcho(t testing.TB, store Store, instance string) Heard {
	t.Helper()
	if err := store.Beat(t.Context(), instance, echoSent); err != nil {
		t.Fatalf("Beat: %v", err)
	}
	return e.Await(t, "the heartbeat of "+instance, func(h Heard) bool {
		return slices.ContainsFunc(h.Heartbeats, func(beat event.Heartbeat) bool { return beat.Instance == instance })
	})
}

func (e *Ear) sofar() (Heard, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard, e.changed
}

func (e *Ear) note(change func(*Heard)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(&e.heard)
	close(e.changed)
	e.changed = make(chan struct{})
}

// Subscribed implements event.Sink.
func (e *Ear) Subscribed() { e.note(func(h *Heard) { h.Subscribed++ }) }

// Interrupted implements event.Sink.
func (e *Ear) Interrupted(cause error) {
	e.note(func(h *Heard) { h.Interrupted = append(h.Interrupted, cause) })
}

// Event implements event.Sink.
func (e *Ear) Event(heard *event.Event) {
	e.note(func(h *Heard) { h.Events = append(h.Events, heard) })
}

// Heartbeat implements event.Sink.
func (e *Ear) Heartbeat(beat event.Heartbeat) {
	e.note(func(h *Heard) { h.Heartbeats = append(h.Heartbeats, beat) })
}

// Claimed implements event.Sink.
func (e *Ear) Claimed(claimed event.Claimed) {
	e.note(func(h *Heard) { h.Claimed = append(h.Claimed, claimed) })
}

// Rejected implements event.Sink.
func (e *Ear) Rejected(cause error) {
	e.note(func(h *Heard) { h.Rejected = append(h.Rejected, cause) })
}
