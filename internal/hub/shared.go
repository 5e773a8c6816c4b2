package hub

import (
	"context"
	"sync"
)

// sharedReader lets many share reads of one thing: all who ask while one read is under way
// get the result of the next one, which has begun after each of them asked. Ten thousand
// members joining at once cost a few reads, not ten thousand.
type sharedReader[T any] struct {
	ctx     context.Context // the hub's: a reader's own ends with its client, who is no reason for the others to fail
	running *sync.WaitGroup // the hub's, for the goroutine that reads
	// perform reads, in bounded time, what is after the lowest sequence that one of those who
	// share asks for.
	perform func(ctx context.Context, after uint64) (T, error)

	mu      sync.Mutex
	reading bool           // there is a goroutine
	next    *sharedRead[T] // to begin when the one under way ends
}

type sharedRead[T any] struct {
	after  uint64 // guarded by the reader's mu until the read begins, then fixed
	done   chan struct{}
	result T
	err    error
}

// read returns what was read after the call began.
func (r *sharedReader[T]) read(ctx context.Context, after uint64) (result T, err error) {
	mine := r.enlist(after)
	select {
	case <-mine.done:
		return mine.result, mine.err
	case <-ctx.Done():
		return result, ctx.Err()
	}
}

// enlist takes part in the next read.
func (r *sharedReader[T]) enlist(after uint64) *sharedRead[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == nil {
		r.next = &sharedRead[T]{after: after, done: make(chan struct{})}
	}
	r.next.after = min(r.next.after, after)
	if !r.reading {
		r.reading = true
		r.running.Go(r.run)
	}
	return r.next
}

// run reads as long as somebody asks.
func (r *sharedReader[T]) run() {
	for mine := r.begin(); mine != nil; mine = r.begin() {
		mine.result, mine.err = r.perform(r.ctx, mine.after)
		close(mine.done)
	}
}

func (r *sharedReader[T]) begin() *sharedRead[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	mine := r.next
	r.next = nil
	r.reading = mine != nil
	return mine
}
