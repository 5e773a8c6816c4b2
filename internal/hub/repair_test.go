package hub_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
	"github.com/roomcast/roomcast/internal/memory"
)

// scene is a hub on a faulty store with three members: one in room a, one in room b, and
// one in both.
type scene struct {
	hub      *hub.Hub
	observed *counts
	store    *faultyStore
	bus      *memory.Store // as another instance has it

	a, b                event.Room
	inA, inB, inBoth    *listener
	dueA, dueB, dueBoth []string
}

func newScene(t *testing.T, bus *memory.Bus) *scene {
	t.Helper()
	s := &scene{
		bus: bus.Store(), a: newRoom(t, "w", "a"), b: newRoom(t, "w", "b"),
		inA: &listener{}, inB: &listener{}, inBoth: &listener{},
		dueA: []string{"reply"}, dueB: []string{"reply"}, dueBoth: []string{"reply", "reply"},
	}
	s.hub, s.observed, s.store = startFaulty(t, bus.Store())
	join(t, s.hub.Admit(s.inA), s.a, event.Position{})
	join(t, s.hub.Admit(s.inB), s.b, event.Position{})
	both := s.hub.Admit(s.inBoth)
	join(t, both, s.a, event.Position{})
	join(t, both, s.b, event.Position{})
	synctest.Wait()
	return s
}

// publish publishes from another instance and notes that the members must get it.
func (s *scene) publish(t *testing.T, room event.Room) event.Position {
	t.Helper()
	at := s.publishUnseen(t, room)
	s.due(room, delivery(room, at))
	return at
}

// publishUnseen publishes what no member gets.
func (s *scene) publishUnseen(t *testing.T, room event.Room) event.Position {
	t.Helper()
	defer synctest.Wait()
	return publish(t, s.store, room)
}

func (s *scene) due(room event.Room, what string) {
	if room == s.a {
		s.dueA = append(s.dueA, what)
	} else {
		s.dueB = append(s.dueB, what)
	}
	s.dueBoth = append(s.dueBoth, what)
}

func (s *scene) beat(t *testing.T) {
	t.Helper()
	if err := s.bus.Beat(t.Context(), "another", 0); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

func (s *scene) check(t *testing.T, repaired map[string]int, resynced int64) {
	t.Helper()
	expect(t, s.inA, s.dueA...)
	expect(t, s.inB, s.dueB...)
	expect(t, s.inBoth, s.dueBoth...)
	if got := s.observed.repairs(); !maps.Equal(got, repaired) {
		t.Errorf("repairs are counted as %v, not %v", got, repaired)
	}
	if got := s.observed.resynced.Load(); got != resynced {
		t.Errorf("%d resyncs are counted, not %d", got, resynced)
	}
}

func TestAHoleIsFilledWhenTheNextEventShowsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, newBus())
		s.publish(t, s.a)
		s.store.lose(everything)
		for range 3 {
			s.publish(t, s.b)
			s.publish(t, s.a)
		}
		s.store.lose(nil)
		s.publish(t, s.b)
		s.publish(t, s.a)
		s.check(t, map[string]int{"gap": 1}, 0)
	})
}

func TestALossBeforeSilenceIsShownByAHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, newBus())
		s.store.lose(everything)
		s.publish(t, s.a)
		s.publish(t, s.b)
		s.store.lose(nil)
		expect(t, s.inBoth, "reply", "reply")
		s.beat(t)
		s.check(t, map[string]int{"heartbeat": 1}, 0)
		s.beat(t)
		s.check(t, map[string]int{"heartbeat": 1}, 0)
	})
}

func TestWhatWasMissedWhileAwayIsReadAfterTheNextSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, newBus())
		s.publish(t, s.a)
		s.store.inject(t, func(sink event.Sink) { sink.Interrupted(errors.New("connection reset")) })
		s.store.lose(everything)
		s.publish(t, s.b)
		s.publish(t, s.a)
		s.store.lose(nil)
		s.store.inject(t, event.Sink.Subscribed)
		s.check(t, map[string]int{"resubscribed": 1}, 0)
		s.publish(t, s.b)
		s.check(t, map[string]int{"resubscribed": 1}, 0)

		// Nothing missed is nothing repaired.
		s.store.inject(t, event.Sink.Subscribed)
		s.check(t, map[string]int{"resubscribed": 1}, 0)
	})
}

func TestWhatTheBusRepeatsIsNotDeliveredAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, newBus())
		first, second := s.publish(t, s.a), s.publish(t, s.a)
		for _, at := range []event.Position{first, second, first} {
			s.store.inject(t, func(sink event.Sink) { sink.Event(event.NewDelivery(s.a, at, 0, `{"event":"UPDATE_APP"}`)) })
		}
		s.check(t, map[string]int{}, 0)
	})
}

func TestPublicationsOfStrangersAreDeliveredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, newBus())
		s.publish(t, s.a)
		s.store.inject(t, func(sink event.Sink) {
			sink.Event(event.NewDelivery(s.a, event.Position{}, 0, `{"event":"UPDATE_APP"}`))
			sink.Rejected(errors.New("not JSON"))
		})
		s.due(s.a, "foreign a")
		synctest.Wait()
		s.publish(t, s.a)
		s.check(t, map[string]int{}, 0)
		if foreign, malformed := s.observed.foreign.Load(), s.observed.malformed.Load(); foreign != 1 || malformed != 1 {
			t.Errorf("%d foreign and %d malformed publications are counted", foreign, malformed)
		}
	})
}

// A repair reads further than the bus has brought. The heartbeats still to come are then
// old; were each of them a reason to read on, the bus would never be heard again on a busy
// channel.
func TestAnOldHeartbeatRepairsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, newBus())
		old := s.publish(t, s.a)
		s.publish(t, s.a)
		released := make(chan struct{})
		s.store.commands <- func(sink event.Sink) {
			<-released
			sink.Heartbeat(event.Heartbeat{Instance: "another", Position: old})
		}
		s.publish(t, s.b) // the store has it, the bus has not brought it yet
		ranges := s.store.ranges.Load()
		close(released)
		s.check(t, map[string]int{}, 0)
		if read := s.store.ranges.Load() - ranges; read != 0 {
			t.Errorf("%d histories were read", read)
		}
	})
}

func TestOnlyRoomsThatChangedAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, newBus())
		s.publish(t, s.a)
		s.publish(t, s.b)
		ranges := s.store.ranges.Load()
		s.store.lose(everything)
		s.publish(t, s.b)
		s.publishUnseen(t, newRoom(t, "w", "nobody"))
		s.store.lose(nil)
		s.beat(t)
		s.check(t, map[string]int{"heartbeat": 1}, 0)
		if read := s.store.ranges.Load() - ranges; read != 1 {
			t.Errorf("%d histories were read", read)
		}
	})
}

func TestOnlyRoomsWithAHoleInTheirHistoryAreResynced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, newLargeBus(3))
		s.publish(t, s.a)
		s.publish(t, s.b)
		s.store.lose(everything)
		for range 4 {
			s.publishUnseen(t, s.b)
		}
		// Before what comes later in other rooms: a client that loses its connection in
		// between must not have an offset that is past the loss it was not told of.
		s.due(s.b, "RESYNC b")
		s.publish(t, s.a)
		s.store.lose(nil)
		s.beat(t)
		s.check(t, map[string]int{"heartbeat": 1}, 1)
		s.publish(t, s.b)
		s.publish(t, s.a)
		s.check(t, map[string]int{"heartbeat": 1}, 1)
	})
}

func TestARepairGoesOnUntilTheStoreAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, newBus())
		s.store.lose(everything)
		s.publish(t, s.a)
		s.publish(t, s.b)
		s.store.lose(nil)
		failures := map[string]int{"top": 2, "changed": 2, "range": 3} // touched by the hub's one reader only
		s.store.onRead(func(_ context.Context, what string) error {
			failures[what]--
			if failures[what] >= 0 {
				return errors.New("connection reset")
			}
			return nil
		})
		s.beat(t)
		time.Sleep(10 * time.Second) // of the bubble
		s.check(t, map[string]int{"heartbeat": 1}, 0)
	})
}

// Rooms are read one after the other. What was published between two of these reads is
// left to the bus: it would come before what another room had earlier.
func TestARepairLeavesToTheBusWhatIsPublishedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, newBus())
		s.store.lose(everything)
		s.publish(t, s.a)
		s.publish(t, s.b)
		s.store.lose(nil)
		release := s.store.blockReads("range")
		s.beat(t)
		s.publish(t, s.b)
		s.publish(t, s.a)
		expect(t, s.inBoth, "reply", "reply")
		release()
		s.check(t, map[string]int{"heartbeat": 1}, 0)
	})
}

// The line must not move over what was not delivered: a member told that position would
// continue behind it at another instance.
func TestARepairThatTheEndInterruptsHasNotHappened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, newBus())
		s.store.lose(everything)
		s.publishUnseen(t, s.a)
		s.store.lose(nil)
		s.store.blockReads("range")
		s.beat(t)
		s.hub.Stop()
		s.check(t, map[string]int{}, 0)
	})
}

func TestANewEpochThatContinuesTheOldOneIsJustGoneOnWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, newBus())
		s.publish(t, s.a)
		last := s.publish(t, s.b)
		s.store.begin(t, "next", last)
		s.publish(t, s.a)
		s.publish(t, s.b)
		s.check(t, map[string]int{"epoch": 1}, 0)
	})
}

func TestALossAroundAnEpochsEndIsFilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, newBus())
		s.publish(t, s.a)
		s.store.lose(everything)
		s.publish(t, s.b)
		last := s.publish(t, s.a)
		s.store.begin(t, "next", last)
		s.publish(t, s.b)
		s.store.lose(nil)
		s.beat(t)
		s.check(t, map[string]int{"epoch": 1}, 0)
	})
}

// A member may have read, in its join, what the bus had lost and the repair brings later.
func TestAJoinThatReadAheadOfARepairGetsNothingTwice(t *testing.T) {
	for _, joins := range []string{"before the new epoch", "after the new epoch"} {
		t.Run(joins, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, newBus())
				known := s.publish(t, s.a)
				s.store.lose(everything)
				lost := s.publish(t, s.a)
				ahead := &listener{}
				if joins == "before the new epoch" {
					join(t, s.hub.Admit(ahead), s.a, known)
				}
				s.store.begin(t, "next", lost)
				asRead := lost
				if joins == "after the new epoch" {
					join(t, s.hub.Admit(ahead), s.a, known)
					asRead.Epoch = "next"
				}
				s.store.lose(nil)
				s.beat(t)
				live := s.publish(t, s.a)
				expect(t, ahead, "reply", delivery(s.a, asRead), delivery(s.a, live))
				s.check(t, map[string]int{"epoch": 1}, 0)
			})
		})
	}
}

func TestASequenceThatDoesNotContinueResyncsEveryRoomOnce(t *testing.T) {
	previous := map[string]func(heard event.Position) event.Position{
		"nothing is known of the epoch before": func(event.Position) event.Position { return event.Position{} },
		"more was heard than is kept":          func(heard event.Position) event.Position { heard.Sequence--; return heard },
	}
	for name, previous := range previous {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, newBus())
				s.publish(t, s.a)
				heard := s.publish(t, s.b)
				s.store.begin(t, "next", previous(heard))
				s.beat(t)
				// In no particular order; the events that follow show that one each has come.
				got := s.inBoth.heard()
				s.due(s.a, "RESYNC a")
				s.due(s.b, "RESYNC b")
				copy(s.dueBoth[len(s.dueBoth)-2:], got[len(got)-2:])
				s.publish(t, s.b)
				s.publish(t, s.a)
				s.beat(t)
				s.check(t, map[string]int{"epoch": 1}, 2)
			})
		})
	}
}

// The epoch may end between two reads of a repair. What was published before is still what
// it was, to members who have it already.
func TestAnEpochThatEndsDuringARepairBringsNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, newBus())
		known := s.publish(t, s.a)
		s.store.lose(everything)
		lost := s.publish(t, s.a)
		s.store.lose(nil)
		ahead := &listener{}
		join(t, s.hub.Admit(ahead), s.a, known)
		release := s.store.blockReads("range")
		s.beat(t)
		s.store.begin(t, "next", lost)
		release()
		synctest.Wait()
		s.beat(t)
		live := s.publish(t, s.a)
		expect(t, ahead, "reply", delivery(s.a, lost), delivery(s.a, live))
		s.check(t, map[string]int{"heartbeat": 1, "epoch": 1}, 0)
	})
}
