package memory

import (
	"sync/atomic"

	"github.com/roomcast/roomcast/internal/event"
)

// notice is one thing to hear: an event, a claim, or else a heartbeat.
type notice struct {
	event   *event.Event
	claimed event.Claimed
	beat    event.Heartbeat
}

func (n notice) size() int64 {
	if n.event == nil {
		return 0
	}
	return int64(n.event.Size())
}

// follower is one subscription to a bus.
type follower struct {
	queue chan notice  // closed, under the bus's mu, when the follower is cut off
	bytes atomic.Int64 // of the events in queue
}

// offer queues a notice unless the follower is too far behind. One event of any size fits
// into an empty queue.
func (f *follower) offer(n notice) bool {
	if waiting := f.bytes.Load(); waiting > 0 && waiting+n.size() > queueBytes {
		return false
	}
	f.bytes.Add(n.size())
	select {
	case f.queue <- n:
		return true
	default:
		return false
	}
}

// taken is called for each notice that left the queue.
func (f *follower) taken(n notice) { f.bytes.Add(-n.size()) }
