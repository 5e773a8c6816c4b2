package hub_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
)

// Sleeping passes the time of the bubble: it is exact and takes none.

// A hub is ready when it has heard its own heartbeat, not when its store answers.
func TestAHubIsReadyOnceItHearsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFaultyStore(newBus().Store())
		store.setDeaf(true)
		h, _ := startHub(t, "a", store, everySecond)
		time.Sleep(2500 * time.Millisecond)
		if err := h.Ready(); !errors.Is(err, hub.ErrUnavailable) {
			t.Errorf("before anything was heard: %v", err)
		}
		if err := store.Beat(t.Context(), "another", 0); err != nil {
			t.Fatal(err)
		}
		store.setDeaf(false)
		synctest.Wait()
		if err := h.Ready(); !errors.Is(err, hub.ErrUnavailable) {
			t.Errorf("before its own heartbeat was heard: %v", err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if err := h.Ready(); err != nil {
			t.Errorf("when it hears itself: %v", err)
		}
	})
}

func everySecond(o *hub.Options) { o.HeartbeatInterval = time.Second }

func TestAHubIsReadyWithoutWaitingForTheFirstInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := startHub(t, "a", newBus().Store())
		synctest.Wait()
		if err := h.Ready(); err != nil {
			t.Error(err)
		}
	})
}

// lateStore has everything heard so much later.
type lateStore struct {
	hub.Store
	by time.Duration
}

// Follow implements hub.Store.
func (s *lateStore) Follow(ctx context.Context, sink event.Sink) error {
	heard := make(chan func(event.Sink), 8192)
	var following sync.WaitGroup
	defer following.Wait()
	following.Go(func() { _ = s.Store.Follow(ctx, relay{newFaultyStore(s.Store), heard}) })
	due := make(chan func(event.Sink), 8192)
	for {
		select {
		case <-ctx.Done():
			return nil
		case tell := <-heard:
			time.AfterFunc(s.by, func() { due <- tell })
		case tell := <-due:
			tell(sink)
		}
	}
}

// An instance that hears its heartbeats one a second, but each a long time ago, would
// confirm publications that its own members wait for.
func TestAHubThatHearsLateIsNotReady(t *testing.T) {
	for by, ready := range map[time.Duration]bool{2500 * time.Millisecond: true, 3500 * time.Millisecond: false} {
		t.Run(by.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, observed := startHub(t, "a", &lateStore{newBus().Store(), by}, everySecond)
				for range 40 {
					time.Sleep(250 * time.Millisecond)
					synctest.Wait()
					if err := h.Ready(); !ready && err == nil {
						t.Fatal("ready")
					}
				}
				if err := h.Ready(); ready && err != nil {
					t.Error(err)
				}
				if lag := time.Duration(observed.lag.Load()); lag != by {
					t.Errorf("the lag is shown as %v", lag)
				}
			})
		})
	}
}

// A connection can look alive and bring nothing. Then the store takes publications, but
// this instance's own members would not get them.
func TestADeafHubRefusesPublicationsAndHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, observed, store := startFaulty(t, newBus().Store(), everySecond)
		room, l := newRoom(t, "w", "a"), &listener{}
		join(t, h.Admit(l), room, event.Position{})
		store.setDeaf(true)
		missed := publish(t, h, room) // not known to be deaf yet

		time.Sleep(2900 * time.Millisecond)
		if err := h.Ready(); err != nil {
			t.Errorf("before three heartbeats are missed: %v", err)
		}
		time.Sleep(time.Second)
		if err := h.Ready(); !errors.Is(err, hub.ErrUnavailable) {
			t.Errorf("after three missed heartbeats: %v", err)
		}
		refused := event.Publication{ID: "refused", Remember: time.Minute, Room: room, Object: `{"event":"UPDATE_APP"}`}
		if _, err := h.Publish(t.Context(), refused); !errors.Is(err, hub.ErrUnavailable) {
			t.Errorf("publishing came to %v", err)
		}

		store.setDeaf(false)
		time.Sleep(time.Second)
		synctest.Wait()
		if err := h.Ready(); err != nil {
			t.Errorf("when it hears again: %v", err)
		}
		live := publish(t, h, room)
		expect(t, l, "reply", delivery(room, missed), delivery(room, live))
		if repaired := observed.repairs(); repaired["heartbeat"] != 1 {
			t.Errorf("repairs are counted as %v", repaired)
		}
	})
}

func TestAPublishIDOfAnotherPublicationIsNoFaultOfTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := startHub(t, "a", newBus().Store())
		awaitReady(t, h)
		p := event.Publication{ID: "one", Fingerprint: "x", Remember: time.Minute, Room: newRoom(t, "w", "a"), Object: `{"n":1}`}
		if _, err := h.Publish(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		p.Fingerprint = "y"
		if _, err := h.Publish(t.Context(), p); !errors.Is(err, event.ErrIDReused) || errors.Is(err, hub.ErrUnavailable) {
			t.Errorf("publishing came to %v", err)
		}
	})
}

// Two hundred clients that subscribe while the store hangs once waited for minutes behind
// one another, though the instance knew that it was deaf.
func TestADeafHubRefusesSeatsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, observed, store := startFaulty(t, newBus().Store(), everySecond)
		room := newRoom(t, "w", "a")
		store.setDeaf(true)
		release := store.blockReads("top")
		defer release()
		time.Sleep(5 * time.Second)
		began := time.Now()
		for range 200 {
			if outcome := join(t, h.Admit(&listener{}), room, event.Position{}); !errors.Is(outcome.Err, hub.ErrUnavailable) {
				t.Fatalf("a join came to %+v", outcome)
			}
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("the refusals took %s", waited)
		}
		if members := observed.members.Load(); members != 0 {
			t.Errorf("%d seats are left", members)
		}
	})
}
