package hub

import (
	"context"
	"encoding/json"

	"github.com/roomcast/roomcast/internal/event"
)

// A RESYNC tells a room's members that continuity cannot be proven: they must reload.
//
// It is written before anything later of the same session: behind events of other rooms it
// could be lost with the connection, and the client's offset would say that all was well.

// loss is a room of which something cannot be produced, and why.
type loss struct {
	room  event.Room
	cause string
}

// newResync makes the event that tells a room's members that continuity up to the
// position is not certain.
func newResync(room event.Room, top event.Position, cause string) *event.Event {
	object, _ := json.Marshal(struct { // strings always marshal
		Event     string            `json:"event"`
		Workspace string            `json:"workspaceId"`
		App       string            `json:"appId"`
		Payload   map[string]string `json:"payload"`
	}{"RESYNC", room.Workspace, room.App, map[string]string{"reason": cause}})
	return event.NewDelivery(room, top, 0, string(object))
}

// restart makes the block of a session that cannot be continued in all its rooms: RESYNCs,
// then what it missed in the others. A room that is lost is joined anew, at the top, and its
// RESYNC is the answer to that: the last of them, and whatever follows it up to the top,
// carries the number of that join. A client that is cut off before has not got the answer.
func (s *Seating) restart(ctx context.Context, losses []loss, missed []*event.Event, offset event.Offset, top event.Position) ([]*event.Event, error) {
	before := offset.String()
	offset.Joins = s.nextJoin()
	var block []*event.Event
	for n, loss := range losses {
		s.hub.options.Observer.Resynced(loss.cause)
		anew := s.find(loss.room)
		anew.joined, anew.number = top, offset.Joins
		resync := newResync(loss.room, top, loss.cause)
		switch {
		case n < len(losses)-1:
			resync = resync.Carrying(before)
		case len(missed) > 0:
			resync = resync.Carrying(offset.String())
		default:
			resync = resync.Carrying(event.Offset{Position: top, Joins: offset.Joins}.String())
		}
		block = append(block, resync)
	}
	for _, e := range missed {
		block = append(block, e.Carrying(event.Offset{Position: e.Position, Joins: offset.Joins}.String()))
	}
	return block, s.hub.store.Restore(ctx, s.record())
}

// rupture is a place in the sequence at which some rooms could not be continued.
type rupture struct {
	losses []loss
	top    event.Position      // from here on everything will be heard again
	fell   bool                // the top is lower than what was heard, in the same epoch
	moving map[event.Room]bool // rooms that are about to get what they had in between
}

// resync tells the members of all workers.
func (h *Hub) resync(r rupture) {
	concerned := make([]bool, len(h.workers))
	for _, loss := range r.losses {
		h.options.Observer.Resynced(loss.cause)
		h.directory.each(loss.room, func(worker int) { concerned[worker] = true })
	}
	for n, w := range h.workers {
		if concerned[n] {
			w.inbox.post(work{task: func() { w.resync(r) }})
		}
	}
}

// notice is the RESYNC of one room, alone for those who get no other.
type notice struct {
	event *event.Event
	batch *event.Batch
}

// resync gives each member the RESYNCs of all its rooms at once.
func (w *worker) resync(r rupture) {
	if r.fell {
		w.last = r.top // or the next offset would be in the lost part
	}
	notices := make(map[event.Room]notice, len(r.losses))
	var members []*Seating
	rooms := make(map[*Seating][]event.Room)
	for _, loss := range r.losses {
		here := w.rooms[loss.room]
		if here == nil {
			continue
		}
		resync := newResync(loss.room, r.top, loss.cause)
		notices[loss.room] = notice{resync, event.NewBatch(resync)}
		here.last = r.top
		for _, s := range here.seats {
			if r.fell {
				s.after = r.top // or what is given out again would be taken for what it has
			} else if !s.wants(resync) {
				continue
			}
			if rooms[s.seating] == nil {
				members = append(members, s.seating)
			}
			rooms[s.seating] = append(rooms[s.seating], loss.room)
		}
	}
	delivered := 0
	for _, member := range members {
		delivered += w.giveResyncs(member, rooms[member], notices, r)
	}
	w.hub.options.Observer.Delivered(delivered)
}

// giveResyncs hands a member the RESYNCs of rooms, which is at least one. A member with an
// offset that is to get missed events too, or the answer to a join, is closed: its offset
// cannot say that it was told of the one and has yet to get the other. When it comes back,
// its session's record can.
func (w *worker) giveResyncs(member *Seating, rooms []event.Room, notices map[event.Room]notice, r rupture) int {
	moves, offsets := false, false
	for _, s := range member.seats {
		moves = moves || r.moving[s.room]
		offsets = offsets || s.offsets
	}
	if offsets && (moves || member.gated) {
		member.member.Close(reasonReload)
		return 0
	}
	if len(rooms) == 1 && !member.gated {
		member.member.Send(notices[rooms[0]].batch)
		return 1
	}
	events := make([]*event.Event, len(rooms))
	for n, room := range rooms {
		events[n] = notices[room].event
		if n < len(rooms)-1 {
			// A client that has got only some of them cannot be continued.
			events[n] = events[n].Carrying(event.NoRecovery)
		}
	}
	return w.giveEvents(member, events)
}

// reasonReload is why a connection ends whose client is told more by its next one.
const reasonReload = "continuity lost"

// resyncAhead tells those members that have read, as they joined, what this instance had
// not heard yet and what the store has lost since. They are few.
func (h *Hub) resyncAhead(last event.Position) {
	for _, w := range h.workers {
		w.inbox.post(work{task: func() { w.resyncAhead(last) }})
	}
}

func (w *worker) resyncAhead(last event.Position) {
	for name, room := range w.rooms {
		for _, s := range room.seats {
			instead, lost := w.hub.line.lost(s.after, w.hub.line.fallen())
			if !lost || w.hub.line.reaches(last, s.after) {
				continue
			}
			if s.offsets {
				s.seating.member.Close(reasonReload)
				continue
			}
			w.hub.options.Observer.Resynced("discontinuity")
			s.after, s.past = instead.Position, instead.Previous.Epoch // it stands for what is filled in, too
			w.giveEvents(s.seating, []*event.Event{newResync(name, instead.Position, "discontinuity")})
		}
	}
}
