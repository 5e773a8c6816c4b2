package hub

import (
	"context"
	"math"
	"sync"

	"github.com/roomcast/roomcast/internal/event"
)

// pageBytes bounds one read of a history, in bytes of JSON: over a slow link to the store a
// page has to arrive within readTimeout.
const pageBytes = 256 << 10

// readHistory reads a room's events after a sequence, page by page, until they are all or
// more than maxBytes of JSON. Each page has readTimeout.
func readHistory(ctx context.Context, store Store, room event.Room, after uint64, maxBytes int) (event.Range, error) {
	var events []*event.Event
	for size := 0; ; {
		page, err := readPage(ctx, store, room, after, min(pageBytes, maxBytes-size))
		if err != nil {
			return event.Range{}, err
		}
		for _, e := range page.Events {
			size += e.Size()
		}
		events = append(events, page.Events...)
		// A page has one event at least, however large.
		if !page.More || len(page.Events) == 0 || size > maxBytes {
			page.Events = events
			return page, nil
		}
		after = events[len(events)-1].Position.Sequence
	}
}

func readPage(ctx context.Context, store Store, room event.Room, after uint64, maxBytes int) (event.Range, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return store.Range(ctx, room, after, maxBytes)
}

// verdict is whether what was read is all that a member missed.
type verdict int

const (
	whole   verdict = iota
	gone            // the history does not reach back to where the member was
	tooMuch         // there is more than is replayed
)

// missedIn is what a room had after a sequence that is not before the one that was read
// from: all of it, if the verdict is whole.
func missedIn(found event.Range, after uint64, maxBytes int) ([]*event.Event, verdict) {
	rest, size := found.Since(after), 0
	for _, e := range rest.Events {
		size += e.Size()
	}
	switch {
	case !rest.Proven(after):
		return nil, gone
	case rest.More || size > maxBytes:
		return nil, tooMuch
	}
	return rest.Events, whole
}

// nextIn is the sequence of a room's first event after a sequence, or the highest that no
// event has if there was none; 0 if it cannot be told.
func nextIn(found event.Range, after uint64) uint64 {
	rest := found.Since(after)
	switch {
	case !rest.Proven(after):
		return 0
	case len(rest.Events) == 0:
		return math.MaxUint64
	}
	return rest.Events[0].Position.Sequence
}

// histories shares reads of the rooms' histories among members that catch up at the same
// time, most of whom were cut off at the same moment.
type histories struct {
	ctx      context.Context // the hub's, and so is running
	running  *sync.WaitGroup
	store    Store
	maxBytes int

	mu    sync.Mutex
	rooms map[roomRound]*roomReader // those that somebody waits for
}

// roomRound is one of the reads of a room that its readers may share, one after the other.
type roomRound struct {
	room  event.Room
	round int
}

// maxRounds bounds how often a reader takes part in a read again because somebody who was
// away for longer had it cut by its bound.
const maxRounds = 4

type roomReader struct {
	sharedReader[event.Range]
	readers int // guarded by histories.mu
}

// read returns the room's history from after or an earlier sequence on, as it was at some
// time after the call began.
func (h *histories) read(ctx context.Context, room event.Room, after uint64) (event.Range, error) {
	for round := range maxRounds {
		found, err := h.share(ctx, roomRound{room, round}, after)
		if err != nil || !found.More || found.Events[0].Position.Sequence > after {
			// Also where the bound was reached by what this one asked for.
			return found, err
		}
		// Somebody who was away for long has asked for more than is replayed. He has his
		// answer; the others share the next read without him.
	}
	return readHistory(ctx, h.store, room, after, h.maxBytes)
}

func (h *histories) share(ctx context.Context, of roomRound, after uint64) (event.Range, error) {
	reader := h.enter(of)
	defer h.leave(of, reader)
	return reader.read(ctx, after)
}

func (h *histories) enter(of roomRound) *roomReader {
	h.mu.Lock()
	defer h.mu.Unlock()
	reader := h.rooms[of]
	if reader == nil {
		reader = &roomReader{}
		reader.ctx, reader.running = h.ctx, h.running
		reader.perform = func(ctx context.Context, after uint64) (event.Range, error) {
			return readHistory(ctx, h.store, of.room, after, h.maxBytes)
		}
		h.rooms[of] = reader
	}
	reader.readers++
	return reader
}

func (h *histories) leave(of roomRound, reader *roomReader) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if reader.readers--; reader.readers == 0 {
		delete(h.rooms, of)
	}
}
