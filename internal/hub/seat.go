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

// admit writes the answer to a join, the session's of that number, and what was missed, and
// opens the gate.
func (w *worker) admit(joined *seat, number uint64, found catchingUp, replies []*event.Event) {
	if instead, lost := w.hub.line.lost(found.top.Position, found.falls); lost {
		// The store has lost where it stood when it was asked.
		if number > 0 {
			joined.seating.member.Close(reasonReload) // its other rooms have to be told before
			return
		}
		w.hub.options.Observer.Resynced("discontinuity")
		found.top = instead
		found.missed = append(slices.Clip(found.missed), newResync(joined.room, instead.Position, "discontinuity"))
	}
	joined.place(found.top)
	member := joined.seating
	block := slices.Concat(replies, found.missed)
	if number > 0 {
		member.answered = number
		stampOffset(block, event.Offset{Position: found.top.Position, Joins: number})
	}
	w.open(member, found.top.Sequence, block)
}

// place notes up to where the seat's holder has the room, and drops from what is held for
// it what that covers.
func (s *seat) place(top event.Top) {
	s.after, s.past = top.Position, top.Previous.Epoch
	s.seating.held = slices.DeleteFunc(s.seating.held, func(e *event.Event) bool {
		return e.Room == s.room && !s.wants(e)
	})
}

// stampOffset gives the last event of a block the offset at which the client has all of
// it. Missed events are older than what the client has of other rooms, or newer than what
// it has yet to get of them: as long as it has a part of the block only, it holds an offset
// that cannot be continued.
func stampOffset(block []*event.Event, offset event.Offset) {
	last := len(block) - 1
	for last > 0 && block[last].IsAck() {
		last-- // clients look for offsets in events alone
	}
	for n, e := range block[:last] {
		block[n] = e.Carrying(event.NoRecovery)
	}
	block[last] = block[last].Carrying(offset.String())
}

// open writes a block for this member alone, behind what was held up to a sequence and
// before the rest of that, and lets the member's events pass from now on.
func (w *worker) open(member *Seating, upTo uint64, block []*event.Event) {
	if member.cut {
		return
	}
	var before, after []*event.Event
	for _, e := range member.held {
		switch {
		case !member.sits(e.Room):
		case !e.Position.IsZero() && e.Position.Sequence <= upTo:
			before = append(before, e)
		default:
			after = append(after, e)
		}
	}
	events := slices.Concat(before, block, after)
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

func (s *Seating) sits(room event.Room) bool {
	return slices.ContainsFunc(s.seats, func(seat *seat) bool { return seat.room == room })
}
