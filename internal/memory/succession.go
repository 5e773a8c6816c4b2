package memory

import (
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

// Succeed does to the bus what a failover of Redis does, or its restart: another process
// counts on, under a new epoch, from what it has got of the data, which is everything up
// to a sequence. All followers are cut off. In one process nothing of the kind happens by
// itself: this is for showing, and testing, what instances make of it.
func (b *Bus) Succeed(kept uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.previous = event.Position{Epoch: b.top.Epoch, Sequence: min(kept, b.top.Sequence)}
	b.top = event.Position{
		Epoch:    newEpoch(),
		Sequence: max(uint64(time.Now().UnixMicro()), b.top.Sequence+1),
	}
	b.index.rollBack(b.previous.Sequence, b.top.Epoch)
	for id, known := range b.ids.answers {
		if known.position.Sequence > b.previous.Sequence {
			b.ids.expiry.remove(known)
			delete(b.ids.answers, id)
		}
	}
	b.cutOff()
}

// Wipe does what a restart without data does: nothing is known any more.
func (b *Bus) Wipe() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.previous = event.Position{}
	b.top = event.Position{
		Epoch:    newEpoch(),
		Sequence: max(uint64(time.Now().UnixMicro()), b.top.Sequence+1),
	}
	b.index = newIndex(b.options)
	b.ids = ids{answers: make(map[string]*answer)}
	b.records = newRecords()
	b.cutOff()
}

// CutOff ends all subscriptions, as a lost connection to Redis does; the followers come
// back by themselves.
func (b *Bus) CutOff() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cutOff()
}

func (b *Bus) cutOff() {
	for f := range b.followers {
		delete(b.followers, f)
		close(f.queue)
	}
}

// rollBack forgets what was published after a sequence, and gives the rest another epoch.
func (x *index) rollBack(kept uint64, epoch string) {
	for _, r := range x.rooms {
		var rest []entry
		r.bytes = 0
		for _, e := range r.history {
			if e.event.Position.Sequence > kept {
				if r.last > kept {
					r.last = e.event.Previous
				}
				continue
			}
			at := event.Position{Epoch: epoch, Sequence: e.event.Position.Sequence}
			moved := event.NewDelivery(r.name, at, e.event.Previous, e.event.Object())
			rest = append(rest, entry{event: moved, at: e.at})
			r.bytes += moved.Size()
		}
		r.history = rest
		if len(rest) == 0 && r.inStore != nil {
			x.stored.Remove(r.inStore)
			r.inStore = nil
		}
	}
}
