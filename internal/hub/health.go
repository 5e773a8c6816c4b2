package hub

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// health is whether this instance can be trusted to hear the channel. It is judged by the
// one thing that cannot lie: a heartbeat sent through the channel and heard on it. A
// connection that looks alive and a store that answers prove nothing about the feed.
type health struct {
	beatNow chan struct{} // asks for a heartbeat at once; capacity 1

	mu      sync.Mutex
	sentAt  time.Time // of the last heartbeat sent
	heardAt time.Time // of the last own heartbeat heard
}

// missedBeats is how many heartbeats may be missed before the instance counts as deaf.
const missedBeats = 3

func (t *health) wantBeat() {
	select {
	case t.beatNow <- struct{}{}:
	default:
	}
}

func (t *health) sending() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sentAt = time.Now()
}

// heard notes an own heartbeat and returns how long it took.
func (t *health) heard() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heardAt = time.Now()
	return t.heardAt.Sub(t.sentAt)
}

var (
	errNeverHeard = errors.New("the channel has not been heard since the start")
	errDeaf       = errors.New("own heartbeat not heard")
)

// Ready returns nil while this instance hears the channel, otherwise an error that wraps
// ErrUnavailable and says why not.
func (h *Hub) Ready() error {
	h.health.mu.Lock()
	heardAt := h.health.heardAt
	h.health.mu.Unlock()
	if heardAt.IsZero() {
		return fmt.Errorf("%w: %w", ErrUnavailable, errNeverHeard)
	}
	if silence := time.Since(heardAt); silence > missedBeats*h.options.HeartbeatInterval {
		return fmt.Errorf("%w: %w for %s", ErrUnavailable, errDeaf, silence.Round(time.Second))
	}
	return nil
}

// beat sends heartbeats until the hub stops.
func (h *Hub) beat() {
	ticker := time.NewTicker(h.options.HeartbeatInterval)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-ticker.C:
		case <-h.health.beatNow:
		}
		err := h.beatOnce()
		if h.ctx.Err() != nil {
			return
		}
		if (err != nil) != failing {
			failing = err != nil
			h.logBeat(err)
		}
	}
}

func (h *Hub) beatOnce() error {
	ctx, cancel := context.WithTimeout(h.ctx, missedBeats*h.options.HeartbeatInterval)
	defer cancel()
	h.health.sending()
	return h.store.Beat(ctx, h.name)
}

// logBeat says when heartbeats begin to fail and when they work again, not each time.
func (h *Hub) logBeat(err error) {
	if err != nil {
		h.options.Logger.Error("cannot reach the store, trying on", "error", err)
		return
	}
	h.options.Logger.Info("the store answers again")
}
