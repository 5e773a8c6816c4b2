package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/roomcast/roomcast/internal/event"
)

// What a session that was cut off is sent again: of each of its rooms, what came between
// where its client stands and the top, merged by sequence.

// errTooMuch says that a session has missed more than is replayed.
var errTooMuch = errors.New("more was missed than is replayed")

// errEpochEnded says that another Redis took the sequence over after the top was read.
var errEpochEnded = errors.New("an epoch has ended meanwhile")

// startOf is from where on a session is given what a room had: from the client's offset,
// or from where it joined the room, whichever is later. Sequences rise over epochs, so
// that they tell which it is; good means that it is a place in the present sequence.
func startOf(joined, offset event.Position, top event.Top) (sequence uint64, good bool) {
	at := joined
	if offset.Sequence > at.Sequence {
		at = offset
	}
	return at.Sequence, top.Continues(at)
}

// missedByAll reads what a session's rooms had since it was cut off and up to the top, in
// the order of the sequence, and which of them cannot be continued.
func (h *Hub) missedByAll(ctx context.Context, stays []event.Stay, offset event.Position, top event.Top) (
	missed []*event.Event, losses []loss, err error) {
	starts := make(map[event.Room]uint64, len(stays))
	var rooms []event.Room // in the order of the stays
	for _, stay := range stays {
		if start, good := startOf(stay.Joined, offset, top); good {
			starts[stay.Room] = start
			rooms = append(rooms, stay.Room)
		} else {
			losses = append(losses, loss{stay.Room, "unknown_position"})
		}
	}
	changed, err := h.changedSince(ctx, rooms, starts)
	if err != nil {
		return nil, nil, err
	}
	size := 0
	for _, room := range changed {
		events, verdict, err := h.missedBy(ctx, room, starts[room], top)
		switch {
		case err != nil:
			return nil, nil, err
		case verdict == gone:
			losses = append(losses, loss{room, "history_gone"})
			continue
		}
		for _, e := range events {
			size += e.Size()
		}
		if verdict == tooMuch || size > h.options.ReplayBytes {
			return nil, nil, errTooMuch
		}
		missed = append(missed, events...)
	}
	slices.SortFunc(missed, func(a, b *event.Event) int { return cmp.Compare(a.Position.Sequence, b.Position.Sequence) })
	return missed, losses, nil
}

func (h *Hub) missedBy(ctx context.Context, room event.Room, start uint64, top event.Top) ([]*event.Event, verdict, error) {
	found, err := h.histories.read(ctx, room, start)
	if err == nil && found.Top.Epoch != top.Epoch {
		err = errEpochEnded
	}
	if err != nil {
		return nil, gone, fmt.Errorf("reading the history of a room: %w", err)
	}
	events, verdict := missedIn(found, start, h.options.ReplayBytes)
	return upTo(events, top.Sequence), verdict, nil
}

// changedSince is those of the rooms that may have had something after their starts.
func (h *Hub) changedSince(ctx context.Context, rooms []event.Room, starts map[event.Room]uint64) ([]event.Room, error) {
	if len(rooms) < 2 {
		return rooms, nil // asking is no cheaper than reading
	}
	return h.store.Changed(ctx, rooms, slices.Min(slices.Collect(maps.Values(starts))))
}
