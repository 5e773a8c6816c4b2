package hub

import (
	"context"
	"fmt"
	"sync"

	"github.com/roomcast/roomcast/internal/event"
)

// line is how far this instance has heard the channel's sequence without a hole. Only
// the goroutine that hears the channel moves it.
type line struct {
	known chan struct{} // closed once there is a baseline

	mu   sync.Mutex
	last event.Position // everything up to here is in the workers' inboxes
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
