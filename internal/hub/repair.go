package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

// Repair fills what this instance did not hear, from the store's history, in the goroutine
// that hears the channel: nothing that is heard later can overtake it, so no queue is
// needed to put the two in order.

const (
	// repairBytes bounds the events one repair holds at a time, in bytes of JSON. Rooms
	// beyond it are told to reload.
	repairBytes = 64 << 20
	// roomRepairBytes bounds one room's part in it.
	roomRepairBytes = 4 << 20
	// changedChunk is how many rooms one question to the index names.
	changedChunk = 1000
)

// setBaseline starts the line where the channel stands.
func (h *Hub) setBaseline() {
	if top, ok := h.insistOnTop(); ok {
		h.line.advance(top.Position)
	}
}

// repair brings the line up to the channel's present top. Rooms whose events in between
// cannot all be produced get a RESYNC.
func (h *Hub) repair(cause string) {
	top, ok := h.insistOnTop()
	if !ok {
		return // the hub is stopping
	}
	last := h.line.position()
	switch {
	case top.Position == last:
		return
	case !top.Continues(last):
		// Sequences were lost or given out twice: no room can be vouched for.
		h.options.Logger.Warn("the sequence does not continue, rooms must reload",
			"cause", cause, "heard", last.String(), "top", top.String())
		h.resync(h.directory.list(), top.Position, "discontinuity")
	default:
		h.options.Logger.Info("filling a hole in the channel", "cause", cause, "events", top.Sequence-last.Sequence)
		if !h.fill(last, top) {
			return
		}
	}
	h.options.Observer.Repaired(cause)
	h.line.advance(top.Position)
}

// checkTop looks whether the sequence has fallen back. A heartbeat from before the line is
// hardly ever a sign of that: a repair has read ahead of the bus. It must not make this
// instance read further ahead, or on a busy channel the bus would never catch up.
func (h *Hub) checkTop() {
	if top, ok := h.insistOnTop(); ok && !top.Continues(h.line.position()) {
		h.repair("heartbeat")
	}
}

// fill delivers what the local rooms had after the last position up to the top, merged.
// It returns false, and has delivered nothing, when the hub stops.
func (h *Hub) fill(last event.Position, top event.Top) bool {
	if last.Sequence == top.Sequence {
		return true // a new epoch alone
	}
	changed, ok := h.changed(last.Sequence)
	if !ok {
		return false
	}
	var missed []*event.Event
	var unproven []event.Room
	size := 0
	for _, room := range changed {
		history, ok := h.insistOnHistory(room, last.Sequence)
		if !ok {
			return false
		}
		if !history.proven || size+history.size > repairBytes {
			unproven = append(unproven, room)
			continue
		}
		missed = append(missed, history.missed...)
		size += history.size
	}
	slices.SortFunc(missed, func(a, b *event.Event) int {
		return cmp.Compare(a.Position.Sequence, b.Position.Sequence)
	})
	for _, e := range missed {
		// What is after the top will be heard; here it would come too early for the rooms
		// that were read before it was published.
		if e.Position.Sequence <= top.Sequence {
			h.dispatch(inItsEpoch(e, last, top))
		}
	}
	h.resync(unproven, top.Position, "history_gone")
	return true
}

// inItsEpoch gives an event up to the top the epoch it was published in: histories are
// told with that of the moment they are read, and members may have got the event before.
func inItsEpoch(e *event.Event, last event.Position, top event.Top) *event.Event {
	at := event.Position{Epoch: top.Epoch, Sequence: e.Position.Sequence}
	if last.Epoch != top.Epoch && at.Sequence <= top.Previous.Sequence {
		at.Epoch = last.Epoch
	}
	if e.Position == at {
		return e
	}
	return event.NewDelivery(e.Room, at, e.Previous, e.Object())
}

// changed asks which of the local rooms had something after the sequence. It returns
// false when the hub stops.
func (h *Hub) changed(after uint64) (changed []event.Room, ok bool) {
	for chunk := range slices.Chunk(h.directory.list(), changedChunk) {
		ok = h.insist("asking which rooms changed", func(ctx context.Context) error {
			some, err := h.store.Changed(ctx, chunk, after)
			if err == nil {
				changed = append(changed, some...)
			}
			return err
		})
		if !ok {
			return nil, false
		}
	}
	return changed, true
}

func (h *Hub) insistOnTop() (top event.Top, ok bool) {
	ok = h.insist("reading the top", func(ctx context.Context) (err error) {
		top, err = h.store.Top(ctx)
		return err
	})
	return top, ok
}

func (h *Hub) insistOnHistory(room event.Room, after uint64) (history catchingUp, ok bool) {
	ok = h.insist("reading a room's history", func(ctx context.Context) (err error) {
		history, err = h.readHistory(ctx, room, after, roomRepairBytes)
		return err
	})
	return history, ok
}

// insist repeats a read until it succeeds: there is nothing sensible to hear before. It
// returns false when the hub stops. Readiness fails meanwhile, since no heartbeat is heard.
func (h *Hub) insist(what string, read func(ctx context.Context) error) bool {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		ctx, cancel := context.WithTimeout(h.ctx, topTimeout)
		err := read(ctx)
		cancel()
		if err == nil {
			return true
		}
		h.options.Logger.Warn("a read from the store failed, trying again", "what", what, "error", err)
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-h.ctx.Done():
			return false
		}
	}
}

// resync tells the members of rooms that they must reload.
func (h *Hub) resync(rooms []event.Room, top event.Position, cause string) {
	for _, room := range rooms {
		h.options.Observer.Resynced(cause)
		h.dispatch(newResync(room, top, cause))
	}
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
