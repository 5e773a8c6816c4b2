package hub

import (
	"context"
	"sort"
	"sync"

	"github.com/roomcast/roomcast/internal/event"
)

// history is what was read of a room from a sequence on.
type history struct {
	top    event.Top
	events []*event.Event
	last   uint64 // of the room, see event.Range
	floor  uint64
	cut    bool // by the bound in bytes: there is more behind events
}

// pageBytes bounds one read of a history, in bytes of JSON: over a slow link to the store a
// page has to arrive within readTimeout.
const pageBytes = 256 << 10

// readHistory reads a room's events after a sequence, page by page, until they are all or
// more than maxBytes of JSON. Each page has readTimeout.
func readHistory(ctx context.Context, store Store, room event.Room, after uint64, maxBytes int) (history, error) {
	var found history
	for size := 0; ; {
		page, err := readPage(ctx, store, room, after, min(pageBytes, maxBytes-size))
		if err != nil {
			return history{}, err
		}
		found.top, found.last, found.floor = page.Top, page.Last, page.Floor
		found.events = append(found.events, page.Events...)
		for _, e := range page.Events {
			size += e.Size()
		}
		if !page.More || len(page.Events) == 0 {
			return found, nil
		}
		if size > maxBytes { // a page has one event at least, however large
			found.cut = true
			return found, nil
		}
		after = page.Events[len(page.Events)-1].Position.Sequence
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

// missed is what the room had after a sequence that is not before the one that was read
// from: all of it, if the verdict is whole.
func (h history) missed(after uint64, maxBytes int) ([]*event.Event, verdict) {
	first := sort.Search(len(h.events), func(i int) bool { return h.events[i].Position.Sequence > after })
	events, size := h.events[first:], 0
	for _, e := range events {
		size += e.Size()
		switch {
		case e.Previous > after:
			return nil, gone // something between the two was trimmed
		case size > maxBytes:
			return nil, tooMuch
		}
		after = e.Position.Sequence
	}
	switch {
	case h.cut:
		return nil, tooMuch
	case h.last == 0 && after < h.floor, h.last > after:
		return nil, gone
	}
	return events, whole
}

// histories shares reads of the rooms' histories among members that catch up at the same
// time, most of whom were cut off at the same moment.
type histories struct {
	ctx      context.Context // the hub's, and so is running
	running  *sync.WaitGroup
	store    Store
	maxBytes int

	mu    sync.Mutex
	rooms map[event.Room]*roomReader // those that somebody waits for
}

type roomReader struct {
	sharedReader[history]
	readers int // guarded by histories.mu
}

// read returns the room's history from after or an earlier sequence on, as it was at some
// time after the call began.
func (h *histories) read(ctx context.Context, room event.Room, after uint64) (history, error) {
	reader := h.enter(room)
	defer h.leave(room, reader)
	found, err := reader.read(ctx, after)
	if err != nil || !found.cut {
		return found, err
	}
	if found.events[0].Position.Sequence > after {
		return found, nil // the bound was reached by what this one asked for
	}
	// Somebody who was away for long has asked for more than is replayed: his loss alone.
	return readHistory(ctx, h.store, room, after, h.maxBytes)
}

func (h *histories) enter(room event.Room) *roomReader {
	h.mu.Lock()
	defer h.mu.Unlock()
	reader := h.rooms[room]
	if reader == nil {
		reader = &roomReader{}
		reader.ctx, reader.running = h.ctx, h.running
		reader.perform = func(ctx context.Context, after uint64) (history, error) {
			return readHistory(ctx, h.store, room, after, h.maxBytes)
		}
		h.rooms[room] = reader
	}
	reader.readers++
	return reader
}

func (h *histories) leave(room event.Room, reader *roomReader) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if reader.readers--; reader.readers == 0 {
		delete(h.rooms, room)
	}
}
