package app

import "testing"

// A small heap may grow by the slack, a larger one doubles as ever.
func TestSlackOfAHeap(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	for live, want := range map[uint64]int{0: 3200, mb: 3200, 2 * mb: 1600, 8 * mb: 400, 32 * mb: 100, 33 * mb: 100, 4 << 30: 100} {
		if percent := slackPercent(live); percent != want {
			t.Errorf("a heap of %d bytes may grow by %d %%, want %d", live, percent, want)
		}
	}
}
