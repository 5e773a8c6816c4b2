package event_test

import (
	"testing"

	"github.com/roomcast/roomcast/internal/event"
)

func TestTopContinues(t *testing.T) {
	at := func(epoch string, sequence uint64) event.Position {
		return event.Position{Epoch: epoch, Sequence: sequence}
	}
	followed := event.Top{Position: at("b", 200), Previous: at("a", 100)}
	first := event.Top{Position: at("b", 200)}
	for _, c := range []struct {
		name string
		top  event.Top
		held event.Position
		want bool
	}{
		{"the top itself", followed, at("b", 200), true},
		{"below the top", followed, at("b", 1), true},
		{"before anything", followed, at("b", 0), true},
		{"above the top: the store lost what was seen", followed, at("b", 201), false},
		{"where the previous epoch ended", followed, at("a", 100), true},
		{"within the previous epoch", followed, at("a", 99), true},
		{"what the previous epoch never reached here", followed, at("a", 101), false},
		{"an older epoch", followed, at("z", 1), false},
		{"an epoch that only begins alike", followed, at("bb", 1), false},
		{"no position", followed, event.Position{}, false},
		{"a sequence without an epoch", followed, at("", 5), false},
		{"no epoch before: the top", first, at("b", 200), true},
		{"no epoch before: above", first, at("b", 201), false},
		{"no epoch before: another", first, at("a", 1), false},
		{"no epoch before: no position", first, event.Position{}, false},
		{"nothing known", event.Top{}, event.Position{}, false},
		{"nothing known: a position", event.Top{}, at("b", 0), false},
	} {
		if got := c.top.Continues(c.held); got != c.want {
			t.Errorf("%s: %t, want %t", c.name, got, c.want)
		}
	}
}

func TestRangeProven(t *testing.T) {
	// at is a publication of the room at a sequence, after the room's previous one.
	at := func(sequence, previous uint64) *event.Event {
		e := delivery(sequence, `{}`)
		e.Previous = previous
		return e
	}
	events := func(list ...*event.Event) []*event.Event { return list }
	for _, c := range []struct {
		name  string
		rng   event.Range
		after uint64
		want  bool
	}{
		{"room unknown, floor below", event.Range{Floor: 10}, 11, true},
		{"room unknown, at the floor", event.Range{Floor: 10}, 10, true},
		{"room forgotten after", event.Range{Floor: 10}, 9, false},
		{"nothing forgotten ever", event.Range{}, 0, true},
		{"quiet since", event.Range{Last: 50}, 60, true},
		{"last one held", event.Range{Last: 50}, 50, true},
		{"quiet since, whatever the floor", event.Range{Last: 50, Floor: 70}, 60, true},
		{"history gone altogether", event.Range{Last: 50}, 49, false},
		{"history gone, from the start", event.Range{Last: 50}, 0, false},
		{"first follows what is held", event.Range{Last: 50, Events: events(at(50, 40))}, 40, true},
		{"first's predecessor is older", event.Range{Last: 50, Events: events(at(50, 30))}, 40, true},
		{"first's predecessor was missed", event.Range{Last: 50, Events: events(at(50, 41))}, 40, false},
		{"the room's very first", event.Range{Last: 50, Events: events(at(50, 0))}, 0, true},
		{"whole chain", event.Range{Last: 50, Events: events(at(45, 40), at(48, 45), at(50, 48))}, 40, true},
		{"chain trimmed in front", event.Range{Last: 50, Events: events(at(48, 45), at(50, 48))}, 40, false},
		{"trimmed between two pages", event.Range{Last: 50, Events: events(at(42, 40), at(50, 48))}, 40, false},
		{"newest entry missing", event.Range{Last: 50, Events: events(at(45, 40), at(48, 45))}, 40, false},
		{"cut off by the bound", event.Range{Last: 50, More: true, Events: events(at(45, 40), at(48, 45))}, 40, true},
		{"cut off, trimmed in front", event.Range{Last: 50, More: true, Events: events(at(48, 45))}, 40, false},
		{"more promised, nothing here", event.Range{Last: 50, More: true}, 40, false},
	} {
		if got := c.rng.Proven(c.after); got != c.want {
			t.Errorf("%s: after %d: %t, want %t", c.name, c.after, got, c.want)
		}
	}
}
