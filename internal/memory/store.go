package memory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

// Store is one instance's access to a Bus. It is safe for concurrent use.
type Store struct{ bus *Bus }

var (
	errNoID    = errors.New("a publication needs an id")
	errTooSlow = errors.New("too far behind the channel")
)

// Follow hears the channel until ctx ends and then returns nil. A sink that is too slow
// is interrupted and subscribed again; what it missed meanwhile is not repeated.
func (s *Store) Follow(ctx context.Context, sink event.Sink) error {
	for ctx.Err() == nil {
		s.listen(ctx, sink)
	}
	return nil
}

// listen hears the channel until ctx ends or the sink was too slow.
func (s *Store) listen(ctx context.Context, sink event.Sink) {
	f := s.bus.join()
	defer s.bus.leave(f)
	sink.Subscribed()
	for {
		select {
		case <-ctx.Done():
			return
		case heard, open := <-f.queue:
			switch {
			case !open:
				sink.Interrupted(errTooSlow)
				return
			case heard.event != nil:
				f.taken(heard)
				sink.Event(heard.event)
			case heard.claimed != event.Claimed{}:
				sink.Claimed(heard.claimed)
			default:
				sink.Heartbeat(heard.beat)
			}
		}
	}
}

// Publish gives the publication the next sequence, keeps it in the room's history and
// sends it to all followers.
func (s *Store) Publish(ctx context.Context, publication event.Publication) (event.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return event.Receipt{}, fmt.Errorf("publish: %w", err)
	}
	if publication.ID == "" {
		return event.Receipt{}, fmt.Errorf("publish: %w", errNoID)
	}
	receipt, err := s.bus.publish(publication, time.Now())
	if err != nil {
		return event.Receipt{}, fmt.Errorf("publish: %w", err)
	}
	return receipt, nil
}

// Beat sends a heartbeat with the current top to all followers and renews the instance's
// lease.
func (s *Store) Beat(ctx context.Context, instance string, sent time.Duration) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	if err := event.CheckID("instance", instance); err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	s.bus.beat(instance, sent.Truncate(time.Microsecond), time.Now())
	return nil
}

// Top reads where the sequence stands.
func (s *Store) Top(ctx context.Context) (event.Top, error) {
	if err := ctx.Err(); err != nil {
		return event.Top{}, fmt.Errorf("read the top: %w", err)
	}
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	return s.bus.standing(), nil
}

// Changed returns those of rooms that had a publication after the sequence, or about
// which the index cannot say.
func (s *Store) Changed(ctx context.Context, rooms []event.Room, after uint64) ([]event.Room, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("ask which rooms changed: %w", err)
	}
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	var changed []event.Room
	for _, room := range rooms {
		if s.bus.index.previous(room) > after {
			changed = append(changed, room)
		}
	}
	return changed, nil
}

// Range reads a room's events after the sequence, in order. It stops early, with More
// set, before the event that would take it over maxBytes; it always makes progress by one.
func (s *Store) Range(ctx context.Context, room event.Room, after uint64, maxBytes int) (event.Range, error) {
	if err := ctx.Err(); err != nil {
		return event.Range{}, fmt.Errorf("read a room's history: %w", err)
	}
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	s.bus.index.expire(time.Now())
	found := event.Range{Top: s.bus.standing(), Floor: s.bus.index.floor}
	known := s.bus.index.rooms[room]
	if known == nil {
		return found, nil
	}
	found.Last = known.last
	for _, kept := range known.after(after) {
		maxBytes -= kept.event.Size()
		if maxBytes < 0 && len(found.Events) > 0 {
			found.More = true
			break
		}
		found.Events = append(found.Events, kept.event)
	}
	return found, nil
}

// Close does nothing: the bus belongs to all its stores.
func (s *Store) Close() error { return nil }
