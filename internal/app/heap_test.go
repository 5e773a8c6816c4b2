package app

import "testing"

// A small heap at rest may grow by the slack, a larger one doubles as ever, and while clients
// come it is collected often. Small differences change nothing.
func TestGrowthAllowedToTheHeap(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	tuning := collectorTuning{percent: defaultPercent}
	for i, step := range []struct {
		live       uint64
		goroutines int
		percent    int
		changed    bool
	}{
		{4 * mb, 20, 800, true},
		{4*mb + mb/4, 84, 800, false},
		{8 * mb, 500, growingPercent, true},
		{12 * mb, 1000, growingPercent, false},
		{12 * mb, 1000, 266, true},
		{64 * mb, 1100, growingPercent, true},
		{64 * mb, 1100, defaultPercent, true},
		{1 * mb, 20, 3200, true}, // they went
		{0, 20, 3200, false},
	} {
		percent, changed := tuning.collected(step.live, step.goroutines)
		if percent != step.percent || changed != step.changed {
			t.Errorf("step %d: %d %%, changed %t; want %d, %t", i, percent, changed, step.percent, step.changed)
		}
	}
}
