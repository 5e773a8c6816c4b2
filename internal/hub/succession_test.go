package hub_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
)

// What members are told who had got, or were just getting, what a failover lost.

// A member has read, as it joined, what its instance had not heard yet and nobody will.
func TestWhoReadAheadOfALostTailIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newBus()
		h, _, store := startFaulty(t, bus.Store())
		room := newRoom(t, "w", "a")
		known := publish(t, h, room)
		synctest.Wait()
		release := store.holdBack(t)
		lost := publish(t, bus.Store(), room)
		l := &listener{}
		join(t, h.Admit(l), room, known)
		expect(t, l, "reply", delivery(room, lost))
		bus.Succeed(known.Sequence)
		release()
		time.Sleep(10 * time.Second) // of the bubble
		expect(t, l, "reply", delivery(room, lost), "RESYNC a")
		live := publish(t, h, room)
		expect(t, l, "reply", delivery(room, lost), "RESYNC a", delivery(room, live))
	})
}

// The tail is lost between the two reads of a join: what the first said of the top is not
// true any more.
func TestAJoinAtALostTopIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newBus()
		h, _, store := startFaulty(t, bus.Store())
		room := newRoom(t, "w", "a")
		known := publish(t, h, room)
		kept := publish(t, h, room)
		publish(t, h, room)
		synctest.Wait()
		release := store.blockReads("range")
		l := &listener{}
		if err := h.Admit(l).Join(room, known, replyTo(make(chan hub.Outcome, 1))); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		bus.Succeed(kept.Sequence)
		store.onRead(nil)
		synctest.Wait() // the instance has heard of it
		release()
		synctest.Wait()
		if got := l.heard(); len(got) == 0 || got[len(got)-1] != "RESYNC a" {
			t.Errorf("got %q, want a RESYNC at the end", got)
		}
	})
}

// The same of a recovery, which tries again.
func TestARecoveryOverTheEndOfAnEpochTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newBus()
		h, _, store := startFaulty(t, bus.Store())
		room := newRoom(t, "w", "a")
		v := open(t, h, hub.Opening{})
		join(t, v.seating, room, event.Position{})
		v.lose()
		missed := publish(t, h, room)
		synctest.Wait()
		release := store.blockReads("range")
		back := v.again(t, h)
		bus.Succeed(missed.Sequence)
		release()
		expect(t, &back.listener)
		if closings := back.closings(); len(closings) != 1 {
			t.Errorf("closed %q", closings)
		}
	})
}

// fallen is a store whose sequence stands where it is told, for once.
type fallen struct {
	hub.Store
	mu  sync.Mutex
	top event.Top
}

func (s *fallen) Top(ctx context.Context) (event.Top, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.top.Epoch != "" {
		return s.top, nil
	}
	return s.Store.Top(ctx)
}

// However low the sequence of another Redis begins, and however it shows.
func TestASequenceThatFellResyncs(t *testing.T) {
	cases := map[string]struct {
		epoch string // the same if empty
		shows func(sink event.Sink, top event.Position)
	}{
		"after a subscription": {"other", func(sink event.Sink, _ event.Position) { sink.Subscribed() }},
		"by a heartbeat of another epoch": {"other", func(sink event.Sink, top event.Position) {
			sink.Heartbeat(event.Heartbeat{Instance: "b", Position: top})
		}},
		"by a heartbeat in the same epoch": {"", func(sink event.Sink, top event.Position) {
			sink.Heartbeat(event.Heartbeat{Instance: "b", Position: top})
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner := &fallen{Store: newBus().Store()}
				h, _, store := startFaulty(t, inner)
				room, l := newRoom(t, "w", "a"), &listener{}
				at := join(t, h.Admit(l), room, event.Position{}).Position
				synctest.Wait()
				top := event.Position{Epoch: at.Epoch, Sequence: at.Sequence - 1000}
				if c.epoch != "" {
					top.Epoch = c.epoch
				}
				inner.mu.Lock()
				inner.top = event.Top{Position: top}
				inner.mu.Unlock()
				store.inject(t, func(sink event.Sink) { c.shows(sink, top) })
				expect(t, l, "reply", "RESYNC a")
			})
		})
	}
}

// fall has the sequence stand lower than it was, in the same epoch, and the hub hear of it.
func (s *fallen) fall(t *testing.T, store *faultyStore, from event.Position) (low event.Position) {
	t.Helper()
	low = event.Position{Epoch: from.Epoch, Sequence: from.Sequence - 1000}
	s.mu.Lock()
	s.top = event.Top{Position: low}
	s.mu.Unlock()
	store.inject(t, func(sink event.Sink) { sink.Heartbeat(event.Heartbeat{Instance: "b", Position: low}) })
	synctest.Wait()
	return low
}

func TestNoOffsetIsInThePartThatASequenceFellBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &fallen{Store: newBus().Store()}
		h, _, store := startFaulty(t, bus)
		room := newRoom(t, "w", "a")
		v := open(t, h, hub.Opening{})
		join(t, v.seating, room, event.Position{})
		live := publish(t, h, room)
		synctest.Wait()
		low := bus.fall(t, store, live)
		join(t, v.seating, room, event.Position{})
		synctest.Wait()
		if at, err := event.ParseOffset(v.offset(t)); err != nil || at.Sequence > low.Sequence {
			t.Errorf("the offset is %s, and the sequence stands at %v", v.offset(t), low)
		}
	})
}

func TestAJoinDuringAFallIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &fallen{Store: newBus().Store()}
		h, _, store := startFaulty(t, bus)
		room, l := newRoom(t, "w", "a"), &listener{}
		known := publish(t, h, room)
		at := publish(t, h, room)
		synctest.Wait()
		release := store.blockReads("range")
		if err := h.Admit(l).Join(room, known, replyTo(make(chan hub.Outcome, 1))); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		low := bus.fall(t, store, at)
		release()
		synctest.Wait()
		again := event.Position{Epoch: low.Epoch, Sequence: low.Sequence + 1}
		store.inject(t, func(sink event.Sink) {
			sink.Event(event.NewDelivery(room, again, 0, `{"event":"UPDATE_APP"}`))
		})
		synctest.Wait()
		if heard := l.heard(); !slices.Contains(heard, "RESYNC a") || !slices.Contains(heard, delivery(room, again)) {
			t.Errorf("heard %q, want a RESYNC and %s", heard, delivery(room, again))
		}
	})
}

func TestAFallDuringTheJoinOfAnotherRoomIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &fallen{Store: newBus().Store()}
		h, _, store := startFaulty(t, bus)
		first, other, l := newRoom(t, "w", "first"), newRoom(t, "w", "other"), &listener{}
		known := publish(t, h, other)
		publish(t, h, other)
		seating := h.Admit(l)
		at := join(t, seating, first, event.Position{}).Position
		synctest.Wait()
		release := store.blockReads("range")
		if err := seating.Join(other, known, replyTo(make(chan hub.Outcome, 1))); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		bus.fall(t, store, at)
		release()
		synctest.Wait()
		if heard := l.heard(); !slices.Contains(heard, "RESYNC first") {
			t.Errorf("heard %q, want a RESYNC of the first room", heard)
		}
	})
}

// Whoever has read ahead what a failover then lost is told so once, for all up to the top.
func TestWhatIsLostAheadIsToldInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newBus()
		h, _, store := startFaulty(t, bus.Store())
		room, l := newRoom(t, "w", "a"), &listener{}
		known := publish(t, h, room)
		synctest.Wait()
		store.lose(everything)
		publish(t, bus.Store(), room)
		release := store.holdBack(t)
		join(t, h.Admit(l), room, known)
		bus.Succeed(known.Sequence)
		publish(t, bus.Store(), room)
		publish(t, bus.Store(), room)
		release()
		time.Sleep(10 * time.Second) // of the bubble: two heartbeats
		synctest.Wait()
		if places := l.sequences(); !slices.IsSorted(places) {
			t.Errorf("heard %q at %v", l.heard(), places)
		}
		if heard := l.heard(); !slices.Contains(heard, "RESYNC a") {
			t.Errorf("heard %q, want a RESYNC", heard)
		}
	})
}
