package event_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/event"
)

func TestPositionString(t *testing.T) {
	longest := strings.Repeat("e", event.MaxEpoch)
	for _, c := range []struct {
		position event.Position
		text     string
	}{
		{event.Position{Epoch: "e", Sequence: 1}, "e:1"},
		{event.Position{Epoch: "e", Sequence: 0}, "e:0"},
		{event.Position{Epoch: "5f.A_~-9", Sequence: 1700000000000001}, "5f.A_~-9:1700000000000001"},
		{event.Position{Epoch: longest, Sequence: math.MaxUint64}, longest + ":18446744073709551615"},
	} {
		if got := c.position.String(); got != c.text {
			t.Errorf("%+v is written %q, want %q", c.position, got, c.text)
		}
		if got, err := event.ParsePosition(c.text); err != nil || got != c.position {
			t.Errorf("%q is read %+v, %v", c.text, got, err)
		}
		if c.position.IsZero() {
			t.Errorf("%+v counts as zero", c.position)
		}
	}
	if !(event.Position{}).IsZero() {
		t.Error("the zero position is not zero")
	}
}

// A position comes back from clients, who may send anything in its place.
func TestParsePositionHostile(t *testing.T) {
	for _, text := range []string{
		"", ":", "e", "e:", ":1", "-", "e:-", "e:+1", "e:-1", "e: 1", "e:1 ", " e:1", "e:1\n", "e:0x1", "e:1e3", "e:1.0", "e:1_000",
		"e:١", "e:18446744073709551616", "e:" + strings.Repeat("9", 1000), "e:1:2", "e::1", "é:1", "e\x00:1", "e/f:1", `e":1`, "{e}:1", "e\xff:1",
		"e:01", "e:00", // two texts for one place would make it no longer opaque
		strings.Repeat("e", event.MaxEpoch+1) + ":1", strings.Repeat("e", 1<<20) + ":1", "e:" + strings.Repeat("0", 1<<20) + "1",
		"1700000000000-0", "Q88rHP8", // offsets of other servers
	} {
		got, err := event.ParsePosition(text)
		if !errors.Is(err, event.ErrBadPosition) || got != (event.Position{}) {
			t.Errorf("%.60q is read %+v, %v", text, got, err)
		}
	}
	const message = "must be a position as an earlier answer or update gave it"
	if _, err := event.ParsePosition("x"); err == nil || err.Error() != message {
		t.Errorf("error %v, want %q", err, message)
	}
}

func FuzzParsePosition(f *testing.F) {
	for _, text := range []string{"e:1", "e:0", "e:01", "e:18446744073709551615", "e:18446744073709551616", "-", ":", "e:+1", "é:1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		position, err := event.ParsePosition(text)
		switch {
		case err != nil && !errors.Is(err, event.ErrBadPosition):
			t.Fatalf("error %v", err)
		case err == nil && (position.IsZero() || position.String() != text):
			t.Fatalf("%q was read as %q", text, position)
		case err == nil && strings.ContainsAny(text, "\"\\\x00 /{}"):
			t.Fatalf("%q would not stand in JSON or a key as it is", text)
		}
	})
}
