package hub_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
)

func TestASessionIsContinuedOnAnotherInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := twoHubs(t)
		one, two := newRoom(t, "w", "one"), newRoom(t, "w", "two")
		v := open(t, a, hub.Opening{})
		join(t, v.seating, one, event.Position{})
		join(t, v.seating, two, event.Position{})
		first := publish(t, a, one)
		expect(t, &v.listener, "reply", "reply", "reply", delivery(one, first)) // CONNECT, two answers
		v.lose()
		due := []string{"reply"}
		for _, room := range []event.Room{two, one, two} {
			due = append(due, delivery(room, publish(t, a, room)))
		}
		publish(t, a, newRoom(t, "w", "elsewhere"))

		back := v.again(t, b)
		if got, want := back.welcome(), (admitted{v.welcome().sid, v.welcome().pid, true, 1}); got != want {
			t.Errorf("welcomed as %+v, want %+v", got, want)
		}
		expect(t, &back.listener, due...)
		if len(back.sends) != 1 {
			t.Errorf("welcome and missed events came in %d parts", len(back.sends))
		}
		due = append(due, delivery(two, publish(t, a, two)), delivery(one, publish(t, a, one)))
		expect(t, &back.listener, due...)
	})
}

// A client that has got no update yet stands at its answers.
func TestASessionWithoutUpdatesIsContinuedFromItsJoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := twoHubs(t)
		one, two := newRoom(t, "w", "one"), newRoom(t, "w", "two")
		v := open(t, a, hub.Opening{})
		publish(t, a, two)
		join(t, v.seating, one, event.Position{})
		v.lose()
		missed := publish(t, a, one)
		back := v.again(t, b)
		expect(t, &back.listener, "reply", delivery(one, missed))
	})
}

// Wherever the connection is lost within welcome, missed and live events, the next one goes
// on exactly there.
func TestAReplayThatIsCutGoesOnWhereItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := twoHubs(t)
		rooms := []event.Room{newRoom(t, "w", "one"), newRoom(t, "w", "two"), newRoom(t, "w", "three")}
		v := open(t, a, hub.Opening{})
		for _, room := range rooms {
			join(t, v.seating, room, event.Position{})
		}
		v.lose()
		var due []uint64
		for n := range 12 {
			due = append(due, publish(t, a, rooms[n*n%len(rooms)]).Sequence)
		}
		var got []uint64
		holder := v
		for len(got) < len(due) {
			back := holder.again(t, []*hub.Hub{a, b}[len(got)%2])
			if !back.welcome().recovered {
				t.Fatalf("not recovered with %d of %d", len(got), len(due))
			}
			events := back.got()
			if cut := 3; len(events) > cut { // the rest is lost on the way
				back.mu.Lock()
				back.events = events[:cut]
				back.mu.Unlock()
			}
			got = append(got, back.sequences()...)
			back.lose()
			holder = back
		}
		if !slices.Equal(got, due) {
			t.Errorf("got %d, due are %d", got, due)
		}
	})
}

func TestWhatIsNoSessionBeginsAnother(t *testing.T) {
	const window = 10 * time.Second
	cases := map[string]struct {
		change func(*hub.Opening)
		after  time.Duration // since the loss
		left   bool
	}{
		"an unknown private id":     {change: func(o *hub.Opening) { o.PID = "unknown" }},
		"a private id of no form":   {change: func(o *hub.Opening) { o.PID = "<script>" }},
		"another subject":           {change: func(o *hub.Opening) { o.Subject = "somebody else" }},
		"lost too long ago":         {after: window + time.Second},
		"left by the client itself": {left: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := twoHubs(t, func(o *hub.Options) { o.RecoveryWindow = window })
				room := newRoom(t, "w", "a")
				v := open(t, a, hub.Opening{})
				join(t, v.seating, room, event.Position{})
				synctest.Wait()
				joined, err := event.ParseOffset(v.offset(t))
				if err != nil {
					t.Fatal(err)
				}
				v.seating.Release(c.left)
				synctest.Wait()
				time.Sleep(c.after) // of the bubble
				publish(t, b, room)
				opening := hub.Opening{PID: v.welcome().pid, Offset: joined}
				if c.change != nil {
					c.change(&opening)
				}
				back := open(t, b, opening)
				expect(t, &back.listener, "reply")
				got := back.welcome()
				if got.recovered || got.pid == v.welcome().pid || got.pid == "" || got.sid != "fresh" {
					t.Errorf("welcomed as %+v", got)
				}
				// The new one works like any.
				join(t, back.seating, room, event.Position{})
				expect(t, &back.listener, "reply", "reply", delivery(room, publish(t, b, room)))
			})
		})
	}
}

// Within the window the time of the loss counts, not that of the last change.
func TestASessionThatRestedForLongIsContinued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := twoHubs(t, func(o *hub.Options) { o.RecoveryWindow = 5 * time.Second })
		room := newRoom(t, "w", "a")
		v := open(t, a, hub.Opening{})
		join(t, v.seating, room, event.Position{})
		time.Sleep(30 * time.Hour) // of the bubble; longer than a record lives untouched
		a.Stop()                   // like a crash: nobody tells the store of the loss
		time.Sleep(4 * time.Second)
		missed := publish(t, b, room)
		back := v.again(t, b)
		if !back.welcome().recovered {
			t.Errorf("welcomed as %+v", back.welcome())
		}
		expect(t, &back.listener, "reply", delivery(room, missed))
	})
}

func TestASessionThatMissedMoreThanIsReplayedBeginsAnew(t *testing.T) {
	for name, sizes := range map[string][]int{
		"in one event": {600 << 10},
		"in two rooms": {300 << 10, 300 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := newLargeBus(0)
				h, observed := startHub(t, "a", bus.Store())
				awaitReady(t, h)
				rooms := []event.Room{newRoom(t, "w", "one"), newRoom(t, "w", "two")}
				v := open(t, h, hub.Opening{})
				for _, room := range rooms {
					join(t, v.seating, room, event.Position{})
				}
				v.lose()
				for n, size := range sizes {
					publishSized(t, h, rooms[n], size)
				}
				back := v.again(t, h)
				expect(t, &back.listener, "reply")
				if got := back.welcome(); got.recovered || got.pid == v.welcome().pid {
					t.Errorf("welcomed as %+v", got)
				}
				if asked := observed.asked(); asked["too_much"] != 1 {
					t.Errorf("counted as %v", asked)
				}
				// There is no second answer to the same question.
				if again := v.again(t, h); again.welcome().recovered {
					t.Error("a session that was given up came back")
				}
				if members := observed.members.Load(); members != 0 {
					t.Errorf("%d seats are left", members)
				}
			})
		})
	}
}

// One room that cannot be continued costs the others nothing. It is told first, and counts
// as joined anew: a client that is cut off before it has that is not continued, one that is
// cut off behind it is not told again, nor sent what is older.
func TestOneRoomThatCannotBeContinuedIsToldFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, observed := startHub(t, "a", newLargeBus(3).Store())
		awaitReady(t, h)
		quiet, busy := newRoom(t, "w", "quiet"), newRoom(t, "w", "busy")
		v := open(t, h, hub.Opening{})
		join(t, v.seating, quiet, event.Position{})
		join(t, v.seating, busy, event.Position{})
		publish(t, h, quiet)
		synctest.Wait()
		v.lose()
		missed := []string{delivery(quiet, publish(t, h, quiet))}
		for range 4 {
			publish(t, h, busy)
		}
		missed = append(missed, delivery(quiet, publish(t, h, quiet)))
		back := v.again(t, h)
		expect(t, &back.listener, "reply", "RESYNC busy", missed[0], missed[1])
		if !back.welcome().recovered {
			t.Error("the session was not recovered for one room's sake")
		}
		if resynced := observed.resynced.Load(); resynced != 1 {
			t.Errorf("%d rooms are counted as resynced", resynced)
		}

		for cut, due := range map[int][]string{2: {"reply", missed[0], missed[1]}, 3: {"reply", missed[1]}, 4: {"reply"}} {
			part := &guest{admitted: back.welcome()}
			part.events = back.got()[:cut]
			third := part.again(t, h)
			expect(t, &third.listener, due...)
			third.lose()
		}
		part := &guest{admitted: back.welcome()}
		part.events = append(v.got(), back.got()[:1]...)
		if third := part.again(t, h); third.welcome().recovered {
			t.Error("recovered without the word that it must reload")
		}
	})
}

// A new private id would make the client forget its session: while the store cannot say,
// it gets no answer and tries again.
func TestWhileTheStoreCannotSayNobodyIsWelcomed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, observed, store := startFaulty(t, newBus().Store())
		room := newRoom(t, "w", "a")
		v := open(t, h, hub.Opening{})
		join(t, v.seating, room, event.Position{})
		v.lose()
		missed := publish(t, h, room)
		synctest.Wait()
		store.onRead(func(context.Context, string) error { return errors.New("connection reset") })
		turned := v.again(t, h)
		expect(t, &turned.listener)
		if closings := turned.closings(); len(closings) != 1 {
			t.Errorf("closed %q", closings)
		}
		turned.lose()
		if asked := observed.asked(); asked["unavailable"] != 1 {
			t.Errorf("counted as %v", asked)
		}
		store.onRead(nil)
		back := v.again(t, h)
		expect(t, &back.listener, "reply", delivery(room, missed))
	})
}

func TestADeafHubWelcomesNoFormerSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, store := startFaulty(t, newBus().Store())
		v := open(t, h, hub.Opening{})
		join(t, v.seating, newRoom(t, "w", "a"), event.Position{})
		v.lose()
		store.setDeaf(true)
		time.Sleep(20 * time.Second) // of the bubble: four heartbeats
		turned := v.again(t, h)
		expect(t, &turned.listener)
		if closings := turned.closings(); len(closings) != 1 {
			t.Errorf("closed %q", closings)
		}
	})
}

// The server may take long to notice that a connection is dead. Its client is elsewhere by
// then: the old one closes and leaves the record alone.
func TestAClaimedSessionClosesItsFormerConnection(t *testing.T) {
	for name, same := range map[string]bool{"on the same instance": true, "on another instance": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := twoHubs(t)
				if same {
					b = a
				}
				room := newRoom(t, "w", "a")
				v := open(t, a, hub.Opening{})
				join(t, v.seating, room, event.Position{})
				publish(t, a, room)
				synctest.Wait()
				back := v.again(t, b)
				if closings := v.closings(); len(closings) == 0 {
					t.Error("the former connection stays open")
				}
				v.lose() // as its transport tells, later
				live := publish(t, a, room)
				expect(t, &back.listener, "reply", delivery(room, live))
				back.lose()
				if third := back.again(t, a); !third.welcome().recovered {
					t.Error("the former connection has ended the session")
				}
			})
		})
	}
}

// An instance that missed the word of a claim finds out with the next change.
func TestAChangeOfAClaimedSessionClosesItsFormerConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newBus()
		store := newFaultyStore(bus.Store())
		a, b := twoHubsOver(t, store, bus.Store())
		room := newRoom(t, "w", "a")
		v := open(t, a, hub.Opening{})
		join(t, v.seating, room, event.Position{})
		store.setDeaf(true)
		v.again(t, b)
		if closings := v.closings(); len(closings) != 0 {
			t.Fatalf("closed %q without a word", closings)
		}
		if err := v.seating.Leave(room, replyTo(make(chan hub.Outcome, 1))); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if closings := v.closings(); len(closings) != 1 {
			t.Errorf("closed %q", closings)
		}
	})
}

// What was left is not continued, and what was joined again only from there.
func TestASessionIsContinuedInItsRooms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := twoHubs(t)
		left, again := newRoom(t, "w", "left"), newRoom(t, "w", "again")
		v := open(t, a, hub.Opening{})
		join(t, v.seating, left, event.Position{})
		join(t, v.seating, again, event.Position{})
		leave(t, v.seating, left)
		leave(t, v.seating, again)
		publish(t, a, again) // of the time without it
		join(t, v.seating, again, event.Position{})
		v.lose()
		publish(t, a, left)
		missed := publish(t, a, again)
		back := v.again(t, b)
		expect(t, &back.listener, "reply", delivery(again, missed))
	})
}

// A hole that cannot be filled in all of a member's rooms: its offset could not say that it
// was told of the one and has yet to get the other. It is closed, and gets both when it
// comes back. A member without other rooms is told at once.
func TestARepairTellsWhoeverItCanTellAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, store := startFaulty(t, newLargeBus(3).Store())
		whole, torn, gone := newRoom(t, "w", "whole"), newRoom(t, "w", "torn"), newRoom(t, "w", "gone")
		v, alone := open(t, h, hub.Opening{}), open(t, h, hub.Opening{})
		for _, room := range []event.Room{whole, torn, gone} {
			join(t, v.seating, room, event.Position{})
		}
		for _, room := range []event.Room{torn, gone} {
			join(t, alone.seating, room, event.Position{})
		}
		publish(t, h, whole)
		synctest.Wait()
		had := len(v.got())
		store.lose(everything)
		for range 4 {
			publish(t, h, torn)
			publish(t, h, gone)
		}
		missed := publish(t, h, whole)
		synctest.Wait()
		store.lose(nil)
		live := publish(t, h, whole)
		synctest.Wait()

		if closings := v.closings(); len(closings) != 1 {
			t.Errorf("closed %q", closings)
		}
		part := &guest{admitted: v.welcome()} // nothing comes over a closed connection
		part.events = v.got()[:had]
		back := part.again(t, h)
		expect(t, &back.listener, "reply", "RESYNC gone", "RESYNC torn", delivery(whole, missed), delivery(whole, live))

		told := alone.got()[3:]
		if len(told) != 2 || len(alone.closings()) != 0 {
			t.Fatalf("got %q, closed %q", alone.heard(), alone.closings())
		}
		if offset, _ := carriedBy(t, told[0]); offset != event.NoRecovery {
			t.Errorf("with half of its RESYNCs the client has the offset %q", offset)
		}
		alone.lose()
		expect(t, &alone.again(t, h).listener, "reply")
	})
}

// A client that says much before it was welcomed gets no answer before that, and is closed
// where the answers would be too many.
func TestNothingIsWrittenBeforeTheWelcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, store := startFaulty(t, newBus().Store())
		v := open(t, h, hub.Opening{})
		join(t, v.seating, newRoom(t, "w", "a"), event.Position{})
		v.lose()
		release := store.blockReads("top")
		defer release()
		back := v.again(t, h)
		for n := range 100 {
			if err := back.seating.Answer(event.NewReply("refused", []byte("{}"))); err != nil {
				t.Errorf("answer %d: %v", n, err)
			}
		}
		expect(t, &back.listener)
		if closings := back.closings(); len(closings) == 0 {
			t.Error("100 answers waited for a welcome")
		}
	})
}

// A join whose answer could not be given is not in the session.
func TestAFailedJoinIsNotContinued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, store := startFaulty(t, newBus().Store())
		good, bad := newRoom(t, "w", "good"), newRoom(t, "w", "bad")
		known := publish(t, h, bad)
		v := open(t, h, hub.Opening{})
		join(t, v.seating, good, event.Position{})
		store.onRead(func(_ context.Context, what string) error {
			if what == "range" {
				return errors.New("connection reset")
			}
			return nil
		})
		if outcome := join(t, v.seating, bad, known); !errors.Is(outcome.Err, hub.ErrUnavailable) {
			t.Errorf("the join came to %+v", outcome)
		}
		store.onRead(nil)
		v.lose()
		publish(t, h, bad)
		missed := publish(t, h, good)
		expect(t, &v.again(t, h).listener, "reply", delivery(good, missed))
	})
}
