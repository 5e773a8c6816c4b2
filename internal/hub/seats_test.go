package hub_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
)

func TestJoinAnswersWithThePlaceFromWhichEverythingFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, observed := startHub(t, "a", newBus().Store())
		awaitReady(t, h)
		room, l := newRoom(t, "w", "a"), &listener{}
		before := publish(t, h, room)

		outcome := join(t, h.Admit(l), room, event.Position{})
		if outcome != (hub.Outcome{Position: before}) {
			t.Errorf("the join came to %+v, due is position %s", outcome, before)
		}
		after := publish(t, h, room)
		expect(t, l, "reply", delivery(room, after))
		if rooms, members := observed.rooms.Load(), observed.members.Load(); rooms != 1 || members != 1 {
			t.Errorf("%d rooms and %d members are counted", rooms, members)
		}
	})
}

func TestLeaveAnswersWithThePlaceUpToWhichEverythingCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, observed := startHub(t, "a", newBus().Store())
		awaitReady(t, h)
		room, l := newRoom(t, "w", "a"), &listener{}
		seating := h.Admit(l)
		join(t, seating, room, event.Position{})
		event1 := publish(t, h, room)
		elsewhere := publish(t, h, newRoom(t, "w", "nobody"))
		synctest.Wait()

		if outcome := leave(t, seating, room); outcome != (hub.Outcome{Position: elsewhere}) {
			t.Errorf("the leave came to %+v, due is position %s", outcome, elsewhere)
		}
		publish(t, h, room)
		expect(t, l, "reply", delivery(room, event1), "reply")
		if rooms, members := observed.rooms.Load(), observed.members.Load(); rooms != 0 || members != 0 {
			t.Errorf("%d rooms and %d members are left", rooms, members)
		}
	})
}

func TestLeavingARoomNeverJoinedIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, observed := startHub(t, "a", newBus().Store())
		awaitReady(t, h)
		room, l := newRoom(t, "w", "a"), &listener{}
		if outcome := leave(t, h.Admit(l), room); outcome.Err != nil {
			t.Errorf("the leave came to %+v", outcome)
		}
		expect(t, l, "reply")
		if members := observed.members.Load(); members != 0 {
			t.Errorf("%d members are counted", members)
		}
	})
}

func TestJoiningAgainAnswersAndKeepsOneSeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, observed := startHub(t, "a", newBus().Store())
		awaitReady(t, h)
		room, l := newRoom(t, "w", "a"), &listener{}
		seating := h.Admit(l)
		join(t, seating, room, event.Position{})
		first := publish(t, h, room)
		synctest.Wait()

		if outcome := join(t, seating, room, event.Position{}); outcome != (hub.Outcome{Position: first}) {
			t.Errorf("joining again came to %+v, due is position %s", outcome, first)
		}
		second := publish(t, h, room)
		expect(t, l, "reply", delivery(room, first), "reply", delivery(room, second))
		if members := observed.members.Load(); members != 1 {
			t.Errorf("%d members are counted", members)
		}
	})
}

// A join may have read further than the bus has brought. A position behind that one would
// make the member get again, when it continues from there, what it was given.
func TestPositionsDoNotGoBackWhileTheBusLags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, store := startFaulty(t, newBus().Store())
		room, l := newRoom(t, "w", "a"), &listener{}
		start := publish(t, h, room)
		synctest.Wait()
		release := store.holdBack(t)
		missed := publish(t, h, room)
		seating := h.Admit(l)
		joined := join(t, seating, room, start)
		again := join(t, seating, room, event.Position{})
		left := leave(t, seating, room)
		if joined.Position != missed || again.Position != missed || left.Position != missed {
			t.Errorf("joined at %s, again at %s, left at %s; due is %s", joined.Position, again.Position, left.Position, missed)
		}
		release()
		expect(t, l, "reply", delivery(room, missed), "reply", "reply")
	})
}

func TestRoomsThatShareAWireNameDoNotShareMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, observed := startHub(t, "a", newBus().Store())
		awaitReady(t, h)
		one, other := newRoom(t, "a_app_b", "c"), newRoom(t, "a", "b_app_c")
		if one.Name() != other.Name() {
			t.Fatalf("%s and %s are told apart by their names", one.Name(), other.Name())
		}
		inOne, inOther := &listener{}, &listener{}
		join(t, h.Admit(inOne), one, event.Position{})
		join(t, h.Admit(inOther), other, event.Position{})
		toOne, toOther := publish(t, h, one), publish(t, h, other)
		expect(t, inOne, "reply", delivery(one, toOne))
		expect(t, inOther, "reply", delivery(other, toOther))
		if rooms := observed.rooms.Load(); rooms != 2 {
			t.Errorf("%d rooms are counted", rooms)
		}
	})
}

func TestAMemberMayHoldSoManySeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, observed := startHub(t, "a", newBus().Store(), func(o *hub.Options) { o.RoomsPerMember = 2 })
		awaitReady(t, h)
		a, b, c := newRoom(t, "w", "a"), newRoom(t, "w", "b"), newRoom(t, "w", "c")
		l := &listener{}
		seating := h.Admit(l)
		join(t, seating, a, event.Position{})
		join(t, seating, b, event.Position{})
		if outcome := join(t, seating, c, event.Position{}); !errors.Is(outcome.Err, hub.ErrTooManyRooms) {
			t.Errorf("the third join came to %+v", outcome)
		}
		if members := observed.members.Load(); members != 2 {
			t.Errorf("%d members are counted", members)
		}
		// A room already held is none more, and a seat given up makes room.
		if outcome := join(t, seating, a, event.Position{}); outcome.Err != nil {
			t.Errorf("joining again came to %+v", outcome)
		}
		leave(t, seating, a)
		if outcome := join(t, seating, c, event.Position{}); outcome.Err != nil {
			t.Errorf("joining after leaving came to %+v", outcome)
		}
		toC := publish(t, h, c)
		expect(t, l, "reply", "reply", "reply", "reply", "reply", "reply", delivery(c, toC))
	})
}

func TestAMemberThatAsksFasterThanItIsAnsweredIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const roomsPerMember, spare = 2, 16
		h, _, store := startFaulty(t, newBus().Store(), func(o *hub.Options) { o.RoomsPerMember = roomsPerMember })
		release := store.blockReads("top")
		room, l := newRoom(t, "w", "a"), &listener{}
		seating := h.Admit(l)
		outcomes := make(chan hub.Outcome, 1+roomsPerMember+spare)
		ask := func() error { return seating.Join(room, event.Position{}, replyTo(outcomes)) }
		if err := ask(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // it is under way and does not wait any more
		for waiting := range roomsPerMember + spare {
			if err := ask(); err != nil {
				t.Fatalf("with %d waiting: %v", waiting, err)
			}
		}
		if err := ask(); !errors.Is(err, hub.ErrBusy) {
			t.Errorf("one too many: %v", err)
		}
		if err := seating.Leave(room, replyTo(outcomes)); !errors.Is(err, hub.ErrBusy) {
			t.Errorf("a leave too many: %v", err)
		}
		release()
		for range 1 + roomsPerMember + spare {
			if outcome := receive(t, outcomes); outcome.Err != nil {
				t.Errorf("a request came to %+v", outcome)
			}
		}
		synctest.Wait()
		if err := ask(); err != nil {
			t.Errorf("when all was answered: %v", err)
		}
	})
}

func TestReleaseFreesAllSeatsEvenWhileAJoinWaitsForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, observed, store := startFaulty(t, newBus().Store())
		room, l := newRoom(t, "w", "a"), &listener{}
		seating := h.Admit(l)
		join(t, seating, newRoom(t, "w", "held"), event.Position{})
		release := store.blockReads("range")
		defer release()
		for range 3 { // one under way, two waiting
			if err := seating.Join(room, publish(t, h, room), replyTo(make(chan hub.Outcome, 1))); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if members := observed.members.Load(); members != 2 {
			t.Fatalf("%d members are counted before", members)
		}

		seating.Release(false)
		synctest.Wait()
		if rooms, members := observed.rooms.Load(), observed.members.Load(); rooms != 0 || members != 0 {
			t.Errorf("%d rooms and %d members are left", rooms, members)
		}
		if ranges := store.ranges.Load(); ranges != 1 {
			t.Errorf("%d reads were begun, though nobody waited for the others", ranges)
		}
		if err := seating.Join(room, event.Position{}, replyTo(make(chan hub.Outcome, 1))); err != nil {
			t.Errorf("asking after the release: %v", err)
		}
		seating.Release(false) // once more does nothing
		synctest.Wait()
		if members := observed.members.Load(); members != 0 {
			t.Errorf("%d members were seated after the release", members)
		}
	})
}

func TestJoinBeforeTheChannelIsHeardWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFaultyStore(newBus().Store())
		store.onRead(func(context.Context, string) error { return errors.New("connection refused") })
		h, _ := startHub(t, "a", store)
		room, l := newRoom(t, "w", "a"), &listener{}
		outcomes := make(chan hub.Outcome, 1)
		if err := h.Admit(l).Join(room, event.Position{}, replyTo(outcomes)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // of the bubble: the store is asked again and again
		expect(t, l)

		store.onRead(nil)
		if outcome := receive(t, outcomes); outcome.Err != nil {
			t.Fatalf("the join came to %+v", outcome)
		}
		awaitReady(t, h)
		expect(t, l, "reply", delivery(room, publish(t, h, room)))
	})
}

func TestJoinGivesUpWaitingForTheChannelInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFaultyStore(newBus().Store())
		store.onRead(func(context.Context, string) error { return errors.New("connection refused") })
		h, observed := startHub(t, "a", store, func(o *hub.Options) { o.RequestTimeout = 2 * time.Second })
		began := time.Now()
		outcome := join(t, h.Admit(&listener{}), newRoom(t, "w", "a"), event.Position{})
		if !errors.Is(outcome.Err, hub.ErrUnavailable) || time.Since(began) != 2*time.Second {
			t.Errorf("after %s the join came to %+v", time.Since(began), outcome)
		}
		synctest.Wait()
		if members := observed.members.Load(); members != 0 {
			t.Errorf("%d members are counted", members)
		}
	})
}

func TestJoinsAtOnceShareReadsOfTheTop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const joins = 50
		h, _, store := startFaulty(t, newBus().Store())
		room := newRoom(t, "w", "a")
		release := store.blockReads("top")
		before := store.tops.Load()
		outcomes := make(chan hub.Outcome, joins)
		for range joins {
			if err := h.Admit(&listener{}).Join(room, event.Position{}, replyTo(outcomes)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		newest := publish(t, h, room)
		release()
		for range joins {
			if outcome := receive(t, outcomes); outcome != (hub.Outcome{Position: newest}) {
				t.Errorf("a join came to %+v, due is position %s", outcome, newest)
			}
		}
		// The first to come reads for those who were there by then; the next for the rest.
		if read := store.tops.Load() - before; read > 2 {
			t.Errorf("%d joins read the top %d times", joins, read)
		}
	})
}

func TestStopBreaksOffWhatWaitsForTheStore(t *testing.T) {
	for _, kind := range []string{"top", "range"} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, _, store := startFaulty(t, newBus().Store())
				room := newRoom(t, "w", "a")
				known := publish(t, h, room)
				store.blockReads(kind)
				outcomes := make(chan hub.Outcome, 3)
				for range cap(outcomes) {
					if err := h.Admit(&listener{}).Join(room, known, replyTo(outcomes)); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				began := time.Now()
				h.Stop()
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("stopping waited %s for the store", took)
				}
				for range cap(outcomes) {
					if outcome := receive(t, outcomes); !errors.Is(outcome.Err, hub.ErrUnavailable) {
						t.Errorf("a join came to %+v", outcome)
					}
				}
			})
		})
	}
}

func TestJoinThatTheStoreFailsFreesItsSeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, observed, store := startFaulty(t, newBus().Store())
		other, room, l := newRoom(t, "w", "other"), newRoom(t, "w", "a"), &listener{}
		seating := h.Admit(l)
		join(t, seating, other, event.Position{})

		fail := make(chan struct{})
		store.onRead(func(context.Context, string) error { <-fail; return errors.New("connection reset") })
		outcomes := make(chan hub.Outcome, 1)
		if err := seating.Join(room, event.Position{}, replyTo(outcomes)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		toOther, toRoom := publish(t, h, other), publish(t, h, room)
		expect(t, l, "reply") // the event waits for the answer to the join
		close(fail)
		if outcome := receive(t, outcomes); !errors.Is(outcome.Err, hub.ErrUnavailable) {
			t.Errorf("the join came to %+v", outcome)
		}
		expect(t, l, "reply", "reply", delivery(other, toOther))
		if rooms, members := observed.rooms.Load(), observed.members.Load(); rooms != 1 || members != 1 {
			t.Errorf("%d rooms and %d members are left", rooms, members)
		}

		store.onRead(nil)
		if outcome := join(t, seating, room, event.Position{}); outcome != (hub.Outcome{Position: toRoom}) {
			t.Errorf("the next join came to %+v, due is position %s", outcome, toRoom)
		}
		expect(t, l, "reply", "reply", delivery(other, toOther), "reply", delivery(room, publish(t, h, room)))
	})
}
