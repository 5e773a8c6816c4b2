package hub

import (
	"context"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

// Store is what the instances share: the channel, its sequence, the rooms' history and
// the sessions' records.
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
	// Beat sends a heartbeat with the current top on the channel, consuming no sequence,
	// and renews the instance's lease: until it is five seconds old, the sessions whose
	// records name the instance count as connected. When it was sent, by the instance's own
	// clock and not negative, is told with it.
	Beat(ctx context.Context, instance string, sent time.Duration) error
	// Top reads where the sequence stands.
	Top(ctx context.Context) (event.Top, error)
	// Changed returns those of rooms that had a publication after the sequence, or about
	// which the index cannot say.
	Changed(ctx context.Context, rooms []event.Room, after uint64) ([]event.Room, error)
	// Range reads a room's events after the sequence, in order. It stops early, with More
	// set, once the events read exceed maxBytes; it always makes progress by one event.
	Range(ctx context.Context, room event.Room, after uint64, maxBytes int) (event.Range, error)
	Records
	// Close releases connections. Nothing may be called afterwards.
	Close() error
}

// Records keeps what any instance needs to continue a session whose connection was lost,
// its instance with it maybe. All changes may be repeated after a fault of the store, and
// are, until their context ends; one that was broken off may still take effect later, so
// no order of arrival can do more harm than a room too many.
//
// A record is found by its private id and lives for a day from its last change on, which
// Restore is too. A generation higher than the caller's means that the session has been
// claimed: Enter, Leave and Restore fail with event.ErrStaleTenancy and change nothing. A
// lower one is what a failover of the store left of the caller's session, and gives way with
// all of its stays. Enter and Restore fail with event.ErrUnvouched, and change nothing, when
// the record is not there or was not written in the present epoch by the caller's generation,
// and the caller does not vouch for this epoch: the claim of a later tenancy may be lost.
type Records interface {
	// Enter begins a stay in room, of that number, at the returned top, and writes the stays
	// that the record names as well, so that no record ever holds some of a session's rooms
	// only. A stay of an earlier number is replaced. If it was there under the same number or
	// a later one, it stays as it is, and the top is the one at which it began. With
	// event.ErrUnvouched it tells the top of the epoch that is to be vouched for.
	Enter(ctx context.Context, record event.Record, room event.Room, number uint64) (event.Top, error)
	// Leave ends a stay, if there is a record and the room is in it, unless it was joined
	// under a later number.
	Leave(ctx context.Context, tenancy event.Tenancy, room event.Room, number uint64) error
	// Part says that the connection has ended. A session that was left is over; the record of
	// a lost one is kept, and can be claimed until window has passed, unless it is of a lower
	// generation. Nothing is left to do, and nil returned, without a record or after a claim.
	// That a session is over is remembered for event.RecordGrace against lower generations.
	Part(ctx context.Context, tenancy event.Tenancy, left bool, window time.Duration) error
	// Claim takes a session over: it raises the generation, makes the instance its own
	// and tells all followers. It fails with event.ErrNoRecord when there is none, it is
	// another subject's, it was last written in an epoch before the present one, or its loss
	// is older than the claim's window; the record stays as it is. A loss is dated by Part,
	// and if there was none by the instance's lease, and without a lease by the last change.
	// Stays are in the order of their rooms' names. The top is of the epoch of the claim.
	Claim(ctx context.Context, claim event.Claim) (event.Record, event.Top, error)
	// Restore writes all of a record that the store may have lost, and keeps it alive. It
	// removes no stay and does not undo Part.
	Restore(ctx context.Context, record event.Record) error
}
