package hub

import (
	"context"

	"github.com/roomcast/roomcast/internal/event"
)

// Store is what the instances share: the channel, its sequence and the rooms' history.
// It offers primitives only; continuity is the hub's. Implementations live in the redis
// and memory packages and pass one contract suite (storetest). All methods are safe for
// concurrent use and return when their context ends.
type Store interface {
	// Follow hears the channel until ctx ends and then returns nil. It reconnects by
	// itself, for ever, with a bounded and jittered back-off.
	Follow(ctx context.Context, sink event.Sink) error
	// Publish gives the publication the next sequence, keeps it in the room's history
	// and sends it on the channel, all or nothing. It retries under the publication's id
	// until ctx ends.
	Publish(ctx context.Context, publication event.Publication) (event.Receipt, error)
	// Beat sends a heartbeat with the current top on the channel, consuming no sequence.
	Beat(ctx context.Context, instance string) error
	// Top reads where the sequence stands.
	Top(ctx context.Context) (event.Top, error)
	// Changed returns those of rooms that had a publication after the sequence, or about
	// which the index cannot say.
	Changed(ctx context.Context, rooms []event.Room, after uint64) ([]event.Room, error)
	// Range reads a room's events after the sequence, in order. It stops early, with More
	// set, once the events read exceed maxBytes; it always makes progress by one event.
	Range(ctx context.Context, room event.Room, after uint64, maxBytes int) (event.Range, error)
	// Close releases connections. Nothing may be called afterwards.
	Close() error
}
