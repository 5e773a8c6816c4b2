package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

// The order of a join is what makes it whole: the seat first, so that nothing published
// from now on is missed; then the top, which becomes the position in the reply; then what
// the room had after the member's own position, up to that top; then reply and missed
// events as one block; then the gate opens, and what has come for the seat meanwhile
// follows, without what the top already covers.

func (s *Seating) join(ctx context.Context, room event.Room, since event.Position, reply Reply) {
	if err := s.rejoin(ctx, room, since, reply); !errors.Is(err, errNotSeated) {
		if err != nil {
			s.refuse(err, reply)
		}
		return
	}
	if len(s.taken) >= s.hub.options.RoomsPerMember {
		s.refuse(ErrTooManyRooms, reply)
		return
	}
	if err := s.hub.hears(); err != nil {
		s.refuse(err, reply)
		return
	}
	taken := s.take(event.Stay{Room: room, Number: s.nextJoin()})
	s.post(func() { s.worker.sit(taken) })
	found, err := s.catchUp(ctx, taken, since)
	if err != nil {
		s.abandon(taken) //nolint:contextcheck // that the request's context has ended is mostly why
		s.giveUp(taken)
		replies := s.refusal(err, reply)
		s.post(func() { s.worker.open(s, room, 0, replies) })
		return
	}
	replies, number := reply(Outcome{Position: found.top.Position, Recovered: found.proven}), taken.number
	s.post(func() { s.worker.admit(taken, number, found, replies) })
}

// errNotSeated says that a join is one of a room that the member is not in.
var errNotSeated = errors.New("no seat in this room yet")

// rejoin answers the join of a member that has a seat in the room. What it asks for since
// a position within its stay has been written to it or is about to be; only for what was
// before does it give the seat up, and joins anew.
func (s *Seating) rejoin(ctx context.Context, room event.Room, since event.Position, reply Reply) error {
	held := s.find(room)
	switch {
	case held == nil:
		return errNotSeated
	case since.IsZero():
		s.answerAgain(held, Outcome{}, reply)
		return nil
	case held.covers(since, s.hub.line.position()):
		s.answerAgain(held, Outcome{Recovered: true}, reply)
		return nil
	}
	// The record would keep the old beginning of the stay, and a recovery double what this
	// join is about to replay.
	if err := s.strike(ctx, room); err != nil {
		return err
	}
	s.giveUp(held)
	return errNotSeated
}

// covers reports whether everything after a position was, or is to be, given to the seat's
// holder. Sequences rise over epochs; a loss of data in between was told by a RESYNC.
func (s *seat) covers(since, heard event.Position) bool {
	known := since.Epoch == heard.Epoch || since.Epoch == s.joined.Epoch
	return known && since.Sequence >= s.joined.Sequence && since.Sequence <= heard.Sequence
}

// take notes a seat, before the worker is told: see directory.
func (s *Seating) take(stay event.Stay) *seat {
	taken := &seat{
		seating: s, room: stay.Room, offsets: s.tenure != nil,
		joined: stay.Joined, number: stay.Number,
	}
	s.taken = append(s.taken, taken)
	s.hub.directory.add(stay.Room, s.worker.index)
	return taken
}

// giveUp frees a seat without a word.
func (s *Seating) giveUp(old *seat) {
	s.taken = slices.DeleteFunc(s.taken, func(t *seat) bool { return t == old })
	s.post(func() { s.worker.unseat(old) })
}

// hears returns an error while this instance is known to be deaf: waiting for a read to
// fail would keep a clerk from others. One that has just been started is waited for.
func (h *Hub) hears() error {
	if err := h.Ready(); errors.Is(err, errDeaf) {
		return err
	}
	return nil
}

// refuse answers a request that came to nothing.
func (s *Seating) refuse(err error, reply Reply) {
	replies := s.refusal(err, reply)
	s.post(func() { s.send(replies) })
}

// refusal is what a request that came to nothing is answered. Whatever the hub does not
// know is a fault of the store. A session that was claimed by another connection is not
// answered but closed: its client is elsewhere.
func (s *Seating) refusal(err error, reply Reply) []*event.Event {
	switch {
	case errors.Is(err, event.ErrStaleTenancy):
		s.member.Close(reasonClaimed)
		return nil
	case errors.Is(err, ErrTooManyRooms), errors.Is(err, ErrUnavailable):
	default:
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return reply(Outcome{Err: err})
}

// catchingUp is what a member joining a room is told.
type catchingUp struct {
	top    event.Top
	missed []*event.Event
	proven bool
}

// catchUp notes the stay, which gives the top, and reads what the room had since. The answer
// to a member whose session can be continued waits until the channel was heard up to the
// top: it carries that as the offset for all rooms, so nothing older may come after it.
func (s *Seating) catchUp(ctx context.Context, taken *seat, since event.Position) (catchingUp, error) {
	if err := s.hub.awaitStart(ctx); err != nil {
		return catchingUp{}, err
	}
	top, err := s.enter(ctx, taken)
	if err != nil {
		return catchingUp{}, err
	}
	taken.joined = top.Position
	found := catchingUp{top: top}
	if !since.IsZero() {
		found, err = s.hub.missedSince(ctx, taken.room, since, top)
	}
	if err == nil && s.tenure != nil {
		err = s.hub.line.await(ctx, found.top.Sequence)
	}
	return found, err
}

// missedSince reads what a room had after a position and up to the top, or a RESYNC in its
// place. What is after the top is left to the bus.
func (h *Hub) missedSince(ctx context.Context, room event.Room, since event.Position, top event.Top) (catchingUp, error) {
	if !top.Continues(since) {
		return h.resyncInstead(room, top, "unknown_position"), nil
	}
	found, err := h.histories.read(ctx, room, since.Sequence)
	if err != nil {
		return catchingUp{}, err
	}
	if !found.top.Continues(since) { // the epoch has ended meanwhile
		return h.resyncInstead(room, found.top, "unknown_position"), nil
	}
	missed, verdict := found.missed(since.Sequence, h.options.ReplayBytes)
	if verdict != whole {
		return h.resyncInstead(room, found.top, "history_gone"), nil
	}
	return catchingUp{top: top, missed: upTo(missed, top.Sequence), proven: true}, nil
}

// upTo cuts events off after a sequence.
func upTo(events []*event.Event, sequence uint64) []*event.Event {
	return events[:sort.Search(len(events), func(i int) bool { return events[i].Position.Sequence > sequence })]
}

func (h *Hub) resyncInstead(room event.Room, top event.Top, cause string) catchingUp {
	h.options.Observer.Resynced(cause)
	return catchingUp{top: top, missed: []*event.Event{newResync(room, top.Position, cause)}}
}

// startPatience is how long a join waits for an instance that has just been started and
// has not heard the channel yet: longer than the longest pause between two of its attempts.
const startPatience = 5 * time.Second

func (h *Hub) awaitStart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	return h.line.awaitBaseline(ctx)
}
