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

	since time.Time // what heartbeats are dated from

	mu      sync.Mutex
	heardAt time.Time // when an own heartbeat was last heard that had not taken too long
}

// missedBeats is how many heartbeats may be missed before the instance counts as deaf, and
// how many intervals one may take: whoever hears all, but late, must not count as ready.
const missedBeats = 3

func (t *health) wantBeat() {
	select {
	case t.beatNow <- struct{}{}:
	default:
	}
}

// heard notes an own heartbeat and returns how long it took.
func (t *health) heard(sent, longest time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	took := now.Sub(t.since) - sent
	if took <= longest {
		t.heardAt = now
	}
	return took
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
	if silence := time.Since(heardAt); silence > h.deafAfter() {
		return fmt.Errorf("%w: %w for %s", ErrUnavailable, errDeaf, silence.Round(time.Second))
	}
	return nil
}

// deafAfter is how long an instance counts as hearing without having heard itself.
func (h *Hub) deafAfter() time.Duration { return missedBeats * h.options.HeartbeatInterval }

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
	ctx, cancel := context.WithTimeout(h.ctx, h.deafAfter())
	defer cancel()
	return h.store.Beat(ctx, h.name, time.Since(h.health.since))
}

// logBeat says when heartbeats begin to fail and when they work again, not each time.
func (h *Hub) logBeat(err error) {
	if err != nil {
		h.options.Logger.Error("cannot reach the store, trying on", "error", err)
		return
	}
	h.options.Logger.Info("the store answers again")
}
