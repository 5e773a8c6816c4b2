package rest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// Everyone has at least the bound, and at most a fiftieth more.
func TestDeadlinesAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const bound, share = 5 * time.Second, 100 * time.Millisecond
		d := deadlines{bound: bound}
		contexts := make(map[context.Context]bool)
		for range 30 {
			ctx := d.begin()
			deadline, _ := ctx.Deadline()
			if left := time.Until(deadline); left < bound || left > bound+share {
				t.Errorf("a publication has %v, want %v to %v", left, bound, bound+share)
			}
			contexts[ctx] = true
			time.Sleep(10 * time.Millisecond)
		}
		if len(contexts) != 3 {
			t.Errorf("30 publications within 300 ms have %d contexts, want 3", len(contexts))
		}
		time.Sleep(bound + share)
		for ctx := range contexts {
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				t.Errorf("after the deadline: %v", ctx.Err())
			}
		}
	})
}
