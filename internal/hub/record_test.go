package hub_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
)

// What a session's record must say whatever becomes of the answers of the store: a session
// is continued in all of its client's rooms, or not at all.

// once is a function for faultyStore.onWritten: the first answer to what is lost.
func once(what string) func(string) error {
	var done sync.Once
	return func(written string) (err error) {
		if written == what {
			done.Do(func() { err = errors.New("connection reset") })
		}
		return err
	}
}

// expectWhole reconnects a client and checks that it either is not continued, or gets what
// is due.
func expectWhole(t *testing.T, v *guest, h *hub.Hub, due ...string) {
	t.Helper()
	back := v.again(t, h)
	if back.welcome().recovered {
		expect(t, &back.listener, append([]string{"reply"}, due...)...)
	}
	back.lose()
}

// Redis has done it, and the client is told that it failed: it stays where it was.
func TestAJoinOfARoomAgainThatFailsKeepsTheStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, store := startFaulty(t, newBus().Store())
		room := newRoom(t, "w", "a")
		before := publish(t, h, room)
		publish(t, h, room)
		v := open(t, h, hub.Opening{})
		join(t, v.seating, room, event.Position{})
		store.onWritten(once("enter"))
		if outcome := join(t, v.seating, room, before); !errors.Is(outcome.Err, hub.ErrUnavailable) {
			t.Fatalf("the join came to %+v", outcome)
		}
		live := publish(t, h, room)
		expect(t, &v.listener, "reply", "reply", "reply", delivery(room, live))
		v.lose()
		missed := publish(t, h, room)
		expectWhole(t, v, h, delivery(room, missed))
	})
}

func TestAJoinOfARoomAgainThatIsCutIsUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, store := startFaulty(t, newBus().Store())
		room := newRoom(t, "w", "a")
		before := publish(t, h, room)
		publish(t, h, room)
		v := open(t, h, hub.Opening{})
		join(t, v.seating, room, event.Position{})
		release := store.blockReads("range")
		if err := v.seating.Join(room, before, replyTo(make(chan hub.Outcome, 1))); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		v.lose()
		release()
		expectWhole(t, v, h, delivery(room, publish(t, h, room)))
	})
}

// The first attempt has begun the stay, the second is answered: with the same beginning, or
// what other rooms had in between would look as if it had come behind the answer.
func TestAnEntryThatIsRepeatedIsAnsweredAtItsBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, store := startFaulty(t, newBus().Store())
		live, room := newRoom(t, "w", "live"), newRoom(t, "w", "a")
		known := publish(t, h, room)
		missed := publish(t, h, room)
		v := open(t, h, hub.Opening{})
		join(t, v.seating, live, event.Position{})
		synctest.Wait()
		var between event.Position
		var again sync.Once
		store.onWritten(func(what string) error {
			again.Do(func() {
				between = publish(t, h, live)
				// As the store itself repeats what was not answered.
				tenancy := event.Tenancy{PID: v.welcome().pid, Generation: 1, SID: "fresh", Instance: "a"}
				_, _ = store.Store.Enter(t.Context(), event.Record{Tenancy: tenancy}, room, uint64(v.opened.UnixMilli())+2)
			})
			return nil
		})
		join(t, v.seating, room, known)
		expect(t, &v.listener, "reply", "reply", "reply", delivery(room, missed), delivery(live, between))
		if offset, _ := carriedBy(t, v.got()[3]); offset != v.answered(missed, 2) {
			t.Errorf("the answer ends with the offset %q, want %q", offset, v.answered(missed, 2))
		}
	})
}

// The history is read after the stay has begun, and is gone: what other rooms had in between
// comes behind the answer that says so.
func TestTheAnswerThatTellsToReloadComesBeforeWhatIsNewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, store := startFaulty(t, newLargeBus(3).Store())
		live, torn := newRoom(t, "w", "live"), newRoom(t, "w", "torn")
		known := publish(t, h, torn)
		for range 5 {
			publish(t, h, torn)
		}
		v := open(t, h, hub.Opening{})
		join(t, v.seating, live, event.Position{})
		synctest.Wait()
		var between event.Position
		meanwhile := sync.OnceFunc(func() { between = publish(t, h, live) })
		store.onRead(func(_ context.Context, what string) error {
			if what == "range" {
				meanwhile()
			}
			return nil
		})
		join(t, v.seating, torn, known)
		expect(t, &v.listener, "reply", "reply", "reply", "RESYNC torn", delivery(live, between))
	})
}

// The member leaves although the store does not answer; the record follows as soon as it can.
func TestALeaveIsMadeUpForInTheRecord(t *testing.T) {
	for name, next := range map[string]func(*testing.T, *guest){
		"with the next room":  func(t *testing.T, v *guest) { join(t, v.seating, newRoom(t, "w", "b"), event.Position{}) },
		"at the end":          func(*testing.T, *guest) {},
		"when it comes again": func(t *testing.T, v *guest) { join(t, v.seating, newRoom(t, "w", "left"), event.Position{}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner := &refusing{Store: newBus().Store()}
				h, _, _ := startFaulty(t, inner)
				left, stays := newRoom(t, "w", "left"), newRoom(t, "w", "stays")
				v := open(t, h, hub.Opening{})
				join(t, v.seating, left, event.Position{})
				join(t, v.seating, stays, event.Position{})
				inner.refuse(true)
				if outcome := leave(t, v.seating, left); outcome.Err != nil {
					t.Errorf("the leave came to %+v", outcome)
				}
				inner.refuse(false)
				next(t, v)
				synctest.Wait()
				v.lose()
				inLeft, inStays := delivery(left, publish(t, h, left)), delivery(stays, publish(t, h, stays))
				due := []string{"reply", inStays}
				if name == "when it comes again" {
					due = []string{"reply", inLeft, inStays}
				}
				expect(t, &v.again(t, h).listener, due...)
			})
		})
	}
}

// refusing is a store that does not take word of leaves for a time.
type refusing struct {
	hub.Store
	mu      sync.Mutex
	refuses bool
	asked   int // to take a leave
}

func (s *refusing) refuse(refuses bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuses = refuses
}

func (s *refusing) Leave(ctx context.Context, tenancy event.Tenancy, room event.Room, number uint64) error {
	s.mu.Lock()
	refuses := s.refuses
	s.asked++
	s.mu.Unlock()
	if refuses {
		return errors.New("connection reset")
	}
	return s.Store.Leave(ctx, tenancy, room, number)
}

// Whoever takes the sequence over may not have the last of a record. Until it was written
// again by the instance that holds the session, nobody is continued by it.
func TestARecordOfAnEpochBeforeIsNotTrusted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newBus()
		a, b := twoHubsOver(t, bus.Store(), bus.Store())
		room := newRoom(t, "w", "a")
		lost, kept := open(t, a, hub.Opening{}), open(t, b, hub.Opening{})
		for _, v := range []*guest{lost, kept} {
			join(t, v.seating, room, event.Position{})
		}
		synctest.Wait()
		a.Stop()
		top, err := bus.Store().Top(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		bus.Succeed(top.Sequence)
		time.Sleep(10 * time.Second) // of the bubble: b has heard of it
		synctest.Wait()
		if back := lost.again(t, b); back.welcome().recovered {
			t.Error("continued by a record that nobody vouches for")
		}
		kept.lose()
		missed := publish(t, b, room)
		expect(t, &kept.again(t, b).listener, "reply", delivery(room, missed))
	})
}

// A store that has lost all gets the records from those who hold the sessions.
func TestRecordsAreWrittenAgainAfterALoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newBus()
		h, _ := startHub(t, "a", bus.Store())
		awaitReady(t, h)
		room := newRoom(t, "w", "a")
		v := open(t, h, hub.Opening{})
		join(t, v.seating, room, event.Position{})
		synctest.Wait()
		bus.Wipe()
		time.Sleep(10 * time.Second) // of the bubble
		expect(t, &v.listener, "reply", "reply", "RESYNC a")
		v.lose()
		missed := publish(t, h, room)
		expect(t, &v.again(t, h).listener, "reply", delivery(room, missed))
	})
}

// An instance that missed the word of a claim, and is asked for nothing, finds out when it
// writes its records again.
func TestWritingARecordAgainClosesWhoHoldsItNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newBus()
		store := newFaultyStore(bus.Store())
		a, b := twoHubsOver(t, store, bus.Store())
		v := open(t, a, hub.Opening{})
		join(t, v.seating, newRoom(t, "w", "a"), event.Position{})
		synctest.Wait()
		store.setDeaf(true)
		v.again(t, b)
		store.setDeaf(false)
		if closings := v.closings(); len(closings) != 0 {
			t.Fatalf("closed %q without a word", closings)
		}
		time.Sleep(7 * time.Hour) // of the bubble
		synctest.Wait()
		if closings := v.closings(); len(closings) != 1 {
			t.Errorf("closed %q", closings)
		}
	})
}

// The word of a later claim may come before the answer to an earlier one.
func TestAClaimThatWasOvertakenIsClosed(t *testing.T) {
	for name, same := range map[string]bool{"by the same instance": true, "by another instance": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := newBus()
				store := newFaultyStore(bus.Store())
				a, b := twoHubsOver(t, store, bus.Store())
				room := newRoom(t, "w", "a")
				v := open(t, b, hub.Opening{})
				join(t, v.seating, room, event.Position{})
				v.lose()
				released := make(chan struct{})
				var first sync.Once
				store.onWritten(func(string) error {
					slow := false
					first.Do(func() { slow = true })
					if slow {
						<-released
					}
					return nil
				})
				early := v.again(t, a)
				late := v.again(t, map[bool]*hub.Hub{true: a, false: b}[same])
				close(released)
				live := publish(t, b, room)
				synctest.Wait()
				if len(early.closings()) != 1 || len(late.closings()) != 0 {
					t.Errorf("closed: the earlier %q, the later %q", early.closings(), late.closings())
				}
				if got := late.heard(); !slices.Contains(got, delivery(room, live)) {
					t.Errorf("the later one got %q", got)
				}
			})
		})
	}
}

// The numbers of a recovered session's joins go on, whatever its client's offset says.
func TestJoinsOfARecoveredSessionAreNumberedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := twoHubs(t)
		one, two, three := newRoom(t, "w", "1"), newRoom(t, "w", "2"), newRoom(t, "w", "3")
		v := open(t, a, hub.Opening{})
		join(t, v.seating, one, event.Position{})
		join(t, v.seating, two, event.Position{})
		publish(t, a, one) // whose offset has no number
		synctest.Wait()
		back := v.again(t, b)
		at := join(t, back.seating, three, event.Position{}).Position
		synctest.Wait()
		if offset, want := back.offset(t), v.answered(at, 3); offset != want {
			t.Errorf("the third join is answered with the offset %q, want %q", offset, want)
		}
	})
}

// A recovered client that subscribes again by habit, while the bus is behind what it was
// sent, keeps its place.
func TestAnAnswerAfterARecoveryDoesNotMoveTheOffsetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, store := startFaulty(t, newBus().Store())
		room := newRoom(t, "w", "a")
		v := open(t, h, hub.Opening{})
		known := join(t, v.seating, room, event.Position{}).Position
		v.lose()
		release := store.holdBack(t)
		missed := publish(t, h, room)
		back := v.again(t, h)
		expect(t, &back.listener, "reply", delivery(room, missed))
		for n, since := range []event.Position{{}, known, missed} {
			join(t, back.seating, room, since)
			synctest.Wait()
			if at, err := event.ParseOffset(back.offset(t)); err != nil || at.Position != missed || at.Joins == 0 {
				t.Errorf("answer %d carries the offset %q, want a place at %s", n, back.offset(t), missed)
			}
		}
		back.lose()
		expect(t, &back.again(t, h).listener, "reply")
		release()
	})
}

// One who was away for long must not make all others read alone.
func TestOneThatWasAwayForLongDoesNotEndTheSharing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, store := startFaulty(t, newLargeBus(0).Store(), func(o *hub.Options) { o.ReplayBytes = 4 << 10 })
		room := newRoom(t, "w", "a")
		first := publish(t, h, room)
		for range 20 {
			publishSized(t, h, room, 1<<10)
		}
		recent := publish(t, h, room)
		missed := publish(t, h, room)
		store.onRead(func(context.Context, string) error {
			time.Sleep(10 * time.Millisecond) // of the bubble: what is not shared takes its time
			return nil
		})
		before := store.ranges.Load()
		outcomes := make(chan hub.Outcome, 50)
		recovered := 0
		for n := range cap(outcomes) {
			since := recent
			if n%25 == 3 {
				since = first
			} else {
				recovered++
			}
			if err := h.Admit(&listener{}).Join(room, since, replyTo(outcomes)); err != nil {
				t.Fatal(err)
			}
		}
		for range cap(outcomes) {
			outcome := receive(t, outcomes)
			if outcome.Recovered {
				recovered--
			}
			if outcome.Position != missed {
				t.Errorf("a join came to %+v", outcome)
			}
		}
		if recovered != 0 {
			t.Errorf("%d of those who were away for a moment had to reload", recovered)
		}
		if read := store.ranges.Load() - before; read > 10 {
			t.Errorf("50 joins read the history %d times", read)
		}
	})
}
