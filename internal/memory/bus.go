// Package memory is the store of instances that share one process: the embedded default,
// where one instance is alone, and demonstrations and tests with several. It keeps the
// same promises as the redis package as long as the process lives.
package memory

import (
	"crypto/rand"
	"strings"
	"sync"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

const (
	// DefaultRoomIndexSize bounds the rooms that a bus knows. At about 300 bytes for a room
	// without history it takes 30 MB.
	DefaultRoomIndexSize = 100_000

	// queueLength and queueBytes bound what waits for one follower. One that is further
	// behind is cut off and repairs its loss from the histories, like after a lost connection.
	queueLength = 4096
	queueBytes  = 16 << 20

	// maxIDs bounds the publish ids that are remembered. It takes 1600 publications a second
	// over the minute of an ordinary id to reach it, 160 over the ten of a caller's key.
	maxIDs = 100_000
)

// Options of a Bus. HistorySize, HistoryBytes and HistoryTTL must be positive.
type Options struct {
	// What each room keeps, whichever bound is reached first; its newest event until HistoryTTL.
	HistorySize  int           // events
	HistoryBytes int           // of objects
	HistoryTTL   time.Duration // from an event's publication on

	RoomIndexSize int // DefaultRoomIndexSize if zero
}

// Bus is one channel, its sequence, the history of its rooms and the records of its sessions.
type Bus struct {
	options Options

	mu        sync.Mutex // guards everything below and inside; held for moments only
	top       event.Position
	previous  event.Position // where the epoch before ended
	index     index
	ids       ids
	records   records
	followers map[*follower]struct{}
}

// NewBus makes a channel of its own.
func NewBus(options Options) *Bus {
	if options.RoomIndexSize == 0 {
		options.RoomIndexSize = DefaultRoomIndexSize
	}
	return &Bus{
		options: options,
		top: event.Position{
			Epoch: newEpoch(),
			// As in Redis, so that numbers look the same wherever they come from.
			Sequence: uint64(time.Now().UnixMicro()),
		},
		index:     newIndex(options),
		ids:       ids{answers: make(map[string]*answer)},
		records:   newRecords(),
		followers: make(map[*follower]struct{}),
	}
}

func newEpoch() string { return strings.ToLower(rand.Text()[:8]) }

// Store is access to the bus for one instance.
func (b *Bus) Store() *Store { return &Store{bus: b} }

// standing is where the sequence stands. It is called under mu.
func (b *Bus) standing() event.Top { return event.Top{Position: b.top, Previous: b.previous} }

func (b *Bus) publish(publication event.Publication, now time.Time) (event.Receipt, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ids.expire(now)
	if known := b.ids.answers[publication.ID]; known != nil {
		if known.fingerprint != publication.Fingerprint {
			return event.Receipt{}, event.ErrIDReused
		}
		return event.Receipt{Position: known.position, Duplicate: true}, nil
	}
	b.top.Sequence++
	published := event.NewDelivery(publication.Room, b.top, b.index.previous(publication.Room), publication.Object)
	b.index.add(published, now)
	b.ids.remember(publication, b.top, now)
	b.tell(notice{event: published})
	return event.Receipt{Position: b.top}, nil
}

func (b *Bus) beat(instance string, sent time.Duration, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records.renew(instance, now)
	b.tell(notice{beat: event.Heartbeat{Instance: instance, Sent: sent, Position: b.top}})
}

// tell queues a notice for every follower, all in the same order. It is called under mu
// and never waits.
func (b *Bus) tell(n notice) {
	for f := range b.followers {
		if !f.offer(n) {
			delete(b.followers, f)
			close(f.queue)
		}
	}
}

// join makes a follower that hears everything from now on.
func (b *Bus) join() *follower {
	f := &follower{queue: make(chan notice, queueLength)}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.followers[f] = struct{}{}
	return f
}

func (b *Bus) leave(f *follower) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.followers, f)
}
