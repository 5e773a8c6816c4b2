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

// open writes the replies, then what the member missed in the joined room and what was
// held and is news, and lets the member's events pass from now on. The two are merged: one
// offset stands for all rooms, so an older event behind a newer one could be lost.
func (w *worker) open(member *Seating, replies, missed []*event.Event) {
	if member.cut {
		return
	}
	events := replies
	for _, e := range member.held {
		if s := member.seatIn(e.Room); s == nil || !s.wants(e) {
			continue
		}
		for len(missed) > 0 && missed[0].Position.Sequence < e.Position.Sequence {
			events, missed = append(events, missed[0]), missed[1:]
		}
		events = append(events, e)
	}
	events = append(events, missed...)
	w.hub.options.Observer.Delivered(len(events) - len(replies))
	member.gated, member.held, member.heldBytes = false, nil, 0
	member.member.Send(event.NewBatch(events...))
}

// reached is the position up to which a seat's holder has been given the room, when
// everything heard has been. The worker may be past that in this room; in a repair it may
// at the same time not have come to another. And the holder may have read ahead as it
// joined. Sequences rise over epochs as well; where data was lost they may not, and then
// the position of the lost part, which cannot be continued, makes the member reload.
func (w *worker) reached(s *seat, heard event.Position) event.Position {
	at := heard
	if last := w.rooms[s.room].last; last.Sequence > at.Sequence {
		at = last
	}
	if s.knows(at) {
		at = s.after
	}
	return at
}

func (s *Seating) seatIn(room event.Room) *seat {
	for _, seat := range s.seats {
		if seat.room == room {
			return seat
		}
	}
	return nil
}
