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
	if !s.seating.gated {
		// From now on nothing is written: what is held must not count as written.
		s.seating.high = w.written(s.seating)
	}
	s.seating.seats = append(s.seating.seats, s)
	s.seating.gated = true
}

// unseat takes a seat away. The last seat of the room moves to its place.
func (w *worker) unseat(s *seat) {
	if !s.seating.gated {
		s.seating.high = w.written(s.seating) // what it got in this room counts on
	}
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

// open writes a block for this member alone, then what was held and is news, and lets the
// member's events pass from now on.
func (w *worker) open(member *Seating, block []*event.Event) {
	if member.cut {
		return
	}
	events := block
	for _, e := range member.held {
		if s := member.seatIn(e.Room); s != nil && s.wants(e) {
			events = append(events, e)
		}
	}
	delivered := 0
	for _, e := range events {
		if e.Object() != "" { // replies are no deliveries
			delivered++
		}
	}
	w.hub.options.Observer.Delivered(delivered)
	member.gated, member.held, member.heldBytes = false, nil, 0
	if len(events) > 0 {
		member.member.Send(event.NewBatch(events...))
	}
}

// withoutOffset is the block of a join: the replies and what was missed. The missed events
// are older than what the member has of its other rooms, or newer than what it has yet to
// get, so none of them can be the offset that stands for all rooms. As long as the client
// has a part of them only, it holds an offset that cannot be recovered; the last gives it
// its own back. The joined room is continued from the stay's beginning in the record.
func (w *worker) withoutOffset(joining *seat, replies, missed []*event.Event) []*event.Event {
	block := append(replies, missed...)
	member := joining.seating
	if member.tenure == nil || len(missed) == 0 {
		return block
	}
	for n, e := range block[:len(block)-1] {
		block[n] = e.Carrying(event.NoRecovery)
	}
	last := len(block) - 1
	block[last] = block[last].Carrying(member.offset().String())
	return block
}

// offset is where a gated member's client stands in all of its rooms.
func (s *Seating) offset() event.Position {
	if !s.high.IsZero() {
		return s.high
	}
	// Nothing was written yet: any place is right that is not after the beginning of one
	// of its seats.
	at := s.seats[0].after
	for _, seat := range s.seats {
		if seat.after.Sequence < at.Sequence {
			at = seat.after
		}
	}
	return at
}

// written is the highest offset that a member without a shut gate was given.
func (w *worker) written(member *Seating) event.Position {
	high := member.high
	for _, s := range member.seats {
		at := w.rooms[s.room].high
		if at.Sequence > high.Sequence && !s.knows(at) {
			high = at
		}
	}
	return high
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
