package hub

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// deskOf is a desk with seatings that need no hub but for its limits.
func deskOf(t *testing.T) *Hub {
	t.Helper()
	h := &Hub{options: Options{RoomsPerMember: 8, RequestTimeout: time.Minute}}
	h.desk.ctx = t.Context()
	t.Cleanup(h.desk.wait)
	return h
}

func mustAsk(t *testing.T, s *Seating, r request) {
	t.Helper()
	if err := s.ask(r); err != nil {
		t.Fatal(err)
	}
}

func TestAsManyClerksAsThereMayBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := deskOf(t)
		var mu sync.Mutex
		present, most, done := 0, 0, 0
		for range 3 * deskClerks {
			mustAsk(t, &Seating{hub: h}, func(context.Context) {
				mu.Lock()
				present++
				most = max(most, present)
				mu.Unlock()
				time.Sleep(time.Second) // of the bubble: a store that takes its time
				mu.Lock()
				present--
				done++
				mu.Unlock()
			})
		}
		began := time.Now()
		h.desk.wait()
		if most != deskClerks || done != 3*deskClerks || time.Since(began) != 3*time.Second {
			t.Errorf("%d requests were worked off, %d at once, in %s", done, most, time.Since(began))
		}
	})
}

// leaveOneClerk occupies all clerks but one until the returned function is called.
func leaveOneClerk(t *testing.T, h *Hub) (free func()) {
	t.Helper()
	freed := make(chan struct{})
	for range deskClerks - 1 {
		mustAsk(t, &Seating{hub: h}, func(context.Context) { <-freed })
	}
	return func() { close(freed) }
}

func TestAMemberWithManyRequestsLetsOthersIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := deskOf(t)
		free := leaveOneClerk(t, h)
		started := make(chan struct{})
		one, other := &Seating{hub: h}, &Seating{hub: h}
		var worked []string // by the one clerk
		mustAsk(t, one, func(context.Context) { <-started })
		for n := range 3 {
			mustAsk(t, one, func(context.Context) { worked = append(worked, fmt.Sprint("one ", n)) })
		}
		for n := range 2 {
			mustAsk(t, other, func(context.Context) { worked = append(worked, fmt.Sprint("other ", n)) })
		}
		close(started)
		synctest.Wait()
		if due := []string{"other 0", "one 0", "other 1", "one 1", "one 2"}; !slices.Equal(worked, due) {
			t.Errorf("worked off %q, due is %q", worked, due)
		}
		free()
	})
}

func TestRequestsOfOneMemberAreWorkedOffInOrderAndOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := deskOf(t)
		const each = 20
		var worked [10][]int // without a lock: the race detector sees two at a time
		seatings := make([]*Seating, len(worked))
		for member := range seatings {
			seatings[member] = &Seating{hub: h}
		}
		for n := range each {
			for member, s := range seatings {
				mustAsk(t, s, func(context.Context) {
					time.Sleep(time.Duration(1+(n*7+member)%5) * time.Millisecond)
					worked[member] = append(worked[member], n)
				})
			}
		}
		h.desk.wait()
		for member, numbers := range worked {
			if len(numbers) != each || !slices.IsSorted(numbers) {
				t.Errorf("member %d: %v", member, numbers)
			}
		}
	})
}

func TestAClosedDeskTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := deskOf(t)
		h.desk.wait()
		mustAsk(t, &Seating{hub: h}, func(context.Context) { t.Error("worked off after the end") })
		synctest.Wait()
	})
}
