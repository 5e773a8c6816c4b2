package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

// The order of a join is what makes it whole: the seat first, so that nothing published
// from now on is missed; then the top, which becomes the position in the reply; then what
// the room had after the member's own position; then reply and missed events as one
// block; then the gate opens, and what has come for the seat meanwhile follows, without
// what the top already covers.

// replayBytes bounds the missed events of one join, in bytes of JSON. Beyond it a reload
// is cheaper for everybody.
const replayBytes = 512 << 10

func (s *Seating) join(ctx context.Context, room event.Room, since event.Position, reply Reply) {
	if old := s.find(room); old != nil {
		if since.IsZero() {
			s.answerWithPosition(old, reply, func() {})
			return
		}
		s.giveUp(old)
	}
	if len(s.taken) >= s.hub.options.RoomsPerMember {
		s.answer(reply(Outcome{Err: ErrTooManyRooms}))
		return
	}
	if err := s.hub.Ready(); errors.Is(err, errDeaf) {
		// Known already, and waiting for a read to fail would keep a clerk from others.
		s.answer(reply(Outcome{Err: err}))
		return
	}
	taken := &seat{seating: s, room: room}
	s.taken = append(s.taken, taken)
	s.hub.directory.add(room, s.worker.index)
	s.post(func() { s.worker.sit(taken) })

	found, err := s.hub.catchUp(ctx, room, since)
	if err != nil {
		s.giveUp(taken)
		replies := reply(Outcome{Err: fmt.Errorf("%w: %w", ErrUnavailable, err)})
		s.post(func() { s.worker.open(s, replies, nil) })
		return
	}
	replies := reply(Outcome{Position: found.top.Position, Recovered: found.proven})
	s.post(func() {
		taken.after, taken.past = found.top.Position, found.top.Previous.Epoch
		s.worker.open(s, replies, found.missed)
	})
}

// answer sends replies in the order of the worker's work.
func (s *Seating) answer(replies []*event.Event) {
	s.post(func() { s.send(replies) })
}

// giveUp frees a seat without a word.
func (s *Seating) giveUp(old *seat) {
	s.taken = slices.DeleteFunc(s.taken, func(t *seat) bool { return t == old })
	s.post(func() { s.worker.unseat(old) })
}

// catchingUp is what a member joining a room is told.
type catchingUp struct {
	top    event.Top
	missed []*event.Event
	size   int // of missed, in bytes of JSON
	proven bool
}

// catchUp reads the top and what the room had since, or a RESYNC in its place.
func (h *Hub) catchUp(ctx context.Context, room event.Room, since event.Position) (catchingUp, error) {
	if err := h.awaitStart(ctx); err != nil {
		return catchingUp{}, err
	}
	top, err := h.tops.read(ctx)
	if err != nil || since.IsZero() {
		return catchingUp{top: top}, err
	}
	if !top.Continues(since) {
		return h.resyncInstead(room, top, "unknown_position"), nil
	}
	history, err := h.readHistory(ctx, room, since.Sequence, replayBytes)
	switch {
	case err != nil:
		return catchingUp{}, err
	case !history.top.Continues(since): // the epoch has ended meanwhile
		return h.resyncInstead(room, history.top, "unknown_position"), nil
	case !history.proven:
		return h.resyncInstead(room, history.top, "history_gone"), nil
	}
	return history, nil
}

// startPatience is how long a join waits for an instance that has just been started and
// has not heard the channel yet: longer than the longest pause between two of its attempts.
const startPatience = 5 * time.Second

func (h *Hub) awaitStart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	return h.line.awaitBaseline(ctx)
}

func (h *Hub) resyncInstead(room event.Room, top event.Top, cause string) catchingUp {
	h.options.Observer.Resynced(cause)
	return catchingUp{top: top, missed: []*event.Event{newResync(room, top.Position, cause)}}
}

// readHistory reads a room's events after a sequence, page by page, as far as maxBytes
// goes. Proven means that they are all of them.
func (h *Hub) readHistory(ctx context.Context, room event.Room, after uint64, maxBytes int) (catchingUp, error) {
	var found catchingUp
	for {
		page, err := h.store.Range(ctx, room, after, maxBytes-found.size)
		if err != nil {
			return found, err
		}
		found.top = page.Top
		if !page.Proven(after) {
			return found, nil
		}
		found.missed = append(found.missed, page.Events...)
		for _, e := range page.Events {
			found.size += e.Size()
		}
		switch {
		case found.size > maxBytes: // a page has one event at least, however large
			return found, nil
		case !page.More:
			found.proven = true
			return found, nil
		}
		after = page.Events[len(page.Events)-1].Position.Sequence
	}
}
