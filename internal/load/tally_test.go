package load

import (
	"math/rand/v2"
	"testing"
)

// Numbers come out of order, as publishers work side by side; each is counted once.
func TestEachNumberCountsOnce(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var m membership
	seen := make(map[uint64]bool)
	for base := uint64(1); base < 20_000; base += uint64(1 + random.IntN(40)) {
		number := base + uint64(random.IntN(reorderWindow/2)) // never further behind than the window
		if first := m.mark(number); first == seen[number] {
			t.Fatalf("%d: first %v, seen %v", number, first, seen[number])
		}
		seen[number] = true
	}
	if m.received != uint64(len(seen)) {
		t.Errorf("%d of %d were counted", m.received, len(seen))
	}
}

func TestNumbersAroundTheEdgeOfTheWindow(t *testing.T) {
	var m membership
	for _, step := range []struct {
		number uint64
		first  bool
	}{
		{1, true},
		{1, false},
		{reorderWindow, true},
		{1, false},                 // still in the window
		{2, true},                  // the last that is
		{reorderWindow + 2, true},  // forgets 2
		{2, false},                 // too old to be told from one that came
		{3, true},                  //
		{10 * reorderWindow, true}, // forgets all
		{9*reorderWindow + 1, true},
		{9 * reorderWindow, false},
	} {
		if first := m.mark(step.number); first != step.first {
			t.Errorf("%d after %d: first %v, want %v", step.number, m.highest, first, step.first)
		}
	}
}
