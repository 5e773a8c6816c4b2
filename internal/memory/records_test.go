package memory

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/storetest"
)

func TestLosses(t *testing.T) {
	for _, loss := range storetest.Losses() {
		t.Run(loss.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newTestBus().Store()
				suffer(t, store, loss)
				loss.Check(t, store)
			})
		})
	}
}

// suffer lets a loss happen, in its time.
func suffer(t *testing.T, store *Store, loss storetest.Loss) {
	t.Helper()
	lost := storetest.Lost()
	type step struct {
		age  time.Duration
		take func() error
	}
	steps := []step{
		{loss.Written, func() error {
			return store.Restore(t.Context(), storetest.Vouched(t, store, event.Record{Tenancy: lost}))
		}},
		{loss.Renewed, func() error { return store.Beat(t.Context(), lost.Instance, 0) }},
		{loss.Parted, func() error {
			if err := store.Part(t.Context(), lost, false, storetest.LongWindow); err != nil || !loss.Late {
				return err
			}
			storetest.ComeLate(t, store)
			return nil
		}},
	}
	steps = slices.DeleteFunc(steps, func(s step) bool { return s.age == storetest.Never })
	slices.SortStableFunc(steps, func(a, b step) int { return int(b.age - a.age) })
	for i, step := range steps {
		if i > 0 {
			time.Sleep(steps[i-1].age - step.age)
		}
		if err := step.take(); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(steps[len(steps)-1].age)
}

func held(pid string) event.Tenancy {
	return event.Tenancy{PID: pid, Generation: 1, SID: "s", Instance: "one"}
}

func claimable(t *testing.T, store *Store, pid string) bool {
	t.Helper()
	_, _, err := store.Claim(t.Context(), event.Claim{PID: pid, Instance: "one", Window: 1000 * time.Hour})
	if err != nil && !errors.Is(err, event.ErrNoRecord) {
		t.Fatal(err)
	}
	return err == nil
}

func TestRecordsAreForgottenInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTestBus().Store()
		for _, pid := range []string{"idle", "restored", "left", "claimed", "lost", "kept"} {
			if _, err := store.Enter(t.Context(), storetest.Vouched(t, store, event.Record{Tenancy: held(pid)}), board, 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := store.Part(t.Context(), held("lost"), false, time.Hour); err != nil {
			t.Fatal(err)
		}
		if err := store.Part(t.Context(), held("kept"), false, time.Hour); err != nil {
			t.Fatal(err)
		}
		if err := store.Restore(t.Context(), storetest.Vouched(t, store, event.Record{Tenancy: held("lost")})); err != nil { // too late to count
			t.Fatal(err)
		}
		time.Sleep(61*time.Minute - time.Nanosecond)
		if !claimable(t, store, "kept") {
			t.Error("a lost session is forgotten within its window and a minute")
		}
		time.Sleep(time.Nanosecond)
		if claimable(t, store, "lost") {
			t.Error("a lost session is still there after its window and a minute")
		}
		if err := store.Restore(t.Context(), storetest.Vouched(t, store, event.Record{Tenancy: held("restored")})); err != nil {
			t.Fatal(err)
		}
		if err := store.Leave(t.Context(), held("left"), board, 0); err != nil {
			t.Fatal(err)
		}
		if !claimable(t, store, "claimed") {
			t.Error("an idle session is forgotten within an hour")
		}
		time.Sleep(24*time.Hour - 61*time.Minute)
		for pid, want := range map[string]bool{"idle": false, "restored": true, "left": true, "claimed": true} {
			if claimable(t, store, pid) != want {
				t.Errorf("a day after the first changes the session that was %s can be claimed: %v, want %v", pid, !want, want)
			}
		}
		if records := store.bus.records; len(records.byPID) != 4 || len(records.expiry) != 4 {
			t.Errorf("%d records and %d times are kept, want 4: one claimed after an hour, three after a day", len(records.byPID), len(records.expiry))
		}
	})
}

func TestLeasesAreForgottenInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTestBus().Store()
		for i, pause := range []time.Duration{0, time.Hour, 23 * time.Hour} {
			time.Sleep(pause)
			if err := store.Beat(t.Context(), "i"+strconv.Itoa(i), 0); err != nil {
				t.Fatal(err)
			}
		}
		if leases := store.bus.records.leases; len(leases) != 2 || leases["i0"] != (time.Time{}) {
			t.Errorf("leases kept: %v, want those of the last day", leases)
		}
	})
}

func TestRecordsAreBounded(t *testing.T) {
	const most = 100
	store := newTestBus().Store()
	store.bus.records.most = most
	for n := range most {
		if err := store.Restore(t.Context(), storetest.Vouched(t, store, event.Record{Tenancy: held(strconv.Itoa(n))})); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Part(t.Context(), held("50"), false, time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := store.Part(t.Context(), held("60"), true, 0); err != nil { // makes room for one
		t.Fatal(err)
	}
	for _, pid := range []string{"a", "b", "c"} {
		if err := store.Restore(t.Context(), storetest.Vouched(t, store, event.Record{Tenancy: held(pid)})); err != nil {
			t.Fatal(err)
		}
	}
	if records := store.bus.records; len(records.byPID) != most || len(records.expiry) != most {
		t.Errorf("%d records and %d times are kept, want %d", len(records.byPID), len(records.expiry), most)
	}
	for pid, want := range map[string]bool{"50": false, "0": false, "1": true, "a": true, "b": true, "c": true} {
		if claimable(t, store, pid) != want {
			t.Errorf("session %s can be claimed: %v, want the lost one to go first, then the one unchanged longest", pid, !want)
		}
	}
}
