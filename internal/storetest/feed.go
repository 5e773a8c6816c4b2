package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

func (s suite) sequence(t *testing.T) {
	t.Run("RisesByOneOverAllRooms", func(t *testing.T) {
		store := s.open(t, Generous())()
		ear, _ := Listen(t, store)
		before := top(t, store).Position
		publisher := NewPublisher(t, store, "p")
		rooms := []event.Room{red, green, red, red, blue, green}
		var receipts []event.Position
		for _, room := range rooms {
			receipts = append(receipts, publisher.Publish(room, ""))
		}
		last := map[event.Room]uint64{}
		for i, heard := range ear.AwaitEvents(t, len(rooms)) {
			want := event.Position{Epoch: before.Epoch, Sequence: before.Sequence + uint64(i) + 1}
			if receipts[i] != want || heard.Position != want || heard.Room != rooms[i] {
				t.Errorf("event %d: receipt %v, heard %v in %v, want %v in %v", i, receipts[i], heard.Position, heard.Room, want, rooms[i])
			}
			if heard.Previous != last[heard.Room] {
				t.Errorf("event %d of room %v: previous %d, want %d", i, heard.Room, heard.Previous, last[heard.Room])
			}
			last[heard.Room] = heard.Position.Sequence
		}
		if after := top(t, store).Position; after != receipts[len(receipts)-1] {
			t.Errorf("top is %v after %v", after, receipts)
		}
	})
	t.Run("StartsAtTheClock", func(t *testing.T) {
		// A sequence that began at a small number would fall behind what clients remember.
		before := time.Now().Add(-time.Minute).UnixMicro()
		at := top(t, s.open(t, Generous())())
		if at.Sequence < uint64(before) || !at.Previous.IsZero() || !at.Continues(at.Position) {
			t.Errorf("a new channel stands at %v after %v, want a sequence from %d on and nothing before it", at.Position, at.Previous, before)
		}
	})
	t.Run("HoldsUnderConcurrency", s.concurrency)
}

// concurrency checks that however many publish at once through however many instances,
// the channel carries the events in the order of their sequence.
func (s suite) concurrency(t *testing.T) {
	const publishers, each = 8, 50
	instance := s.open(t, Generous())
	stores := []Store{instance(), instance()}
	ears := make([]*Ear, len(stores))
	for i, store := range stores {
		ears[i], _ = Listen(t, store)
	}
	before := top(t, stores[0]).Sequence
	var group sync.WaitGroup
	for i := range publishers {
		group.Go(func() {
			publisher := NewPublisher(t, stores[i%len(stores)], fmt.Sprintf("p%d", i))
			for n := range each {
				publication := publisher.Next([]event.Room{red, green, blue}[n%3], fmt.Sprintf(`{"n":"%d.%d"}`, i, n))
				if _, err := publisher.store.Publish(t.Context(), publication); err != nil {
					t.Errorf("Publish: %v", err)
				}
			}
		})
	}
	group.Wait()
	for i, ear := range ears {
		last := map[event.Room]uint64{}
		objects := map[string]bool{}
		for n, heard := range ear.AwaitEvents(t, publishers*each) {
			if want := before + uint64(n) + 1; heard.Position.Sequence != want || heard.Previous != last[heard.Room] {
				t.Fatalf("follower %d heard %d after %d as number %d, want %d after %d", i, heard.Position.Sequence, heard.Previous, n, want, last[heard.Room])
			}
			last[heard.Room] = heard.Position.Sequence
			objects[heard.Object()] = true
		}
		if len(objects) != publishers*each {
			t.Errorf("follower %d heard %d different objects, want %d", i, len(objects), publishers*each)
		}
	}
}

func (s suite) identity(t *testing.T) {
	instance := s.open(t, Generous())
	store, other := instance(), instance()
	ear, _ := Listen(t, store)
	publication := event.Publication{ID: "id with spaces\nand lines", Fingerprint: "a b\nc", Remember: time.Minute, Room: red, Object: `{"n":1}`}
	first, err := store.Publish(t.Context(), publication)
	if err != nil || first.Duplicate {
		t.Fatalf("Publish = %+v, %v", first, err)
	}
	repeated := publication
	repeated.Object = `{"n":2}` // only the id and the fingerprint count
	second, err := other.Publish(t.Context(), repeated)
	if want := (event.Receipt{Position: first.Position, Duplicate: true}); err != nil || second != want {
		t.Errorf("Publish again on another instance = %+v, %v, want %+v", second, err, want)
	}
	for _, fingerprint := range []string{"", "a", "a b\nc ", "A B\nC"} {
		reused := publication
		reused.Fingerprint = fingerprint
		if _, err := store.Publish(t.Context(), reused); !errors.Is(err, event.ErrIDReused) {
			t.Errorf("Publish under the same id with fingerprint %q: %v, want ErrIDReused", fingerprint, err)
		}
	}
	nameless := publication
	nameless.ID = ""
	if _, err := store.Publish(t.Context(), nameless); err == nil {
		t.Error("Publish without an id succeeded, want an error")
	}
	if heard := ear.AwaitEcho(t, store, "echo"); len(heard.Events) != 1 || heard.Events[0].Object() != `{"n":1}` {
		t.Errorf("heard %d events, want the first publication alone", len(heard.Events))
	}

	oneOfMany(t, ear, store, other)

	brief := event.Publication{ID: "brief", Remember: time.Millisecond, Room: red, Object: `{}`}
	again := event.Receipt{Duplicate: true}
	for deadline := time.Now().Add(waitLimit); again.Duplicate && time.Now().Before(deadline); {
		if again, err = store.Publish(t.Context(), brief); err != nil {
			t.Fatal(err)
		}
		if again, err = store.Publish(t.Context(), brief); err != nil {
			t.Fatal(err)
		}
	}
	if again.Duplicate {
		t.Error("an id to be remembered for a millisecond was never forgotten")
	}
}

// oneOfMany checks that of publications under one id, made at the same moment through
// several instances, one happens and all are answered with it.
func oneOfMany(t *testing.T, ear *Ear, stores ...Store) {
	t.Helper()
	const each = 8
	publication := event.Publication{ID: "at once", Fingerprint: "f", Remember: time.Minute, Room: blue, Object: `{"at":"once"}`}
	receipts := make([]event.Receipt, each*len(stores))
	var group sync.WaitGroup
	for i := range receipts {
		group.Go(func() {
			var err error
			if receipts[i], err = stores[i%len(stores)].Publish(t.Context(), publication); err != nil {
				t.Errorf("Publish at once with others: %v", err)
			}
		})
	}
	group.Wait()
	firsts := 0
	for _, receipt := range receipts {
		if !receipt.Duplicate {
			firsts++
		}
		if receipt.Position != receipts[0].Position {
			t.Errorf("one id is answered with the positions %v and %v", receipts[0].Position, receipt.Position)
		}
	}
	if firsts != 1 {
		t.Errorf("%d publications under one id are answered as the first", firsts)
	}
	heard := 0
	for _, e := range ear.AwaitEcho(t, stores[0], "at-once").Events {
		if e.Room == blue {
			heard++
		}
	}
	if heard != 1 {
		t.Errorf("heard %d events under one id", heard)
	}
}

func (s suite) feed(t *testing.T) {
	t.Run("Objects", func(t *testing.T) {
		store := s.open(t, Generous())()
		ear, _ := Listen(t, store)
		publisher := NewPublisher(t, store, "p")
		objects := []string{
			`{}`,
			`{"text":"żółw 🐢 ` + "\u2028" + `","ключ":"值"}`,
			`{"lines":"a\nb\r\n\u0000\\","quote":"\""}`,
			`{"a":{"b":{"c":[{},{"d":"}}}{{{"}]}}}`,
			`{"P 1 0 e w/a":"H i e 1"}`,
			`{"large":"` + strings.Repeat("x", 1_000_000) + `"}`,
		}
		for _, object := range objects {
			publisher.Publish(red, object)
		}
		heard := ear.AwaitEvents(t, len(objects))
		stored := read(t, store, red, 0, 64<<20).Events
		for i, object := range objects {
			if heard[i].Object() != object {
				t.Errorf("heard %.80s, want %.80s", heard[i].Object(), object)
			}
			if i >= len(stored) || stored[i].Object() != object {
				t.Errorf("the history does not hold %.80s in place %d", object, i)
			}
		}
	})
	t.Run("Heartbeats", func(t *testing.T) {
		instance := s.open(t, Generous())
		store, other := instance(), instance()
		ear, _ := Listen(t, store)
		start := top(t, store).Position
		if beats := ear.AwaitEcho(t, store, "one").Heartbeats; beats[0] != (event.Heartbeat{Instance: "one", Sent: echoSent, Position: start}) {
			t.Errorf("heard heartbeat %+v, want instance one at %v", beats[0], start)
		}
		published := NewPublisher(t, store, "p").Publish(red, "")
		if beats := ear.AwaitEcho(t, other, "two").Heartbeats; beats[1] != (event.Heartbeat{Instance: "two", Sent: echoSent, Position: published}) {
			t.Errorf("heard heartbeat %+v, want instance two at %v", beats[1], published)
		}
		if after := top(t, store).Position; after != published {
			t.Errorf("heartbeats moved the top from %v to %v", published, after)
		}
		for _, name := range []string{"one.1a2b3c4d", "one.5e6f7g8h", strings.Repeat("i", event.MaxID)} { // processes of one name
			beats := ear.AwaitEcho(t, store, name).Heartbeats
			if last := beats[len(beats)-1].Instance; last != name {
				t.Errorf("heard a heartbeat of %s, want %s", last, name)
			}
		}
		if err := store.Beat(t.Context(), "two words", 0); err == nil {
			t.Error("an instance of two words was accepted, want an error")
		}
	})
	t.Run("OneChannelDoesNotHearAnother", func(t *testing.T) {
		store, stranger := s.open(t, Generous())(), s.open(t, Generous())()
		ear, _ := Listen(t, store)
		NewPublisher(t, stranger, "p").Publish(red, "")
		if heard := ear.AwaitEcho(t, store, "echo"); len(heard.Events) != 0 {
			t.Errorf("heard %d events of another channel", len(heard.Events))
		}
	})
	t.Run("StopsWithItsContext", func(t *testing.T) {
		store := s.open(t, Generous())()
		ear, stop := Listen(t, store)
		stop() // fails the test unless Follow returns nil
		staying, _ := Listen(t, store)
		NewPublisher(t, store, "p").Publish(red, "")
		staying.AwaitEvents(t, 1)
		if heard := ear.Heard(); len(heard.Events) != 0 || len(heard.Interrupted) != 0 {
			t.Errorf("a follower that had stopped heard %+v", heard)
		}
	})
}

func (s suite) context(t *testing.T) {
	store := s.open(t, Generous())()
	NewPublisher(t, store, "p").Publish(red, "")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	calls := map[string]func() error{
		"Publish": func() error {
			_, err := store.Publish(ctx, event.Publication{ID: "late", Remember: time.Minute, Room: red, Object: "{}"})
			return err
		},
		"Beat":    func() error { return store.Beat(ctx, "i", 0) },
		"Top":     func() error { _, err := store.Top(ctx); return err },
		"Changed": func() error { _, err := store.Changed(ctx, []event.Room{red}, 0); return err },
		"Range":   func() error { _, err := store.Range(ctx, red, 0, 1); return err },
	}
	maps.Copy(calls, recordCalls(ctx, store))
	for name, call := range calls {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s after its context ended: %v, want context.Canceled", name, err)
		}
	}
	if found := read(t, store, red, 0, 1<<20); len(found.Events) != 1 || slices.Contains(sequences(found.Events), 0) {
		t.Errorf("the history holds %v, want one event", sequences(found.Events))
	}
}
