package hub

import (
	"slices"

	"github.com/roomcast/roomcast/internal/event"
)

// What the worker does with seats. These run in the worker, as tasks from its inbox.

// sit gives a member a seat and shuts its gate.
func (w *worker) sit(s *seat) {
	r := w.rooms[s.room]
	if r == nil {
		r = &room{}
		w.rooms[s.room] = r
	}
	s.index = len(r.seats)
	r.seats = append(r.seats, s)
	s.seating.seats = append(s.seating.seats, s)
	s.seating.gated = true
}

// unseat takes a seat away. The last seat of the room moves to its place.
func (w *worker) unseat(s *seat) {
	r := w.rooms[s.room]
	last := len(r.seats) - 1
	r.seats[s.index] = r.seats[last]
	r.seats[s.index].index = s.index
	r.seats[last] = nil
	r.seats = r.seats[:last]
	if last == 0 {
		delete(w.rooms, s.room)
	}
	member := s.seating
	member.seats = slices.DeleteFunc(member.seats, func(other *seat) bool { return other == s })
	w.hub.directory.remove(s.room, w.index)
}

// open writes first, then what was held and is news, and lets the member's events pass
// from now on.
func (w *worker) open(member *Seating, first []*event.Event) {
	events := first
	for _, e := range member.held {
		if s := member.seatIn(e.Room); s != nil && s.wants(e) {
			events = append(events, e)
		}
	}
	w.hub.options.Observer.Delivered(len(events) - len(first))
	member.gated, member.held, member.heldBytes = false, nil, 0
	member.member.Send(event.NewBatch(events...))
}

func (s *Seating) seatIn(room event.Room) *seat {
	for _, seat := range s.seats {
		if seat.room == room {
			return seat
		}
	}
	return nil
}
