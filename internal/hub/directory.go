package hub

import (
	"sync"

	"github.com/roomcast/roomcast/internal/event"
)

// directory knows which workers have members in a room, and so which rooms this instance
// serves. It is written when a seat is asked for, before the worker knows of it, so that
// whoever finds a room absent can be sure that no member waits for its events.
type directory struct {
	observer Observer
	workers  int

	mu    sync.RWMutex
	rooms map[event.Room][]int32 // seats by worker
}

func (d *directory) init(workers int, observer Observer) {
	d.workers, d.observer = workers, observer
	d.rooms = make(map[event.Room][]int32)
}

func (d *directory) add(room event.Room, worker int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	seats := d.rooms[room]
	if seats == nil {
		seats = make([]int32, d.workers)
		d.rooms[room] = seats
		d.observer.RoomsChanged(1)
	}
	seats[worker]++
	d.observer.MembersChanged(1)
}

func (d *directory) remove(room event.Room, worker int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	seats := d.rooms[room]
	seats[worker]--
	d.observer.MembersChanged(-1)
	for _, n := range seats {
		if n > 0 {
			return
		}
	}
	delete(d.rooms, room)
	d.observer.RoomsChanged(-1)
}

// each calls visit with every worker that has members in the room. visit may wait for
// space in an inbox, which no worker needs the directory to make.
func (d *directory) each(room event.Room, visit func(worker int)) {
	d.mu.RLock()
	seats := d.rooms[room]
	var few [8]int
	found := few[:0]
	for worker, n := range seats {
		if n > 0 {
			found = append(found, worker)
		}
	}
	d.mu.RUnlock()
	for _, worker := range found {
		visit(worker)
	}
}

// list is every room with members here.
func (d *directory) list() []event.Room {
	d.mu.RLock()
	defer d.mu.RUnlock()
	rooms := make([]event.Room, 0, len(d.rooms))
	for room := range d.rooms {
		rooms = append(rooms, room)
	}
	return rooms
}
