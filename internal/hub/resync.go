package hub

import (
	"encoding/json"

	"github.com/roomcast/roomcast/internal/event"
)

// A RESYNC tells a room's members that continuity cannot be proven: they must reload.
//
// It is written before anything later of the same session, and with the offset that the
// session had before the loss: a client whose connection is lost right behind it, or right
// before it, is then told again. Written after later events of other rooms it could be lost
// with the connection, and the client's offset would say that all was well. Only where
// nothing else is to come up to the top may the last RESYNC move the offset there.

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

// resyncsBefore makes the RESYNCs that stand before what a session missed in its other rooms.
func (h *Hub) resyncsBefore(missed []*event.Event, losses []loss, offset, top event.Position) []*event.Event {
	var resyncs []*event.Event
	for n, loss := range losses {
		h.options.Observer.Resynced(loss.cause)
		resync := newResync(loss.room, top, loss.cause)
		if n < len(losses)-1 || len(missed) > 0 {
			resync = resync.Carrying(offsetText(offset))
		}
		resyncs = append(resyncs, resync)
	}
	return resyncs
}

// offsetText is a position as an offset, none for the zero one.
func offsetText(offset event.Position) string {
	if offset.IsZero() {
		return ""
	}
	return offset.String()
}

// rupture is a place in the sequence at which some rooms could not be continued.
type rupture struct {
	losses []loss
	from   event.Position      // up to here everything was heard
	top    event.Position      // from here on everything will be
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

// notice is the RESYNC of one room in both forms that its members may get.
type notice struct {
	early, final           *event.Event // with the offset from before, or the top
	earlyBatch, finalBatch *event.Batch // for all who get no other
}

// resync gives each member the RESYNCs of all its rooms at once.
func (w *worker) resync(r rupture) {
	notices := make(map[event.Room]*notice, len(r.losses))
	var members []*Seating
	rooms := make(map[*Seating][]event.Room)
	for _, loss := range r.losses {
		here := w.rooms[loss.room]
		if here == nil {
			continue
		}
		final := newResync(loss.room, r.top, loss.cause)
		early := final.Carrying(offsetText(r.from))
		notices[loss.room] = &notice{early, final, event.NewBatch(early), event.NewBatch(final)}
		here.last = r.top
		for _, s := range here.seats {
			if !s.wants(final) {
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

func (w *worker) giveResyncs(member *Seating, rooms []event.Room, notices map[event.Room]*notice, r rupture) int {
	moves := false
	for _, s := range member.seats {
		moves = moves || r.moving[s.room]
	}
	first := notices[rooms[0]]
	if !member.gated && !moves {
		member.high = r.top
	}
	switch {
	case len(rooms) > 1 || member.gated:
		events := make([]*event.Event, len(rooms))
		for n, room := range rooms {
			events[n] = notices[room].early
		}
		if !moves {
			events[len(events)-1] = notices[rooms[len(rooms)-1]].final
		}
		return w.giveEvents(member, events)
	case moves:
		member.member.Send(first.earlyBatch)
	default:
		member.member.Send(first.finalBatch)
	}
	return 1
}
