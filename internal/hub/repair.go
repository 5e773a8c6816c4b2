package hub

import (
	"cmp"
	"context"
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
		h.line.enter(top)
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
	if top.Epoch != last.Epoch {
		h.line.enter(top)
	}
	switch {
	case top.Position == last:
		return
	case !top.Continues(last):
		// Sequences were lost or given out twice: no room can be vouched for.
		h.options.Logger.Warn("the sequence does not continue, rooms must reload",
			"cause", cause, "heard", last.String(), "top", top.String())
		r := rupture{top: top.Position, fell: top.Epoch == last.Epoch}
		if r.fell {
			h.line.fall(top)
		}
		for _, room := range h.directory.list() {
			r.losses = append(r.losses, loss{room, "discontinuity"})
		}
		h.resync(r)
	default:
		h.options.Logger.Info("filling a hole in the channel", "cause", cause, "events", top.Sequence-last.Sequence)
		if top.Epoch != last.Epoch {
			h.resyncAhead(last)
		}
		if !h.fill(last, top) {
			return
		}
	}
	h.options.Observer.Repaired(cause)
	h.line.advance(top.Position)
	if top.Epoch != last.Epoch || top.Sequence < last.Sequence {
		h.wantRestore()
	}
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
	r := rupture{top: top.Position, moving: make(map[event.Room]bool)}
	size := 0
	for _, room := range changed {
		history, ok := h.insistOnHistory(room, last.Sequence)
		if !ok {
			return false
		}
		events, verdict := missedIn(history, last.Sequence, min(roomRepairBytes, repairBytes-size))
		if verdict != whole {
			r.losses = append(r.losses, loss{room, "history_gone"})
			continue
		}
		for _, e := range events {
			size += e.Size()
		}
		// What is after the top will be heard; here it would come too early for the rooms
		// that were read before it was published.
		if events = upTo(events, top.Sequence); len(events) > 0 {
			r.moving[room] = true
			missed = append(missed, events...)
		}
	}
	h.resync(r)
	slices.SortFunc(missed, func(a, b *event.Event) int {
		return cmp.Compare(a.Position.Sequence, b.Position.Sequence)
	})
	for _, e := range missed {
		h.dispatch(inItsEpoch(e, last, top))
	}
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
			ctx, cancel := context.WithTimeout(ctx, readTimeout)
			defer cancel()
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

// readTimeout bounds one answer of the store that more than one member waits for.
const readTimeout = 5 * time.Second

func (h *Hub) readTop(ctx context.Context) (event.Top, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return h.store.Top(ctx)
}

func (h *Hub) insistOnTop() (top event.Top, ok bool) {
	ok = h.insist("reading the top", func(ctx context.Context) (err error) {
		top, err = h.readTop(ctx)
		return err
	})
	return top, ok
}

func (h *Hub) insistOnHistory(room event.Room, after uint64) (found event.Range, ok bool) {
	ok = h.insist("reading a room's history", func(ctx context.Context) (err error) {
		found, err = readHistory(ctx, h.store, room, after, roomRepairBytes)
		return err
	})
	return found, ok
}

// insist repeats a read, which bounds its own time, until it succeeds: there is nothing sensible to hear before. It
// returns false when the hub stops. Readiness fails meanwhile, since no heartbeat is heard.
func (h *Hub) insist(what string, read func(ctx context.Context) error) bool {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		err := read(h.ctx)
		if err == nil {
			return true
		}
		h.options.Logger.Warn("a read from the store failed, trying again", "what", what, "error", err)
		select {
		case <-time.After(pause/2 + rand.N(pause)): //nolint:gosec // no secret
		case <-h.ctx.Done():
			return false
		}
	}
}
