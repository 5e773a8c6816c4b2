package hub_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
)

func TestEventsOfOtherRoomsWaitForAJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, store := startFaulty(t, newBus().Store())
		other, room, l := newRoom(t, "w", "other"), newRoom(t, "w", "a"), &listener{}
		seating := h.Admit(l)
		join(t, seating, other, event.Position{})
		release := store.blockReads("top")
		outcomes := make(chan hub.Outcome, 1)
		if err := seating.Join(room, event.Position{}, replyTo(outcomes)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		first := publish(t, h, other)
		covered := publish(t, h, room) // the top is read after it
		second := publish(t, h, other)
		expect(t, l, "reply")

		release()
		if outcome := receive(t, outcomes); outcome.Position != second {
			t.Errorf("the join answers %s, though %s of %s is not delivered any more", outcome.Position, covered, room)
		}
		// Up to the position in the answer they come before it.
		expect(t, l, "reply", delivery(other, first), delivery(other, second), "reply")
		third := publish(t, h, room)
		expect(t, l, "reply", delivery(other, first), delivery(other, second), "reply", delivery(room, third))
	})
}

// One offset stands for all rooms of a session: what was held for the joined room and for
// the others comes in the order of the sequence.
func TestHeldEventsOfAllRoomsKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, store := startFaulty(t, newBus().Store())
		other, room, l := newRoom(t, "w", "other"), newRoom(t, "w", "a"), &listener{}
		seating := h.Admit(l)
		start := join(t, seating, other, event.Position{}).Position
		release := store.blockReads("range")
		outcomes := make(chan hub.Outcome, 1)
		if err := seating.Join(room, start, replyTo(outcomes)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		due := []string{"reply", "reply"}
		for i := range 6 {
			r := []event.Room{other, room}[i%2]
			due = append(due, delivery(r, publish(t, h, r)))
		}
		synctest.Wait()
		release()
		receive(t, outcomes)
		expect(t, l, due...)
	})
}

func TestRoundsOverSeveralRoomsKeepTheOrderOfEachMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, store := startFaulty(t, newBus().Store())
		rooms := []event.Room{newRoom(t, "w", "a"), newRoom(t, "w", "b"), newRoom(t, "w", "c")}
		sits := [][]event.Room{{rooms[0]}, {rooms[1]}, {rooms[0], rooms[1]}, rooms, {rooms[2], rooms[0]}, {rooms[1]}}
		members := make([]*listener, len(sits))
		due := make([][]string, len(sits))
		for i, in := range sits {
			members[i] = &listener{}
			seating := h.Admit(members[i])
			for _, room := range in {
				join(t, seating, room, event.Position{})
				due[i] = append(due[i], "reply")
			}
		}
		release := store.holdBack(t)
		for n := range 50 {
			room := rooms[n*n%7%3]
			published := delivery(room, publish(t, h, room))
			for i, in := range sits {
				if slices.Contains(in, room) {
					due[i] = append(due[i], published)
				}
			}
		}
		release()
		for i := range sits {
			expect(t, members[i], due[i]...)
		}
	})
}

// A member that cannot be served while it joins comes back by itself; writing anything
// more to it would hide the hole from it.
func TestAMemberThatGathersTooMuchWhileJoiningIsClosedAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, observed, store := startFaulty(t, newBus().Store(), func(o *hub.Options) { o.HoldBytes = 1000; o.Workers = 1 })
		other, room := newRoom(t, "w", "other"), newRoom(t, "w", "a")
		joining, present := &listener{}, &listener{}
		seating := h.Admit(joining)
		join(t, seating, other, event.Position{})
		join(t, h.Admit(present), other, event.Position{})
		release := store.blockReads("top")
		outcomes := make(chan hub.Outcome, 1)
		if err := seating.Join(room, event.Position{}, replyTo(outcomes)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		due := []string{"reply"}
		for range 3 {
			due = append(due, delivery(other, publishSized(t, h, other, 500)))
			synctest.Wait()
		}
		release()
		receive(t, outcomes)
		due = append(due, delivery(other, publish(t, h, other)))
		leave(t, seating, room)
		expect(t, present, due...)
		expect(t, joining, "reply")
		if closed := joining.closings(); !slices.Equal(closed, []string{"backlog full"}) {
			t.Errorf("the member was closed with %q", closed)
		}
		if closed := present.closings(); len(closed) > 0 {
			t.Errorf("another member was closed with %q", closed)
		}
		if dropped := observed.dropped.Load(); dropped != 4 {
			t.Errorf("%d events are counted as dropped, not 4", dropped)
		}
		seating.Release(false)
		synctest.Wait()
		if members := observed.members.Load(); members != 1 {
			t.Errorf("%d members are left", members)
		}
	})
}

// Workers share nothing: a member that holds its worker up does not hold up another's.
func TestASlowMemberHoldsUpItsOwnWorkerOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := startHub(t, "a", newBus().Store())
		awaitReady(t, h)
		room := newRoom(t, "w", "a")
		slow, sameWorker, otherWorker := &slowListener{}, &listener{}, &listener{}
		join(t, h.Admit(slow), room, event.Position{})
		join(t, h.Admit(otherWorker), room, event.Position{})
		join(t, h.Admit(sameWorker), room, event.Position{})
		goOn := slow.stall(t)
		due := []string{"reply"}
		for range 20 {
			due = append(due, delivery(room, publish(t, h, room)))
		}
		expect(t, otherWorker, due...)
		goOn()
		expect(t, &slow.listener, due...)
		expect(t, sameWorker, due...)
	})
}

// slowListener is a Member whose Send breaks its contract once.
type slowListener struct {
	listener
	stalled chan struct{}
}

func (l *slowListener) stall(t *testing.T) (goOn func()) {
	t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	stalled := make(chan struct{})
	l.stalled = stalled
	return func() { close(stalled) }
}

func (l *slowListener) Send(batch *event.Batch) {
	l.mu.Lock()
	stalled := l.stalled
	l.mu.Unlock()
	if stalled != nil {
		<-stalled
	}
	l.listener.Send(batch)
}
