package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

func (s suite) history(t *testing.T) {
	t.Run("InOrderAfter", func(t *testing.T) {
		instance := s.open(t, Generous())
		store := instance()
		publisher := NewPublisher(t, store, "p")
		start := top(t, store).Sequence
		var want []uint64
		for n := range 300 { // more than any page
			want = append(want, publisher.Publish(red, "").Sequence)
			if n%3 == 0 {
				publisher.Publish(green, "")
			}
		}
		at := top(t, store)
		reader := instance()
		for _, after := range []uint64{0, start, want[0] - 1, want[0], want[150], want[298], want[299], at.Sequence + 5} {
			found := read(t, reader, red, after, 1<<20)
			left := slices.DeleteFunc(slices.Clone(want), func(sequence uint64) bool { return sequence <= after })
			if got := sequences(found.Events); !slices.Equal(got, left) || found.More {
				t.Fatalf("Range after %d: %v, more %v, want %v and no more", after, got, found.More, left)
			}
			if found.Last != want[299] || found.Top != at {
				t.Errorf("Range after %d: last %d, top %v, want %d, %v", after, found.Last, found.Top, want[299], at)
			}
			checkChain(t, found.Events, at.Epoch)
		}
	})
	t.Run("Pages", s.pages)
	t.Run("Age", func(t *testing.T) {
		limits := Generous()
		limits.HistoryTTL = 50 * time.Millisecond
		store := s.open(t, limits)()
		publisher := NewPublisher(t, store, "p")
		start := publisher.Publish(red, "").Sequence
		for deadline := time.Now().Add(waitLimit); len(read(t, store, red, 0, 1<<20).Events) > 0; {
			if time.Now().After(deadline) {
				t.Fatal("the history of a quiet room is never dropped")
			}
			time.Sleep(time.Millisecond)
		}
		if found := read(t, store, red, start-1, 1<<20); found.Proven(start-1) || !found.Proven(start) {
			t.Errorf("after the history's age, proven from before the event: %v, from it on: %v; want false, true", found.Proven(start-1), found.Proven(start))
		}
	})
}

// checkChain checks that each event names the one before it.
func checkChain(t *testing.T, events []*event.Event, epoch string) {
	t.Helper()
	for i, e := range events {
		if e.Room != red || e.Position.Epoch != epoch {
			t.Errorf("event of room %v at %v, want room %v in epoch %s", e.Room, e.Position, red, epoch)
		}
		if i > 0 && e.Previous != events[i-1].Position.Sequence {
			t.Errorf("event %d follows %d but names %d", e.Position.Sequence, events[i-1].Position.Sequence, e.Previous)
		}
	}
}

func (s suite) pages(t *testing.T) {
	store := s.open(t, Generous())()
	publisher := NewPublisher(t, store, "p")
	after := top(t, store).Sequence
	object := `{"pad":"` + strings.Repeat("x", 90) + `"}` // 100 bytes
	var want []uint64
	for range 20 {
		want = append(want, publisher.Publish(red, object).Sequence)
	}
	for _, test := range []struct{ maxBytes, pageSize int }{
		{-1, 1}, {0, 1}, {1, 1}, {100, 1}, {199, 1}, {200, 2}, {701, 7}, {1999, 19}, {2000, 20}, {1 << 30, 20},
	} {
		var got []uint64
		from := after
		for {
			found := read(t, store, red, from, test.maxBytes)
			size := min(test.pageSize, len(want)-len(got))
			if len(found.Events) != size {
				t.Fatalf("Range of %d bytes: %d events after %d, want %d", test.maxBytes, len(found.Events), from, size)
			}
			if !found.Proven(from) {
				t.Errorf("Range of %d bytes after %d is not proven", test.maxBytes, from)
			}
			got = append(got, sequences(found.Events)...)
			if found.More != (len(got) < len(want)) {
				t.Fatalf("Range of %d bytes: more %v after %d of %d events", test.maxBytes, found.More, len(got), len(want))
			}
			if !found.More {
				break
			}
			from = got[len(got)-1]
		}
		if !slices.Equal(got, want) {
			t.Errorf("Range in pages of %d bytes: %v, want %v", test.maxBytes, got, want)
		}
	}
}

func (s suite) proof(t *testing.T) {
	t.Run("NothingMissed", func(t *testing.T) {
		store := s.open(t, Generous())()
		publisher := NewPublisher(t, store, "p")
		start := top(t, store).Sequence
		first := publisher.Publish(red, "").Sequence
		second := publisher.Publish(red, "").Sequence
		expectProven(t, store, red, map[uint64]bool{start: true, first: true, second: true})
	})
	t.Run("QuietAndUnknownRooms", func(t *testing.T) {
		store := s.open(t, Generous())()
		publisher := NewPublisher(t, store, "p")
		start := top(t, store).Sequence
		expectProven(t, store, green, map[uint64]bool{start: true})
		first := publisher.Publish(red, "").Sequence
		last := publisher.Publish(blue, "").Sequence
		expectProven(t, store, red, map[uint64]bool{start: true, first: true, last: true})
		expectProven(t, store, green, map[uint64]bool{start: true, first: true, last: true})
	})
	t.Run("TrimmedBySize", func(t *testing.T) {
		limits := Generous()
		limits.HistorySize = 3
		s.trimmed(t, limits, 3, func(int) string { return "{}" })
	})
	t.Run("TrimmedByBytes", func(t *testing.T) {
		limits := Generous()
		limits.HistoryBytes = 350
		s.trimmed(t, limits, 3, func(int) string { return `{"pad":"` + strings.Repeat("x", 90) + `"}` })
	})
	t.Run("TrimmedByOneLargeEvent", func(t *testing.T) {
		limits := Generous()
		limits.HistoryBytes = 350
		s.trimmed(t, limits, 1, func(n int) string {
			return `{"pad":"` + strings.Repeat("x", 40*n) + `"}` // the last is past the bound alone
		})
	})
	t.Run("ForgottenByTheIndex", s.forgotten)
}

// trimmed publishes ten objects to a room that keeps some of them.
func (s suite) trimmed(t *testing.T, limits Limits, kept int, object func(n int) string) {
	store := s.open(t, limits)()
	publisher := NewPublisher(t, store, "p")
	proven := map[uint64]bool{top(t, store).Sequence: false}
	var all []uint64
	for n := 1; n <= 10; n++ {
		sequence := publisher.Publish(red, object(n)).Sequence
		all = append(all, sequence)
		proven[sequence] = n >= 10-kept
		publisher.Publish(green, "{}")
	}
	if got := sequences(read(t, store, red, 0, 1<<20).Events); !slices.Equal(got, all[10-kept:]) {
		t.Errorf("the history holds %v, want the last %d of %v", got, kept, all)
	}
	expectProven(t, store, red, proven)
}

// forgotten checks rooms that were pruned from an index of five.
func (s suite) forgotten(t *testing.T) {
	limits := Generous()
	limits.RoomIndexSize = 5
	store := s.open(t, limits)()
	publisher := NewPublisher(t, store, "p")
	start := top(t, store).Sequence
	lost := publisher.Publish(red, "").Sequence
	var last uint64
	for n := range 5 {
		last = publisher.Publish(event.Room{Workspace: "w", App: fmt.Sprint(n)}, "").Sequence
	}
	expectProven(t, store, red, map[uint64]bool{start: false, lost: true, last: true})
	// For all the index knows, a room that it does not hold was the one it forgot.
	expectProven(t, store, blue, map[uint64]bool{start: false, lost: true, last: true})
	if changed, err := store.Changed(t.Context(), []event.Room{red, blue}, start); err != nil || len(changed) != 2 {
		t.Errorf("Changed after %d: %v, %v, want both forgotten rooms", start, changed, err)
	}
	if changed, err := store.Changed(t.Context(), []event.Room{red, blue}, lost); err != nil || len(changed) != 0 {
		t.Errorf("Changed after %d: %v, %v, want none", lost, changed, err)
	}

	// The room comes back: its first event must not claim that nothing was before it.
	back := publisher.Publish(red, "").Sequence
	found := read(t, store, red, lost, 1<<20)
	if got := sequences(found.Events); !slices.Equal(got, []uint64{back}) || found.Events[0].Previous < lost {
		t.Errorf("Range after the room came back: %v, want %d with a previous of at least %d", got, back, lost)
	}
	if blind := read(t, store, red, lost-1, 1<<20); len(blind.Events) == 1 && blind.Proven(lost-1) {
		t.Error("the lost event is proven not to exist")
	}
}

// expectProven checks from which sequences on the room's continuity is certain.
func expectProven(t *testing.T, store Store, room event.Room, want map[uint64]bool) {
	t.Helper()
	for after, proven := range want {
		if found := read(t, store, room, after, 1<<20); found.Proven(after) != proven {
			t.Errorf("room %v after %d: proven %v, want %v (last %d, floor %d, events %v)",
				room, after, !proven, proven, found.Last, found.Floor, sequences(found.Events))
		}
	}
}

func (s suite) changed(t *testing.T) {
	store := s.open(t, Generous())()
	publisher := NewPublisher(t, store, "p")
	start := top(t, store).Sequence
	first := publisher.Publish(red, "").Sequence
	second := publisher.Publish(green, "").Sequence
	never := event.Room{Workspace: "w", App: "never"}
	for _, test := range []struct {
		after uint64
		want  []event.Room
	}{
		{start, []event.Room{red, green}},
		{first, []event.Room{green}},
		{second, nil},
	} {
		changed, err := store.Changed(t.Context(), []event.Room{red, never, green}, test.after)
		if err != nil || !slices.Equal(changed, test.want) {
			t.Errorf("Changed after %d: %v, %v, want %v", test.after, changed, err, test.want)
		}
	}
	if changed, err := store.Changed(t.Context(), nil, start); err != nil || len(changed) != 0 {
		t.Errorf("Changed of no rooms: %v, %v", changed, err)
	}
	many := make([]event.Room, 12_000) // more than fits into any one answer
	for i := range many {
		many[i] = event.Room{Workspace: "many", App: fmt.Sprint(i)}
	}
	many[0], many[6_000], many[11_999] = red, green, red
	changed, err := store.Changed(t.Context(), many, start)
	if want := []event.Room{red, green, red}; err != nil || !slices.Equal(changed, want) {
		t.Errorf("Changed of 12000 rooms: %v, %v, want %v", changed, err, want)
	}
}
