package hub_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
)

// The missed events of a join are older than what the client has of other rooms. A
// connection lost among them must not be recovered from them, and one lost behind them
// goes on from where the other rooms are.
func TestAJoinWithAPositionDoesNotMoveTheOffsetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := twoHubs(t)
		late, live := newRoom(t, "w", "late"), newRoom(t, "w", "live")
		known := publish(t, a, late)
		publish(t, a, late)
		publish(t, a, late)
		v := open(t, a, hub.Opening{})
		join(t, v.seating, live, event.Position{})
		reached := publish(t, a, live)
		synctest.Wait()
		join(t, v.seating, late, known)
		synctest.Wait()

		events := v.got()
		var offsets []string
		for _, e := range events[len(events)-3:] {
			offset, _ := carriedBy(t, e)
			offsets = append(offsets, offset)
		}
		if want := []string{event.NoRecovery, event.NoRecovery, v.answered(reached, 2)}; !slices.Equal(offsets, want) {
			t.Errorf("answer and missed events carry the offsets %q, want %q", offsets, want)
		}
		v.lose()
		due := []string{"reply", delivery(late, publish(t, b, late)), delivery(live, publish(t, b, live))}
		expect(t, &v.again(t, b).listener, due...)
	})
}

// Nothing has been written yet, and the first thing is a replay: its end must be a place
// that can be continued from.
func TestAFirstJoinWithAPositionLeavesAnOffset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := twoHubs(t)
		room, other := newRoom(t, "w", "a"), newRoom(t, "w", "b")
		known := publish(t, a, room)
		publish(t, a, room)
		publish(t, a, other)
		v := open(t, a, hub.Opening{})
		join(t, v.seating, room, known)
		v.lose()
		back := v.again(t, b)
		if !back.welcome().recovered {
			t.Errorf("with the offset %q: %+v", v.offset(t), back.welcome())
		}
		expect(t, &back.listener, "reply", delivery(room, publish(t, a, room)))
	})
}

// The bus lags. The answer to a join carries the offset for all rooms: it waits until what
// is older has come to the other rooms.
func TestAnAnswerDoesNotMoveTheOffsetPastWhatIsStillToCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, store := startFaulty(t, newBus().Store())
		slow, ahead := newRoom(t, "w", "slow"), newRoom(t, "w", "ahead")
		known := publish(t, h, ahead)
		v := open(t, h, hub.Opening{})
		join(t, v.seating, slow, event.Position{})
		synctest.Wait()
		release := store.holdBack(t)
		older := publish(t, h, slow)
		missed := publish(t, h, ahead)
		if err := v.seating.Join(ahead, known, replyTo(make(chan hub.Outcome, 1))); err != nil {
			t.Fatal(err)
		}
		expect(t, &v.listener, "reply", "reply")
		release()
		expect(t, &v.listener, "reply", "reply", delivery(slow, older), "reply", delivery(ahead, missed))
		if offset, want := v.offset(t), v.answered(missed, 2); offset != want {
			t.Errorf("the block ends with the offset %q, want %q", offset, want)
		}
	})
}

// A client that has not got an answer must ask again, and has to be told so: it may have
// been away from that room for long, and what it is sent now would look as if it went on
// from there.
func TestASessionWithAnAnswerThatGotLostBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := twoHubs(t)
		one, two := newRoom(t, "w", "one"), newRoom(t, "w", "two")
		known := publish(t, a, two)
		publish(t, a, two)
		v := open(t, a, hub.Opening{})
		join(t, v.seating, one, event.Position{})
		synctest.Wait()
		got := len(v.got())
		join(t, v.seating, two, known)
		synctest.Wait()
		for cut := got; cut < len(v.got()); cut++ {
			lost := &guest{admitted: v.welcome()}
			lost.events = v.got()[:cut]
			opening := hub.Opening{PID: lost.pid}
			if at, err := event.ParseOffset(lost.offset(t)); err == nil {
				opening.Offset = at
			} else {
				continue // the gateway does not even look for it
			}
			if back := open(t, b, opening); !unrecovered(back) {
				t.Errorf("recovered with %d of %d packets", cut, len(v.got()))
			}
		}
	})
}

// The official client keeps its offset when it is given another private id. What that says
// about the answers of the former session says nothing about those of the new one.
func TestAnOldOffsetAnswersNoJoinOfANewSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := twoHubs(t)
		room := newRoom(t, "w", "a")
		at := event.Offset{Position: publish(t, a, room), Joins: 1 << 51}
		v := open(t, a, hub.Opening{PID: "unknown", Offset: at})
		synctest.Wait()
		join(t, v.seating, room, event.Position{})
		v.lose()
		if back := open(t, b, hub.Opening{PID: v.welcome().pid, Offset: at}); !unrecovered(back) {
			t.Error("recovered without the answer to its only join")
		}
		expect(t, &v.listener, "reply", "reply")
		if offset := v.offset(t); !strings.HasSuffix(offset, "."+strconv.Itoa(1<<51+1)) {
			t.Errorf("the answer carries %q, want the count to go on from %d", offset, at.Joins)
		}
	})
}

func unrecovered(v *guest) bool {
	synctest.Wait()
	return v.welcome().welcomes == 1 && !v.welcome().recovered
}

// The same question again is answered with the same count: the first answer may be the one
// that got lost.
func TestAnAnswerGivenAgainCountsLikeTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := twoHubs(t)
		room := newRoom(t, "w", "a")
		v := open(t, a, hub.Opening{})
		join(t, v.seating, room, event.Position{})
		live := publish(t, a, room)
		synctest.Wait()
		join(t, v.seating, room, live)
		synctest.Wait()
		if offset, want := v.offset(t), v.answered(live, 1); offset != want {
			t.Errorf("answered with the offset %q, want %q", offset, want)
		}
		expect(t, &v.again(t, b).listener, "reply")
	})
}

// Cut twice among what follows the RESYNC of another room: the first part of it, which has
// been got, still says which answers were.
func TestASecondCutBehindAResyncIsContinued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, _ := startFaulty(t, newLargeBus(3).Store())
		torn, whole := newRoom(t, "w", "torn"), newRoom(t, "w", "whole")
		v := open(t, h, hub.Opening{})
		join(t, v.seating, torn, event.Position{})
		join(t, v.seating, whole, event.Position{})
		synctest.Wait()
		v.lose()
		for range 5 {
			publish(t, h, torn)
		}
		for range 3 {
			publish(t, h, whole)
		}
		back := v.again(t, h)
		for range 2 {
			back.keepToFirstDelivery()
			back.lose()
			if back = back.again(t, h); !back.welcome().recovered {
				t.Fatal("not continued")
			}
		}
	})
}

// keepToFirstDelivery forgets what is behind the first event that is no RESYNC.
func (v *guest) keepToFirstDelivery() {
	v.mu.Lock()
	defer v.mu.Unlock()
	first := slices.IndexFunc(v.events, func(e *event.Event) bool {
		return !e.Position.IsZero() && !strings.HasPrefix(words(e), "RESYNC")
	})
	v.events = v.events[:first+1]
}
