package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

// long is a window that no test outlasts.
const long = time.Hour

// newTenancy is the first one of a session, served by instance one.
func newTenancy(pid string) event.Tenancy {
	return event.Tenancy{PID: pid, Generation: 1, SID: "sid-" + pid, Subject: "żaneta", Instance: "one"}
}

func (s suite) records(t *testing.T) {
	t.Run("Stays", s.stays)
	t.Run("PositionsStay", s.positions)
	t.Run("LaterTenancy", s.laterTenancy)
	t.Run("EarlierTenancy", s.earlierTenancy)
	t.Run("Part", s.part)
	t.Run("Refusals", s.refusals)
	t.Run("ConcurrentClaims", s.concurrentClaims)
	t.Run("Restore", s.restore)
}

// Vouched is a record that the store may take for one of its present epoch.
func Vouched(t *testing.T, store Store, record event.Record) event.Record {
	t.Helper()
	record.Vouched = top(t, store).Epoch
	return record
}

func enter(t *testing.T, store Store, record event.Record, room event.Room) event.Position {
	t.Helper()
	record = Vouched(t, store, record)
	before := top(t, store)
	entered, err := store.Enter(t.Context(), record, room, 0)
	if err != nil {
		t.Fatalf("Enter: %v", err)
	}
	if entered != before {
		t.Errorf("Enter = %v, want the top %v", entered, before)
	}
	return entered.Position
}

// claim takes the session over for instance and checks all of the record but its stays.
func claim(t *testing.T, store Store, held event.Tenancy, instance string) event.Record {
	t.Helper()
	record, at, err := store.Claim(t.Context(), event.Claim{PID: held.PID, Subject: held.Subject, Instance: instance, Window: long})
	if err != nil {
		t.Fatalf("Claim: %v", err)
	}
	want := held
	want.Generation, want.Instance = record.Generation, instance
	if record.Tenancy != want || record.Generation <= held.Generation {
		t.Errorf("claimed %+v, want %+v of a generation above %d", record.Tenancy, want, held.Generation)
	}
	if now := top(t, store); at != now {
		t.Errorf("Claim tells the top %v, want %v", at, now)
	}
	return record
}

func expectStays(t *testing.T, record event.Record, want ...event.Stay) {
	t.Helper()
	if !slices.Equal(record.Stays, want) {
		t.Errorf("the record holds the stays %v, want %v", record.Stays, want)
	}
}

func expectStale(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, event.ErrStaleTenancy) {
		t.Errorf("%s by a tenancy that is over: %v, want ErrStaleTenancy", what, err)
	}
}

// stays checks that whoever claims a session, wherever, gets its rooms, each with the
// position at which it was joined.
func (s suite) stays(t *testing.T) {
	instance := s.open(t, Generous())
	store, other := instance(), instance()
	publisher := NewPublisher(t, store, "p")
	first := newTenancy("p")
	record := event.Record{Tenancy: first}
	inRed := event.Stay{Room: red, Joined: enter(t, store, record, red)}
	publisher.Publish(red, "")
	inGreen := event.Stay{Room: green, Joined: enter(t, store, record, green)}
	publisher.Publish(red, "")
	enter(t, store, record, blue)
	if err := store.Leave(t.Context(), first, blue, 0); err != nil {
		t.Fatal(err)
	}
	second := claim(t, other, first, "two")
	expectStays(t, second, inGreen, inRed)

	inBlue := event.Stay{Room: blue, Joined: enter(t, other, second, blue)}
	if err := other.Leave(t.Context(), second.Tenancy, red, 0); err != nil {
		t.Fatal(err)
	}
	third := claim(t, other, second.Tenancy, "two") // back on the same instance
	expectStays(t, third, inBlue, inGreen)
}

// positions checks that a stay begins once, however often its join is tried, and that of
// all that is said of a room the word of its latest join counts, in whatever order it comes.
func (s suite) positions(t *testing.T) {
	for name, base := range map[string]uint64{"low": 0, "high": 1 << 52} { // the highest that a client can bring
		t.Run(name, func(t *testing.T) { s.positionsFrom(t, base) })
	}
}

func (s suite) positionsFrom(t *testing.T, base uint64) {
	store := s.open(t, Generous())()
	publisher := NewPublisher(t, store, "p")
	held := newTenancy("p")
	enters := func(number uint64, stays ...event.Stay) event.Stay {
		t.Helper()
		publisher.Publish(red, "")
		entered, err := store.Enter(t.Context(), Vouched(t, store, event.Record{Tenancy: held, Stays: stays}), red, number)
		if err != nil {
			t.Fatal(err)
		}
		return event.Stay{Room: red, Joined: entered.Position, Number: number}
	}
	holds := func(want ...event.Stay) {
		t.Helper()
		record := claim(t, store, held, "one")
		held = record.Tenancy
		expectStays(t, record, want...)
	}
	leaves := func(number uint64) {
		t.Helper()
		if err := store.Leave(t.Context(), held, red, number); err != nil {
			t.Fatal(err)
		}
	}

	fifth := enters(base + 5)
	if again := enters(base + 5); again != fifth {
		t.Errorf("the same join once more begins at %v, want %v", again, fifth)
	}
	holds(fifth)
	seventh := enters(base + 7)
	if seventh.Joined == fifth.Joined {
		t.Error("a later join does not begin another stay")
	}
	holds(seventh)
	if late := enters(base + 6); late.Joined != seventh.Joined {
		t.Errorf("a join that was overtaken begins at %v, want %v", late.Joined, seventh.Joined)
	}
	if err := store.Restore(t.Context(), event.Record{Tenancy: held, Stays: []event.Stay{fifth}}); err != nil {
		t.Fatal(err)
	}
	leaves(base + 6)
	holds(seventh)
	inGreen := event.Stay{Room: green, Joined: seventh.Joined, Number: base + 8}
	holds(inGreen, enters(base+9, inGreen))
	leaves(base + 9)
	holds(inGreen)
}

// laterTenancy checks that a connection whose session was claimed can spoil nothing.
func (s suite) laterTenancy(t *testing.T) {
	instance := s.open(t, Generous())
	store, other := instance(), instance()
	over := event.Record{Tenancy: newTenancy("p")}
	inRed := event.Stay{Room: red, Joined: enter(t, store, over, red)}
	present := claim(t, other, over.Tenancy, "two")

	_, err := store.Enter(t.Context(), over, green, 0)
	expectStale(t, "Enter", err)
	expectStale(t, "Leave", store.Leave(t.Context(), over.Tenancy, red, 0))
	over.Stays = []event.Stay{{Room: blue, Joined: inRed.Joined}}
	expectStale(t, "Restore", store.Restore(t.Context(), over))
	for _, left := range []bool{true, false} {
		if err := store.Part(t.Context(), over.Tenancy, left, 0); err != nil {
			t.Errorf("Part (left %v) by a tenancy that is over: %v, want nothing to do", left, err)
		}
	}
	expectStays(t, claim(t, store, present.Tenancy, "three"), inRed)
}

// earlierTenancy checks that the record of a lower generation, which a failover or a former
// connection brings back, gives way with all of its stays.
func (s suite) earlierTenancy(t *testing.T) {
	store := s.open(t, Generous())()
	lost := func(pid string) (present event.Tenancy, joined event.Position) {
		first := newTenancy(pid)
		joined = enter(t, store, event.Record{Tenancy: first}, red)
		if err := store.Part(t.Context(), first, false, 0); err != nil {
			t.Fatal(err)
		}
		present = first
		present.Generation, present.Instance = 7, "two"
		return present, joined
	}
	present, joined := lost("enters")
	inBlue := event.Stay{Room: blue, Joined: joined, Number: 2}
	entered := enter(t, store, event.Record{Tenancy: present, Stays: []event.Stay{inBlue}}, green)
	expectStays(t, claim(t, store, present, "three"), inBlue, event.Stay{Room: green, Joined: entered})

	present, joined = lost("restored")
	inBlue.Joined = joined
	record := event.Record{Tenancy: present, Stays: []event.Stay{inBlue}}
	if err := store.Restore(t.Context(), record); !errors.Is(err, event.ErrUnvouched) {
		t.Errorf("Restore over an earlier generation: %v, want ErrUnvouched", err)
	}
	if err := store.Restore(t.Context(), Vouched(t, store, record)); err != nil {
		t.Fatal(err)
	}
	if err := store.Beat(t.Context(), present.Instance, 0); err != nil {
		t.Fatal(err)
	}
	connected := event.Claim{PID: present.PID, Subject: present.Subject, Instance: "two", Window: connectedOnly}
	again, _, err := store.Claim(t.Context(), connected)
	if err != nil {
		t.Fatalf("Claim of a restored session, whose former loss is no longer true: %v", err)
	}
	present = again.Tenancy
	expectStays(t, claim(t, store, present, "three"), inBlue)

	present, _ = lost("leaves")
	if err := store.Part(t.Context(), present, true, 0); err != nil {
		t.Fatal(err)
	}
	expectNoRecord(t, store, event.Claim{PID: "leaves", Subject: present.Subject, Instance: "three", Window: long})
}

func expectNoRecord(t *testing.T, store Store, wanted event.Claim) {
	t.Helper()
	if record, _, err := store.Claim(t.Context(), wanted); !errors.Is(err, event.ErrNoRecord) {
		t.Errorf("Claim %+v = %+v, %v, want ErrNoRecord", wanted, record, err)
	}
}

func (s suite) part(t *testing.T) {
	store := s.open(t, Generous())()
	wanted := func(pid string) event.Claim {
		return event.Claim{PID: pid, Subject: newTenancy(pid).Subject, Instance: "two", Window: long}
	}
	for _, pid := range []string{"left", "lost"} {
		held := newTenancy(pid)
		enter(t, store, event.Record{Tenancy: held}, red)
		for range 2 { // the answer to the first may have been lost
			if err := store.Part(t.Context(), held, pid == "left", long); err != nil {
				t.Fatal(err)
			}
		}
	}
	expectNoRecord(t, store, wanted("left"))
	claimed := claim(t, store, newTenancy("lost"), "two")
	if err := store.Part(t.Context(), claimed.Tenancy, true, long); err != nil {
		t.Fatal(err)
	}
	expectNoRecord(t, store, wanted("lost"))

	// Neither makes a record where there is none.
	absent := newTenancy("absent")
	if err := store.Leave(t.Context(), absent, red, 0); err != nil {
		t.Error(err)
	}
	if err := store.Part(t.Context(), absent, false, long); err != nil {
		t.Error(err)
	}
	expectNoRecord(t, store, wanted("absent"))
}

func (s suite) restore(t *testing.T) {
	store := s.open(t, Generous())()
	at := top(t, store).Position
	held := newTenancy("p")
	whole := event.Record{Tenancy: held, Stays: []event.Stay{{Room: green, Joined: at}, {Room: red, Joined: at}}}
	if err := store.Restore(t.Context(), whole); !errors.Is(err, event.ErrUnvouched) {
		t.Errorf("Restore of a record that is not there: %v, want ErrUnvouched", err)
	}
	entered, err := store.Enter(t.Context(), whole, blue, 0)
	if !errors.Is(err, event.ErrUnvouched) || entered != top(t, store) {
		t.Errorf("Enter without a record: %v, %v, want the top and ErrUnvouched", entered, err)
	}
	for range 2 {
		if err := store.Restore(t.Context(), Vouched(t, store, whole)); err != nil {
			t.Fatal(err)
		}
	}
	claimed := claim(t, store, held, "two")
	expectStays(t, claimed, whole.Stays...)

	// It removes nothing: a room may have been entered meanwhile.
	NewPublisher(t, store, "p").Publish(red, "")
	inBlue := event.Stay{Room: blue, Joined: enter(t, store, claimed, blue)}
	if err := store.Restore(t.Context(), claimed); err != nil {
		t.Fatal(err)
	}
	expectStays(t, claim(t, store, claimed.Tenancy, "two"), inBlue, whole.Stays[0], whole.Stays[1])

	// Nor does entering a room leave the others out, when the record has been lost.
	unknown := whole
	unknown.PID = "q"
	again := enter(t, store, unknown, blue)
	expectStays(t, claim(t, store, unknown.Tenancy, "two"), event.Stay{Room: blue, Joined: again}, whole.Stays[0], whole.Stays[1])

	unknown.Stays = []event.Stay{{Room: red}}
	if err := store.Restore(t.Context(), unknown); !errors.Is(err, event.ErrBadPosition) {
		t.Errorf("Restore of a stay without a position: %v, want ErrBadPosition", err)
	}
}

// recordCalls are calls that must not be carried out once ctx has ended.
func recordCalls(ctx context.Context, store Store) map[string]func() error {
	held := newTenancy("late")
	return map[string]func() error{
		"Enter":   func() error { _, err := store.Enter(ctx, event.Record{Tenancy: held}, red, 0); return err },
		"Leave":   func() error { return store.Leave(ctx, held, red, 0) },
		"Part":    func() error { return store.Part(ctx, held, true, 0) },
		"Restore": func() error { return store.Restore(ctx, event.Record{Tenancy: held}) },
		"Claim": func() error {
			_, _, err := store.Claim(ctx, event.Claim{PID: held.PID, Instance: "one"})
			return err
		},
	}
}
