package memory

import (
	"container/list"
	"slices"
	"sort"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

// index knows the rooms that were published to last, with their histories.
type index struct {
	options Options
	rooms   map[event.Room]*room
	quiet   *list.List // *room, the one published to longest ago in front
	stored  *list.List // those of them with a history, in the same order
	floor   uint64     // highest sequence at which a room was forgotten
}

type room struct {
	name    event.Room
	last    uint64        // sequence of the last publication
	inQuiet *list.Element // this room's place in index.quiet
	inStore *list.Element // and in index.stored, nil without a history

	history []entry // in sequence order
	bytes   int     // of the objects in history
}

type entry struct {
	event *event.Event
	at    time.Time
}

func newIndex(options Options) index {
	return index{options: options, rooms: make(map[event.Room]*room), quiet: list.New(), stored: list.New()}
}

// previous is the sequence of the room's last publication. Of a room that the index does
// not hold it is only known that it was not published to after the floor.
func (x *index) previous(name event.Room) uint64 {
	if known := x.rooms[name]; known != nil {
		return known.last
	}
	return x.floor
}

// add keeps an event in its room's history and drops what is past its bounds.
func (x *index) add(published *event.Event, now time.Time) {
	x.expire(now)
	r := x.rooms[published.Room]
	if r == nil {
		r = &room{name: published.Room}
		r.inQuiet = x.quiet.PushBack(r)
		x.rooms[r.name] = r
	}
	x.quiet.MoveToBack(r.inQuiet)
	if r.inStore == nil {
		r.inStore = x.stored.PushBack(r)
	}
	x.stored.MoveToBack(r.inStore)

	r.last = published.Position.Sequence
	r.history = append(r.history, entry{event: published, at: now})
	r.bytes += published.Size()
	r.trim(x.options, now)
	if len(x.rooms) > x.options.RoomIndexSize {
		x.forget(x.quiet.Front().Value.(*room))
	}
}

// expire drops the histories of rooms that had no publication for as long as one lives.
func (x *index) expire(now time.Time) {
	for front := x.stored.Front(); front != nil; front = x.stored.Front() {
		r := front.Value.(*room)
		if now.Sub(r.history[len(r.history)-1].at) <= x.options.HistoryTTL {
			return
		}
		x.stored.Remove(front)
		r.inStore, r.history, r.bytes = nil, nil, 0
	}
}

func (x *index) forget(r *room) {
	x.floor = r.last
	x.quiet.Remove(r.inQuiet)
	if r.inStore != nil {
		x.stored.Remove(r.inStore)
	}
	delete(x.rooms, r.name)
}

// trim drops the oldest events past the bounds; the newest always stays.
func (r *room) trim(options Options, now time.Time) {
	past := 0
	for past < len(r.history)-1 {
		oldest := r.history[past]
		if len(r.history)-past <= options.HistorySize && r.bytes <= options.HistoryBytes && now.Sub(oldest.at) <= options.HistoryTTL {
			break
		}
		r.bytes -= oldest.event.Size()
		past++
	}
	// Delete would move the whole history for each event once it is full; the array is
	// left behind as it is instead, and append makes a new one when its end is reached.
	clear(r.history[:past])
	r.history = r.history[past:]
}

// after is the part of the history after a sequence.
func (r *room) after(sequence uint64) []entry {
	first := sort.Search(len(r.history), func(i int) bool {
		return r.history[i].event.Position.Sequence > sequence
	})
	return slices.Clip(r.history[first:])
}
