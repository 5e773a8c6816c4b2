package hub

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/roomcast/roomcast/internal/event"
)

// line is how far this instance has heard the channel's sequence without a hole. Only
// the goroutine that hears the channel moves it.
type line struct {
	known chan struct{} // closed once there is a baseline

	mu   sync.Mutex
	last event.Position // everything up to here is in the workers' inboxes
	// standing is the epoch that the store was last seen in, and what of the one before is
	// good; known before anything of it is in an inbox.
	standing event.Top
	// falls is how often the sequence has fallen back within an epoch: a place that was read
	// before is not to be told from one that was given out since.
	falls uint64
	// epochs are those entered, oldest first; of the last keptEpochs. Replaced, never
	// changed: each seat is compared with it for each event, until it has been joined anew.
	epochs atomic.Pointer[[]string]
	// waiting are those who want to know when it has come to a sequence: each answer to a
	// client with offsets, for as long as the bus takes.
	waiting map[chan struct{}]uint64
}

func (l *line) position() event.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

func (l *line) advance(to event.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last.IsZero() {
		close(l.known)
	}
	l.last = to
	for reached, sequence := range l.waiting {
		if sequence <= to.Sequence {
			close(reached)
			delete(l.waiting, reached)
		}
	}
}

// enter notes the epoch that the store is in.
func (l *line) enter(top event.Top) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.standing = top
	known := l.entered()
	if len(known) > 0 && known[len(known)-1] == top.Epoch {
		return
	}
	known = append(slices.Clone(known), top.Epoch)
	known = known[max(0, len(known)-keptEpochs):]
	l.epochs.Store(&known)
}

func (l *line) entered() []string {
	if epochs := l.epochs.Load(); epochs != nil {
		return *epochs
	}
	return nil
}

// epoch is the one that the store was last seen in, empty before the first.
func (l *line) epoch() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.standing.Epoch
}

// fall notes that the sequence has fallen back to the top without another epoch.
func (l *line) fall(top event.Top) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.standing = top
	l.falls++
}

// fallen is the count of falls, to be taken before a top is read.
func (l *line) fallen() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.falls
}

// lost reports whether a place, read after falls were counted, is in a part of the sequence
// that the store has lost, with where the store stands instead. A place in an epoch not
// heard of yet is not.
func (l *line) lost(at event.Position, falls uint64) (instead event.Top, lost bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch at.Epoch {
	case l.standing.Epoch:
		return l.standing, falls != l.falls
	case l.standing.Previous.Epoch:
		return l.standing, at.Sequence > l.standing.Previous.Sequence
	}
	return l.standing, slices.Contains(l.entered(), at.Epoch)
}

// keptEpochs is of how many epochs the order is known. Each is a failover.
const keptEpochs = 16

// within reports whether a place is between two others, or between the first and how far
// the channel was heard: everything after it was, or is to be, given to who was there
// from the first on, or a RESYNC for what the store has lost since.
func (l *line) within(at, from, upTo event.Position) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at.Epoch != from.Epoch && !l.isKnown(at.Epoch) {
		return false
	}
	return l.reaches(at, from) && (l.reaches(upTo, at) || l.reaches(l.last, at))
}

// knows reports whether an epoch is one of the channel's.
func (l *line) knows(epoch string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.isKnown(epoch)
}

func (l *line) isKnown(epoch string) bool {
	return epoch == l.standing.Previous.Epoch || slices.Contains(l.entered(), epoch)
}

// reaches reports whether a place in the sequence is not before another. That sequences
// rise over epochs is only as true as the clocks of the Redis processes; the order in which
// epochs were heard of is certain.
func (l *line) reaches(at, other event.Position) bool {
	if at.Epoch == other.Epoch {
		return at.Sequence >= other.Sequence
	}
	epochs := l.entered()
	mine, others := slices.Index(epochs, at.Epoch), slices.Index(epochs, other.Epoch)
	if mine < 0 || others < 0 {
		return at.Sequence >= other.Sequence
	}
	return mine > others
}

// await waits until everything up to a sequence is in the workers' inboxes.
func (l *line) await(ctx context.Context, sequence uint64) error {
	reached := l.watch(sequence)
	if reached == nil {
		return nil
	}
	select {
	case <-reached:
		return nil
	case <-ctx.Done():
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.waiting, reached)
		return fmt.Errorf("the channel has not been heard up to the present: %w", ctx.Err())
	}
}

// watch returns what is closed once the sequence is reached, nil if it is.
func (l *line) watch(sequence uint64) chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last.Sequence >= sequence {
		return nil
	}
	if l.waiting == nil {
		l.waiting = make(map[chan struct{}]uint64)
	}
	reached := make(chan struct{})
	l.waiting[reached] = sequence
	return reached
}

// awaitBaseline waits for the first position. Before it, nobody can be told from where on
// they will get everything.
func (l *line) awaitBaseline(ctx context.Context) error {
	select {
	case <-l.known:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the channel has not been heard yet: %w", ctx.Err())
	}
}
