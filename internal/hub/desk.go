package hub

import (
	"context"
	"sync"
)

// deskClerks bounds the goroutines that work off members' requests, and so the reads from
// the store under way at once. Requests wait for the store, seldom for the processor.
const deskClerks = 64

// desk works off requests off the clients' readers: a reader that once waited for the
// store would keep the deep stack of it, and pongs behind the request would wait too.
// Clerks exist only while there is work.
type desk struct {
	ctx context.Context

	mu     sync.Mutex
	queue  []*Seating // with requests and no clerk; each at most once
	clerks int
	closed bool
	done   sync.WaitGroup
}

func (d *desk) submit(s *Seating) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	d.queue = append(d.queue, s)
	if d.clerks < deskClerks {
		d.clerks++
		d.done.Go(d.clerk)
	}
}

// clerk does one request of the first in the queue, who then goes to its end.
func (d *desk) clerk() {
	for {
		s := d.next()
		if s == nil {
			return
		}
		if s.workOff(d.ctx) {
			d.requeue(s)
		}
	}
}

func (d *desk) next() *Seating {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.queue) == 0 {
		d.clerks--
		d.queue = nil
		return nil
	}
	s := d.queue[0]
	d.queue[0] = nil
	d.queue = d.queue[1:]
	return s
}

func (d *desk) requeue(s *Seating) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queue = append(d.queue, s)
}

// wait takes no more and returns when everything taken is done.
func (d *desk) wait() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.done.Wait()
}
