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

// Who may write a session's record when the store may have lost the claim by another.

// An instance that holds a connection which its client has given up, and has missed the word of
// the claim, writes its older record into a store that has lost the later one.
func TestTheRecordOfAConnectionGivenUpContinuesNobodyAfterALoss(t *testing.T) {
	for name, crashes := range map[string]bool{"its instance notes the end": false, "its instance is gone": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := newBus()
				forA, forB := newFaultyStore(bus.Store()), newFaultyStore(bus.Store())
				a, b := twoHubsOver(t, forA, forB)
				one, two := newRoom(t, "w", "one"), newRoom(t, "w", "two")
				v := open(t, a, hub.Opening{})
				join(t, v.seating, one, event.Position{})
				synctest.Wait()
				forA.setDeaf(true)
				held := v.again(t, b)
				join(t, held.seating, two, event.Position{})
				if crashes {
					b.Stop()
				} else {
					forB.holdBack(t)
				}
				bus.Wipe()
				forA.setDeaf(false)
				time.Sleep(10 * time.Second) // of the bubble: a has written its record again
				if !crashes {
					held.lose()
				}
				back := held.again(t, a)
				missed := publish(t, bus.Store(), two)
				synctest.Wait()
				if back.welcome().recovered && !slices.Contains(back.heard(), delivery(two, missed)) {
					t.Errorf("continued without a room, and heard %q", back.heard())
				}
			})
		})
	}
}

// So does a join that it reads late from that connection.
func TestAJoinFromAConnectionThatWasGivenUpIsRefusedAfterALoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newBus()
		forA := newFaultyStore(bus.Store())
		a, b := twoHubsOver(t, forA, bus.Store())
		one, two := newRoom(t, "w", "one"), newRoom(t, "w", "two")
		v := open(t, a, hub.Opening{})
		join(t, v.seating, one, event.Position{})
		synctest.Wait()
		forA.setDeaf(true)
		held := v.again(t, b)
		join(t, held.seating, two, event.Position{})
		synctest.Wait()
		b.Stop()
		bus.Wipe()
		late := make(chan hub.Outcome, 1)
		if err := v.seating.Join(newRoom(t, "w", "three"), event.Position{}, replyTo(late)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second) // of the bubble, longer than anybody waits for the client
		if outcome := receive(t, late); outcome.Err == nil {
			t.Error("joined")
		}
		forA.setDeaf(false)
		if back := held.again(t, a); back.welcome().recovered {
			t.Errorf("continued by the record of a connection that was given up, and heard %q", back.heard())
		}
	})
}

// In another epoch a join waits until its client has shown that it is there.
func TestAJoinInAnEpochNotHeardOfYetIsWholeAndRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newBus()
		h, _, store := startFaulty(t, bus.Store())
		one, two := newRoom(t, "w", "one"), newRoom(t, "w", "two")
		v := open(t, h, hub.Opening{})
		join(t, v.seating, one, event.Position{})
		synctest.Wait()
		top, err := bus.Store().Top(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		release := store.holdBack(t)
		bus.Succeed(top.Sequence)
		answer := make(chan hub.Outcome, 1)
		if err := v.seating.Join(two, event.Position{}, replyTo(answer)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		release()
		if outcome := receive(t, answer); outcome.Err != nil {
			t.Fatal(outcome.Err)
		}
		synctest.Wait()
		v.lose()
		inOne, inTwo := publish(t, h, one), publish(t, h, two)
		expect(t, &v.again(t, h).listener, "reply", delivery(one, inOne), delivery(two, inTwo))
	})
}

// expectNoSilence checks that a client that came back is either told that it begins anew, or
// gets what is published in a room that it has joined.
func expectNoSilence(t *testing.T, back *guest, by publisher, room event.Room) {
	t.Helper()
	missed := publish(t, by, room)
	synctest.Wait()
	if back.welcome().recovered && !slices.Contains(back.heard(), delivery(room, missed)) {
		t.Errorf("continued without a room, and heard %q", back.heard())
	}
}

// A client may move, after it has shown that it is here, to an instance that is still on the
// old master.
func TestAClaimAtTheOldMasterIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, promoted := newBus(), newBus()
		forA, forB := &turning{Store: old.Store()}, &turning{Store: old.Store()}
		a, b := twoHubsOver(t, forA, forB)
		one, two := newRoom(t, "w", "one"), newRoom(t, "w", "two")
		v := open(t, a, hub.Opening{})
		join(t, v.seating, one, event.Position{})
		synctest.Wait()
		forA.turnTo(promoted.Store())
		time.Sleep(time.Second) // of the bubble: a has written the record there
		held := v.again(t, b)
		join(t, held.seating, two, event.Position{})
		synctest.Wait()
		held.mu.Lock()
		held.gone = true
		held.mu.Unlock()
		forB.turnTo(promoted.Store())
		synctest.Wait()
		held.lose()
		expectNoSilence(t, held.again(t, a), promoted.Store(), two)
	})
}

// turning is a store of one master, and then of another.
type turning struct {
	hub.Store // at the beginning

	mu     sync.Mutex
	next   hub.Store
	cancel context.CancelFunc
}

func (s *turning) turnTo(next hub.Store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = next
	s.cancel()
}

func (s *turning) present() hub.Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != nil {
		return s.next
	}
	return s.Store
}

func (s *turning) Follow(ctx context.Context, sink event.Sink) error {
	for ctx.Err() == nil {
		following, cancel := context.WithCancel(ctx)
		s.mu.Lock()
		s.cancel = cancel
		s.mu.Unlock()
		_ = s.present().Follow(following, sink)
		cancel()
	}
	return nil
}

func (s *turning) Beat(ctx context.Context, instance string, sent time.Duration) error {
	return s.present().Beat(ctx, instance, sent)
}

func (s *turning) Top(ctx context.Context) (event.Top, error) { return s.present().Top(ctx) }

func (s *turning) Enter(ctx context.Context, record event.Record, room event.Room, number uint64) (event.Top, error) {
	return s.present().Enter(ctx, record, room, number)
}

func (s *turning) Restore(ctx context.Context, record event.Record) error {
	return s.present().Restore(ctx, record)
}

func (s *turning) Part(ctx context.Context, tenancy event.Tenancy, left bool, window time.Duration) error {
	return s.present().Part(ctx, tenancy, left, window)
}

func (s *turning) Claim(ctx context.Context, claim event.Claim) (event.Record, event.Top, error) {
	return s.present().Claim(ctx, claim)
}

// A client that has left for good, and connects again with the private id it still has.
func TestAJoinReadLateBringsNoSessionBackThatWasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newBus()
		forA := newFaultyStore(bus.Store())
		a, b := twoHubsOver(t, forA, bus.Store())
		one, two := newRoom(t, "w", "one"), newRoom(t, "w", "two")
		v := open(t, a, hub.Opening{})
		join(t, v.seating, one, event.Position{})
		synctest.Wait()
		forA.setDeaf(true)
		held := v.again(t, b)
		join(t, held.seating, two, event.Position{})
		synctest.Wait()
		held.seating.Release(true)
		synctest.Wait()
		if err := v.seating.Join(newRoom(t, "w", "three"), event.Position{}, replyTo(make(chan hub.Outcome, 1))); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if closings := v.closings(); len(closings) != 1 {
			t.Errorf("a connection that was given up was closed %d times", len(closings))
		}
		forA.setDeaf(false)
		expectNoSilence(t, held.again(t, a), bus.Store(), two)
	})
}

// slowBeats makes heartbeats take a round trip, as Redis does.
type slowBeats struct{ hub.Store }

func (s slowBeats) Beat(ctx context.Context, instance string, sent time.Duration) error {
	time.Sleep(time.Millisecond) // of the bubble
	return s.Store.Beat(ctx, instance, sent)
}

// However long the store was away: the instance counts as deaf until its next heartbeat.
func TestRecordsAreWrittenAgainAfterALongAbsence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newBus()
		h, _, store := startFaulty(t, slowBeats{bus.Store()})
		room := newRoom(t, "w", "a")
		v := open(t, h, hub.Opening{})
		join(t, v.seating, room, event.Position{})
		synctest.Wait()
		store.setDeaf(true)
		time.Sleep(20 * time.Second) // of the bubble
		bus.Wipe()
		store.setDeaf(false)
		time.Sleep(10 * time.Second)
		v.lose()
		if back := v.again(t, h); !back.welcome().recovered {
			t.Error("the record was not written again")
		}
	})
}

// slowly is a client that answers a probe after a delay, if there was none since.
func slowly(delay time.Duration) func(alive func()) {
	var mu sync.Mutex
	latest := 0
	return func(alive func()) {
		mu.Lock()
		defer mu.Unlock()
		latest++
		number := latest
		time.AfterFunc(delay, func() {
			mu.Lock()
			defer mu.Unlock()
			if number == latest {
				go alive()
			}
		})
	}
}

// The sign of life that a join has waited for in vain still serves the record.
func TestAJoinThatGivesUpDoesNotKeepTheRecordFromBeingWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newBus()
		h, _, _ := startFaulty(t, bus.Store())
		one, two := newRoom(t, "w", "one"), newRoom(t, "w", "two")
		v := open(t, h, hub.Opening{Probe: slowly(2500 * time.Millisecond)})
		join(t, v.seating, one, event.Position{})
		synctest.Wait()
		bus.Wipe()
		synctest.Wait()
		if outcome := join(t, v.seating, two, event.Position{}); outcome.Err == nil {
			t.Fatal("joined before the client has shown that it is there")
		}
		time.Sleep(10 * time.Second) // of the bubble
		v.lose()
		if back := v.again(t, h); !back.welcome().recovered {
			t.Error("the record was not written again")
		}
	})
}

// Clerks are few, and serve everybody.
func TestSlowClientsDoNotKeepOthersFromJoining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newBus()
		h, _, _ := startFaulty(t, bus.Store())
		one, two := newRoom(t, "w", "one"), newRoom(t, "w", "two")
		var slow []*guest
		for range 640 {
			v := open(t, h, hub.Opening{Probe: slowly(time.Second)})
			join(t, v.seating, one, event.Position{})
			slow = append(slow, v)
		}
		synctest.Wait()
		bus.Wipe()
		for _, v := range slow {
			if err := v.seating.Join(two, event.Position{}, replyTo(make(chan hub.Outcome, 1))); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		join(t, h.Admit(&listener{}), one, event.Position{})
		if waited := time.Since(began); waited > time.Second { // of the bubble
			t.Errorf("a join took %v", waited)
		}
	})
}
