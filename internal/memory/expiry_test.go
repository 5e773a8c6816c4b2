package memory

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// However things are postponed and removed, they come out in the order of their times.
func TestExpiryIsInOrder(t *testing.T) {
	const seed = 1
	random := rand.New(rand.NewPCG(seed, seed))
	moment := func() time.Time { return time.Unix(random.Int64N(1_000_000), 0) }
	var x expiry[*deadline]
	var all []*deadline
	for range 1000 {
		d := &deadline{until: moment()}
		all = append(all, d)
		x.push(d)
	}
	for range 1000 {
		x.postpone(all[random.IntN(len(all))], moment())
	}
	for range 500 {
		removed := random.IntN(len(all))
		x.remove(all[removed])
		all = slices.Delete(all, removed, removed+1)
	}
	slices.SortFunc(all, func(a, b *deadline) int { return a.until.Compare(b.until) })
	for i, want := range all {
		if x.due(want.until.Add(-time.Nanosecond)) || !x.due(want.until) {
			t.Fatalf("number %d is not due from %v on", i, want.until)
		}
		if got := x.pop(); !got.until.Equal(want.until) {
			t.Fatalf("number %d is of %v, want %v", i, got.until, want.until)
		}
	}
	if len(x) != 0 {
		t.Errorf("%d are left over", len(x))
	}
}
