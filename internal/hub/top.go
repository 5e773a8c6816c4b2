package hub

import (
	"context"
	"sync"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

// topTimeout bounds one read of the top.
const topTimeout = 5 * time.Second

// topReader shares reads of the top: all who ask while one read is under way get the
// result of the next one, which has begun after each of them asked. Ten thousand members
// joining at once cost a few reads, not ten thousand.
type topReader struct {
	store Store
	ctx   context.Context // the hub's

	mu      sync.Mutex
	reading bool
	next    *topRead // to begin when the one under way ends
}

type topRead struct {
	lead chan struct{} // gets a token for the one who is to read, if nobody does
	done chan struct{}
	top  event.Top
	err  error
}

func newTopRead() *topRead {
	return &topRead{lead: make(chan struct{}, 1), done: make(chan struct{})}
}

// read returns a top that was read after the call began.
func (r *topReader) read(ctx context.Context) (event.Top, error) {
	mine := r.enlist()
	select {
	case <-mine.lead:
		r.perform(mine) //nolint:contextcheck // others wait for this read too
	case <-mine.done:
	case <-ctx.Done():
		return event.Top{}, r.withdraw(ctx, mine)
	}
	return mine.top, mine.err
}

// enlist takes part in the next read.
func (r *topReader) enlist() *topRead {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == nil {
		r.next = newTopRead()
	}
	if !r.reading {
		r.reading = true
		r.next.lead <- struct{}{}
	}
	return r.next
}

// perform reads for everybody enlisted, under the hub's context: the leader's own may end
// with its client, who is no reason for the others to fail.
func (r *topReader) perform(mine *topRead) {
	r.mu.Lock()
	r.next = nil
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(r.ctx, topTimeout)
	defer cancel()
	mine.top, mine.err = r.store.Top(ctx)
	close(mine.done)
	r.passOn()
}

// passOn lets one of those enlisted meanwhile read next.
func (r *topReader) passOn() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == nil {
		r.reading = false
		return
	}
	r.next.lead <- struct{}{}
}

// withdraw stops waiting. If the token had come meanwhile, somebody else must have it.
func (r *topReader) withdraw(ctx context.Context, mine *topRead) error {
	select {
	case <-mine.lead:
		r.perform(mine) //nolint:contextcheck // others wait for this read
	default:
	}
	return ctx.Err()
}
