package hub_test

import (
	"cmp"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
	"github.com/roomcast/roomcast/internal/memory"
)

// A client that asks again while what it missed is on its way to it.
func TestWhatAJoinHasBroughtIsNotBroughtByTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, _ := startFaulty(t, newBus().Store())
		room, l := newRoom(t, "w", "a"), &listener{}
		known := publish(t, h, room)
		first, second := publish(t, h, room), publish(t, h, room)
		synctest.Wait()
		seating := h.Admit(l)
		join(t, seating, room, known)
		if outcome := join(t, seating, room, first); !outcome.Recovered {
			t.Errorf("the second answer is %+v", outcome)
		}
		expect(t, l, "reply", delivery(room, first), delivery(room, second), "reply")
	})
}

func TestMissedEventsFollowTheReplyInOneSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, observed := startHub(t, "a", newBus().Store())
		awaitReady(t, h)
		room, l := newRoom(t, "w", "a"), &listener{}
		known := publish(t, h, room)
		first := publish(t, h, room)
		publish(t, h, newRoom(t, "w", "elsewhere"))
		second := publish(t, h, room)

		outcome := join(t, h.Admit(l), room, known)
		if outcome != (hub.Outcome{Position: second, Recovered: true}) {
			t.Errorf("the join came to %+v, due is position %s", outcome, second)
		}
		expect(t, l, "reply", delivery(room, first), delivery(room, second))
		if !slices.Equal(l.sends, []int{3}) {
			t.Errorf("they were written in parts of %d events", l.sends)
		}
		third := publish(t, h, room)
		expect(t, l, "reply", delivery(room, first), delivery(room, second), delivery(room, third))
		if resynced := observed.resynced.Load(); resynced != 0 {
			t.Errorf("%d rooms were resynced", resynced)
		}
	})
}

func TestAMemberThatMissedNothingIsToldSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := startHub(t, "a", newBus().Store())
		awaitReady(t, h)
		room, l := newRoom(t, "w", "a"), &listener{}
		known := publish(t, h, room)
		if outcome := join(t, h.Admit(l), room, known); outcome != (hub.Outcome{Position: known, Recovered: true}) {
			t.Errorf("the join came to %+v", outcome)
		}
		expect(t, l, "reply")
	})
}

// A client that has just been recovered asks again by habit, with a position that is older
// than what is on its way to it. It has all of its stay; only what was before is replayed.
func TestJoiningAgainRepeatsOnlyWhatWasBeforeTheStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, observed := startHub(t, "a", newBus().Store())
		awaitReady(t, h)
		room, l := newRoom(t, "w", "a"), &listener{}
		before := publish(t, h, newRoom(t, "w", "elsewhere"))
		early := publish(t, h, room)
		seating := h.Admit(l)
		known := join(t, seating, room, event.Position{}).Position
		first := publish(t, h, room)
		synctest.Wait()
		if outcome := join(t, seating, room, known); outcome != (hub.Outcome{Position: first, Recovered: true}) {
			t.Errorf("joining again came to %+v", outcome)
		}
		second := publish(t, h, room)
		expect(t, l, "reply", delivery(room, first), "reply", delivery(room, second))

		if outcome := join(t, seating, room, before); outcome != (hub.Outcome{Position: second, Recovered: true}) {
			t.Errorf("joining with a position from before came to %+v", outcome)
		}
		third := publish(t, h, room)
		expect(t, l, "reply", delivery(room, first), "reply", delivery(room, second),
			"reply", delivery(room, early), delivery(room, first), delivery(room, second), delivery(room, third))
		if members := observed.members.Load(); members != 1 {
			t.Errorf("%d members are counted", members)
		}
	})
}

// What cannot be proven complete is answered with one RESYNC, and with nothing of the
// history: half of it would look like all of it.
func TestWhatCannotBeContinuedIsResynced(t *testing.T) {
	nothing := func(*testing.T, *hub.Hub, event.Room) {}
	cases := map[string]struct {
		since  func(known event.Position) event.Position
		missed func(t *testing.T, h *hub.Hub, room event.Room)
		size   int // of a room's history, in events; 1000 if zero
	}{
		"an epoch that nobody knows": {
			since: func(known event.Position) event.Position {
				return event.Position{Epoch: "other", Sequence: known.Sequence}
			},
			missed: nothing,
		},
		"a position that is not reached yet": {
			since:  func(known event.Position) event.Position { known.Sequence += 1000; return known },
			missed: nothing,
		},
		"a history that was trimmed": {
			size: 2,
			missed: func(t *testing.T, h *hub.Hub, room event.Room) {
				for range 3 {
					publish(t, h, room)
				}
			},
		},
		"more than is replayed, in one event": {
			missed: func(t *testing.T, h *hub.Hub, room event.Room) {
				publishSized(t, h, room, 600<<10)
			},
		},
		"more than is replayed, in the second page": {
			missed: func(t *testing.T, h *hub.Hub, room event.Room) {
				publishSized(t, h, room, 400<<10)
				publishSized(t, h, room, 400<<10)
			},
		},
		"more than is replayed, in many pages": {
			missed: func(t *testing.T, h *hub.Hub, room event.Room) {
				for range 9 {
					publishSized(t, h, room, 100<<10)
				}
			},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, observed := startHub(t, "a", newLargeBus(c.size).Store())
				awaitReady(t, h)
				room, l := newRoom(t, "w", "a"), &listener{}
				known := publish(t, h, room)
				c.missed(t, h, room)
				since := known
				if c.since != nil {
					since = c.since(known)
				}
				if outcome := join(t, h.Admit(l), room, since); outcome.Err != nil || outcome.Recovered {
					t.Errorf("the join came to %+v", outcome)
				}
				live := publish(t, h, room)
				expect(t, l, "reply", "RESYNC a", delivery(room, live))
				if resynced := observed.resynced.Load(); resynced != 1 {
					t.Errorf("%d rooms are counted as resynced", resynced)
				}
			})
		})
	}
}

// newLargeBus keeps as many events for each room, however large they are; 1000 if zero.
func newLargeBus(events int) *memory.Bus {
	return memory.NewBus(memory.Options{HistorySize: cmp.Or(events, 1000), HistoryBytes: 16 << 20, HistoryTTL: time.Hour})
}

func TestAsMuchAsIsReplayedIsReplayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := startHub(t, "a", newLargeBus(0).Store())
		awaitReady(t, h)
		room, l := newRoom(t, "w", "a"), &listener{}
		known := publish(t, h, room)
		due := []string{"reply"}
		for range 5 {
			due = append(due, delivery(room, publishSized(t, h, room, 100<<10)))
		}
		if outcome := join(t, h.Admit(l), room, known); !outcome.Recovered {
			t.Errorf("the join came to %+v", outcome)
		}
		expect(t, l, due...)
	})
}

func TestABusThatLagsBehindTheHistoryBringsNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, store := startFaulty(t, newBus().Store())
		room, l := newRoom(t, "w", "a"), &listener{}
		known := publish(t, h, room)
		synctest.Wait()
		release := store.holdBack(t)
		due := []string{"reply"}
		for range 3 {
			due = append(due, delivery(room, publish(t, h, room)))
		}
		join(t, h.Admit(l), room, known)
		due = append(due, delivery(room, publish(t, h, room)))
		release()
		expect(t, l, due...)
	})
}

func TestPositionsOfTheEpochBeforeAreContinued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, observed, store := startFaulty(t, newBus().Store())
		room, l := newRoom(t, "w", "a"), &listener{}
		known := publish(t, h, room)
		missed := publish(t, h, room)
		synctest.Wait()
		store.begin(t, "next", missed)
		published := publish(t, h, room)
		if outcome := join(t, h.Admit(l), room, known); outcome != (hub.Outcome{Position: published, Recovered: true}) {
			t.Errorf("the join came to %+v, due is position %s", outcome, published)
		}
		missed.Epoch = "next" // the history knows the present epoch only
		expect(t, l, "reply", delivery(room, missed), delivery(room, published))
		if resynced := observed.resynced.Load(); resynced != 0 {
			t.Errorf("%d rooms were resynced", resynced)
		}
	})
}

// The epoch may end between the reads of a join: the first said that the position was
// good, but what the second has read is another course of events.
func TestAnEpochThatEndsBetweenTheReadsOfAJoinIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, store := startFaulty(t, newBus().Store())
		room, l := newRoom(t, "w", "a"), &listener{}
		known := publish(t, h, room)
		synctest.Wait()
		release := store.blockReads("range")
		outcomes := make(chan hub.Outcome, 1)
		if err := h.Admit(l).Join(room, known, replyTo(outcomes)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		store.begin(t, "next", event.Position{})
		release()
		if outcome := receive(t, outcomes); outcome.Recovered || outcome.Position.Epoch != "next" {
			t.Errorf("the join came to %+v", outcome)
		}
		expect(t, l, "reply", "RESYNC a")
	})
}
