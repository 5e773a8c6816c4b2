package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/roomcast/roomcast/internal/event"
)

// refusals checks who does not get a session, and that the one it belongs to still does.
func (s suite) refusals(t *testing.T) {
	instance := s.open(t, Generous())
	store := instance()
	ear, _ := Listen(t, store)
	held := newTenancy("p")
	joined := enter(t, store, event.Record{Tenancy: held}, red)
	nobody := newTenancy("nobody")
	nobody.Subject = ""
	enter(t, store, event.Record{Tenancy: nobody}, red)

	sound := event.Claim{PID: held.PID, Subject: held.Subject, Instance: "two", Window: long}
	for name, spoil := range map[string]func(*event.Claim){
		"an unknown pid":               func(c *event.Claim) { c.PID = "P" },
		"its digest":                   func(c *event.Claim) { c.PID = event.DigestPID(c.PID) },
		"another subject":              func(c *event.Claim) { c.Subject = "zaneta" },
		"no subject":                   func(c *event.Claim) { c.Subject = "" },
		"somebody, and nobody's claim": func(c *event.Claim) { c.PID = nobody.PID },
	} {
		t.Run(name, func(t *testing.T) {
			wanted := sound
			spoil(&wanted)
			expectNoRecord(t, store, wanted)
		})
	}
	foreign := s.open(t, Generous())()
	expectNoRecord(t, foreign, sound)
	for _, unsound := range []event.Claim{{PID: "p p", Instance: "two"}, {PID: strings.Repeat("p", 65), Instance: "two"}, {PID: "p"}} {
		var invalid *event.InvalidID
		if _, _, err := store.Claim(t.Context(), unsound); !errors.As(err, &invalid) {
			t.Errorf("Claim %+v: %v, want an InvalidID", unsound, err)
		}
	}
	if heard := ear.AwaitEcho(t, store, "echo"); len(heard.Claimed) != 0 {
		t.Errorf("refused claims were told as %v", heard.Claimed)
	}
	expectStays(t, claim(t, store, held, "two"), event.Stay{Room: red, Joined: joined})
	claim(t, store, nobody, "two")
}

// concurrentClaims checks that of many who claim at once each gets a generation of its
// own, that everybody hears of all of them, and that only the last can go on.
func (s suite) concurrentClaims(t *testing.T) {
	const claims = 20
	instance := s.open(t, Generous())
	stores := []Store{instance(), instance()}
	ears := make([]*Ear, len(stores))
	for i, store := range stores {
		ears[i], _ = Listen(t, store)
	}
	held := newTenancy("p")
	enter(t, stores[0], event.Record{Tenancy: held}, red)
	claimed := make([]event.Record, claims)
	var group sync.WaitGroup
	for i := range claimed {
		group.Go(func() {
			wanted := event.Claim{PID: held.PID, Subject: held.Subject, Instance: fmt.Sprint("i", i), Window: long}
			var err error
			if claimed[i], _, err = stores[i%2].Claim(t.Context(), wanted); err != nil {
				t.Errorf("Claim: %v", err)
			}
		})
	}
	group.Wait()
	slices.SortFunc(claimed, func(a, b event.Record) int { return int(int64(a.Generation) - int64(b.Generation)) })

	var want []event.Claimed
	for i, record := range claimed {
		want = append(want, event.Claimed{Digest: event.DigestPID(held.PID), Generation: record.Generation})
		err := stores[0].Leave(t.Context(), record.Tenancy, green, 0)
		if i < claims-1 {
			expectStale(t, "Leave", err)
		} else if err != nil {
			t.Errorf("Leave by the last claimer: %v", err)
		}
		if i > 0 && record.Generation == claimed[i-1].Generation {
			t.Errorf("two claims got generation %d", record.Generation)
		}
	}
	for i, ear := range ears {
		if got := ear.AwaitEcho(t, stores[0], fmt.Sprint("echo", i)).Claimed; !slices.Equal(got, want) {
			t.Errorf("follower %d heard of %v, want %v", i, got, want)
		}
	}
}
