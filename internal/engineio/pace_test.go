package engineio

import (
	"testing"
	"testing/synctest"
	"time"
)

// After a stall of the machine the turns that were missed do not come all at once.
func TestPaceAfterAStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const left, slot = 1000, 10 * time.Millisecond
		began := time.Now()
		p := pace{next: began, end: began.Add(left * slot)}
		await := func(left int) {
			if err := p.await(t.Context(), left); err != nil {
				t.Fatal(err)
			}
		}
		await(left)
		time.Sleep(5 * time.Second)
		stalled := time.Now()
		burst := 0
		for n := left - 1; n > 0; n-- {
			await(n)
			if time.Since(stalled) < slot {
				burst++
			}
		}
		// The slots are half as long now, and those of longestSlot are made up for.
		if most := 2*int(longestSlot/slot) + 4; burst > most {
			t.Errorf("%d turns at once, want at most %d", burst, most)
		}
		if took := time.Since(began); took > left*slot || took < left*slot-longestSlot {
			t.Errorf("all took %s, want %s", took, left*slot)
		}
	})
}
