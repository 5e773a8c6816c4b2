package hub

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/roomcast/roomcast/internal/event"
)

func newInbox() *inbox {
	in := &inbox{}
	in.init()
	return in
}

// megabyte is work of a megabyte.
func megabyte() work {
	return work{event: event.NewDelivery(event.Room{Workspace: "w", App: "a"}, event.Position{}, 0, strings.Repeat("x", 1<<20))}
}

func TestInboxKeepsTheOrder(t *testing.T) {
	in := newInbox()
	var ran []int
	var taken []work
	for round := range 3 { // the second and third time in memory used before
		for n := range 10 {
			in.post(work{task: func() { ran = append(ran, 10*round+n) }})
		}
		taken = in.takeAll(taken)
		for _, item := range taken {
			item.task()
		}
	}
	for i, n := range ran {
		if n != i {
			t.Fatalf("ran %v", ran)
		}
	}
	if len(ran) != 30 {
		t.Errorf("ran %d tasks", len(ran))
	}
}

func TestAFullInboxMakesPostersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newInbox()
		for range inboxBytes >> 20 {
			in.post(megabyte())
		}
		var posted atomic.Int32
		for range 3 {
			go func() { in.post(work{task: func() {}}); posted.Add(1) }()
		}
		synctest.Wait()
		if n := posted.Load(); n != 0 {
			t.Errorf("%d were posted to a full inbox", n)
		}
		if taken := in.takeAll(nil); len(taken) != inboxBytes>>20 {
			t.Errorf("%d were taken", len(taken))
		}
		synctest.Wait()
		if n := posted.Load(); n != 3 {
			t.Errorf("%d of 3 went on when there was space", n)
		}
		if taken := in.takeAll(nil); len(taken) != 3 {
			t.Errorf("%d came in", len(taken))
		}
	})
}

func TestAClosedInboxIsEmptiedAndTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newInbox()
		for range inboxBytes >> 20 {
			in.post(megabyte())
		}
		var released atomic.Bool
		go func() { in.post(megabyte()); released.Store(true) }()
		synctest.Wait()
		in.close()
		synctest.Wait()
		if !released.Load() {
			t.Error("a poster waits for a closed inbox")
		}
		in.post(megabyte())
		if taken := in.takeAll(nil); len(taken) != inboxBytes>>20 {
			t.Errorf("%d were taken", len(taken))
		}
		if taken := in.takeAll(nil); taken != nil {
			t.Errorf("%d more were taken", len(taken))
		}
	})
}

func TestClosingAnInboxWakesItsWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newInbox()
		go func() {
			if taken := in.takeAll(nil); taken != nil {
				t.Errorf("%d were taken", len(taken))
			}
		}()
		synctest.Wait()
		in.close() // the bubble ends only when the worker has
	})
}

// An idle worker keeps the memory of its queue, not what was in it.
func TestAnIdleInboxHoldsNoEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newInbox()
		in.post(megabyte())
		taken := in.takeAll(nil)
		go in.takeAll(taken)
		synctest.Wait()
		if taken[0].event != nil {
			t.Error("an event fanned out is still held")
		}
		in.close()
	})
}
