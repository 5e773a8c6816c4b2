package eio3

import "sync"

// maxQueued bounds the packets of one session that wait for the library, beside the
// bound in bytes: the smallest packet is six bytes but costs an entry.
const maxQueued = 64

// inbound is one validated EVENT on its way to the library.
type inbound struct {
	text []byte // what the library parses, see rewrite
	// What the library's handlers cannot see of the packet.
	ackID  uint64
	hasAck bool
	binary bool
}

// queue holds a session's events between the engine's reader, which waits for room in
// it, and the library's reader, which waits for events. It has one of each.
type queue struct {
	maxBytes int

	mu      sync.Mutex
	changed sync.Cond // on mu
	items   []inbound // nil while empty: an idle session keeps no buffer
	bytes   int       // of the texts in items
	ended   bool
	reason  string // why it ended
}

func newQueue(maxBytes int) *queue {
	q := &queue{maxBytes: maxBytes}
	q.changed.L = &q.mu
	return q
}

// push appends in, waiting for room. One event is taken whatever its size. After the
// end it does nothing.
func (q *queue) push(in inbound) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.ended && len(q.items) > 0 && (len(q.items) >= maxQueued || q.bytes+len(in.text) > q.maxBytes) {
		q.changed.Wait()
	}
	if q.ended {
		return
	}
	q.items = append(q.items, in)
	q.bytes += len(in.text)
	q.changed.Broadcast()
}

// pop takes the oldest event, waiting for one; false after the last.
func (q *queue) pop() (inbound, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.ended && len(q.items) == 0 {
		q.changed.Wait()
	}
	if len(q.items) == 0 {
		return inbound{}, false
	}
	in := q.items[0]
	q.items[0] = inbound{}
	if q.items = q.items[1:]; len(q.items) == 0 {
		q.items = nil
	}
	q.bytes -= len(in.text)
	q.changed.Broadcast()
	return in, true
}

// end lets nothing more in; what is queued is still handed out, because packets take
// effect up to the one that ended the session. The first reason stays.
func (q *queue) end(reason string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.ended {
		q.ended, q.reason = true, reason
	}
	q.changed.Broadcast()
}

// abort ends the queue and drops what is in it.
func (q *queue) abort(reason string) {
	q.end(reason)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.items, q.bytes = nil, 0
}

// endReason is why the queue ended, if it has.
func (q *queue) endReason() (reason string, ended bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.reason, q.ended
}
