package hub

import (
	"sync"

	"github.com/roomcast/roomcast/internal/event"
)

// inboxBytes bounds what waits for one worker, in bytes of JSON. A worker never waits for
// anything, so a full inbox means the machine is busy, and whoever posts is slowed to its
// pace: the channel's reader, and the desk.
const inboxBytes = 8 << 20

// taskSize is what a task counts for in that bound.
const taskSize = 256

// work is one entry of an inbox: an event to fan out, or a task to run in its place.
type work struct {
	event *event.Event
	task  func()
}

func (w work) size() int {
	if w.event != nil {
		return w.event.Size()
	}
	return taskSize
}

// inbox is a worker's queue. Any goroutine but a worker may post to it: a worker waiting
// for space in an inbox could wait for itself.
type inbox struct {
	mu     sync.Mutex
	filled sync.Cond // there is work, or the inbox is closed
	space  sync.Cond // there is space, or the inbox is closed
	queue  []work
	bytes  int
	closed bool
}

func (in *inbox) init() {
	in.filled.L, in.space.L = &in.mu, &in.mu
}

// post adds work, waiting for space. After close it does nothing.
func (in *inbox) post(w work) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for in.bytes >= inboxBytes && !in.closed {
		in.space.Wait()
	}
	if in.closed {
		return
	}
	in.queue = append(in.queue, w)
	in.bytes += w.size()
	if len(in.queue) == 1 {
		in.filled.Signal()
	}
}

// takeAll waits for work and takes all there is, giving spare's memory to the next.
// Nil means that the inbox is closed and empty.
func (in *inbox) takeAll(spare []work) []work {
	clear(spare) // before waiting: it may be long until the next work
	in.mu.Lock()
	defer in.mu.Unlock()
	for len(in.queue) == 0 && !in.closed {
		in.filled.Wait()
	}
	if len(in.queue) == 0 {
		return nil
	}
	taken := in.queue
	in.queue, in.bytes = spare[:0], 0
	in.space.Broadcast()
	return taken
}

// size is how much waits, in bytes of JSON.
func (in *inbox) size() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.bytes
}

// close lets the worker end once it has taken what is there.
func (in *inbox) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closed = true
	in.filled.Broadcast()
	in.space.Broadcast()
}
