package engineio

import (
	"context"
	"math/rand/v2"
	"time"
)

// longestSlot is the most time that a single turn gets: a handful of sessions is done at
// once, however much there is for all.
const longestSlot = time.Second / 20

// pace deals out the turns of a drain.
type pace struct {
	next time.Time // when the next slot begins
	end  time.Time // of the last slot
}

// await waits for the turn of one session of those that are left: a random moment in a
// slot that is its part of the time.
func (p *pace) await(ctx context.Context, left int) error {
	// A timer that is late is made up for. A stall of the machine is not: it would end in the
	// crowd that the pace is there to avoid.
	if late := time.Now().Add(-longestSlot); p.next.Before(late) {
		p.next = late
	}
	turn, slot := p.next, min(max(0, p.end.Sub(p.next))/time.Duration(left), longestSlot)
	if slot > 0 {
		turn = turn.Add(rand.N(slot)) //nolint:gosec // no secret
	}
	p.next = p.next.Add(slot)
	timer := time.NewTimer(time.Until(turn))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
