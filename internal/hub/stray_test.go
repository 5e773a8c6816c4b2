package hub_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
)

// A record may name a room too many, when the store has not taken a leave. Its session is
// then continued with that room, from the offset on: not from where the client left it.

func TestARoomLeftInVainIsGivenFromWhereItWasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &refusing{Store: newBus().Store()}
		h, _, _ := startFaulty(t, store)
		left, other := newRoom(t, "w", "left"), newRoom(t, "w", "other")
		v := open(t, h, hub.Opening{})
		join(t, v.seating, left, event.Position{})
		join(t, v.seating, other, event.Position{})
		publish(t, h, left)
		synctest.Wait()
		store.refuse(true)
		at := leave(t, v.seating, left).Position
		missed := publish(t, h, left)
		publish(t, h, other) // its offset is past that
		synctest.Wait()
		v.lose()
		store.refuse(false)
		expectSince(t, v.again(t, h), left, at, missed)
	})
}

func TestARoomJoinedInVainIsGivenFromThePositionAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &refusing{Store: newBus().Store()}
		h, _, store := startFaulty(t, inner)
		room, other := newRoom(t, "w", "a"), newRoom(t, "w", "other")
		known := publish(t, h, room)
		v := open(t, h, hub.Opening{})
		join(t, v.seating, other, event.Position{})
		publish(t, h, other)
		inner.refuse(true)
		store.onWritten(once("enter")) // noted, but the answer is lost
		if outcome := join(t, v.seating, room, known); outcome.Err == nil {
			t.Fatal("joined")
		}
		missed := publish(t, h, room)
		publish(t, h, other)
		synctest.Wait()
		v.lose()
		inner.refuse(false)
		expectSince(t, v.again(t, h), room, known, missed)
	})
}

// expectSince checks that a client that subscribes with a position is given what it missed.
func expectSince(t *testing.T, back *guest, room event.Room, since, missed event.Position) {
	t.Helper()
	if !back.welcome().recovered {
		t.Fatalf("not continued: %+v", back.welcome())
	}
	outcome := join(t, back.seating, room, since)
	synctest.Wait()
	if heard := back.heard(); !slices.Contains(heard, delivery(room, missed)) {
		t.Errorf("joined since %v, recovered %v, and got %q", since, outcome.Recovered, heard)
	}
}

// A client whose joins are all refused must not make more and more of them.
func TestRefusedJoinsDoNotGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &refusing{Store: newBus().Store()}
		h, _, store := startFaulty(t, inner)
		v := open(t, h, hub.Opening{})
		join(t, v.seating, newRoom(t, "w", "a"), event.Position{})
		inner.refuse(true)
		store.onWritten(func(string) error { return errors.New("MISCONF") })
		const joins = 200
		for range joins {
			if outcome := join(t, v.seating, newRoom(t, "w", "b"), event.Position{}); outcome.Err == nil {
				t.Fatal("joined")
			}
		}
		inner.mu.Lock()
		defer inner.mu.Unlock()
		if inner.asked > 2*joins {
			t.Errorf("%d joins that were refused took %d leaves", joins, inner.asked)
		}
	})
}

// It is enough to have heard of no such epoch: nothing has to be read.
func TestASinceOfNobodysEpochReadsNoHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, store := startFaulty(t, newBus().Store())
		room := newRoom(t, "w", "a")
		publish(t, h, room)
		v := open(t, h, hub.Opening{})
		join(t, v.seating, room, event.Position{})
		synctest.Wait()
		before := store.ranges.Load()
		join(t, v.seating, room, event.Position{Epoch: "nobodys", Sequence: 0})
		synctest.Wait()
		if read := store.ranges.Load() - before; read > 0 {
			t.Errorf("%d histories were read", read)
		}
		expect(t, &v.listener, "reply", "reply", "reply", "RESYNC a") // the welcome, two answers
	})
}
