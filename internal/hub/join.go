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
	taken := s.find(room)
	switch {
	case taken != nil && since.IsZero():
		s.answerAgain(taken, Outcome{}, reply)
	case taken != nil && s.hub.line.within(since, taken.from, taken.reached):
		s.answerAgain(taken, Outcome{Recovered: true}, reply)
	case taken == nil && len(s.taken) >= s.hub.options.RoomsPerMember:
		s.refuse(ErrTooManyRooms, reply)
	default:
		if err := s.hub.hears(); err != nil {
			s.refuse(err, reply)
			return
		}
		if taken != nil && s.hub.nothingBetween(ctx, room, since, taken.from) {
			s.answerAgain(taken, Outcome{Recovered: true}, reply)
			return
		}
		s.joinAnew(ctx, room, since, reply)
	}
}

// nothingBetween reports whether a room is known to have had nothing from a position to
// another, from which on a member was given the room. A client that asks again by habit,
// with the last it has got of a quiet room, asks for no more than that. The histories are
// not read for an epoch that nobody has heard of.
func (h *Hub) nothingBetween(ctx context.Context, room event.Room, since, from event.Position) bool {
	if since.Sequence > from.Sequence || !h.line.knows(since.Epoch) {
		return false
	}
	found, err := h.histories.read(ctx, room, since.Sequence)
	return err == nil && found.Top.Continues(since) && nextIn(found, since.Sequence) > from.Sequence
}

// joinAnew begins a stay. A seat that the member has in the room, and asks for what was
// before it, is kept: if the join comes to nothing, the stay goes on.
func (s *Seating) joinAnew(ctx context.Context, room event.Room, since event.Position, reply Reply) {
	taken, number := s.find(room), s.nextJoin()
	isNew := taken == nil
	if isNew {
		taken = s.take(event.Stay{Room: room, Number: number})
		s.post(func() { s.worker.sit(taken) })
	} else {
		s.post(func() { s.gated = true })
	}
	found, number, err := s.catchUp(ctx, room, number, since)
	if err != nil {
		if isNew {
			if number > 0 {
				s.abandon(event.Stay{Room: room, Number: number}) //nolint:contextcheck // that the request's context has ended is mostly why
			}
			s.giveUp(taken)
		}
		replies := s.refusal(err, reply)
		s.post(func() { s.worker.open(s, 0, replies) })
		return
	}
	at := found.top.Position
	taken.joined, taken.from, taken.reached, taken.number = at, at, at, number
	if found.proven {
		taken.from = since // what was in between is on its way
	}
	replies := reply(Outcome{Position: found.top.Position, Recovered: found.proven})
	s.post(func() { s.worker.admit(taken, number, found, replies) })
}

// take notes a seat, before the worker is told: see directory.
func (s *Seating) take(stay event.Stay) *seat {
	taken := &seat{
		seating: s, room: stay.Room, offsets: s.tenure != nil,
		joined: stay.Joined, reached: stay.Joined, number: stay.Number,
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
	falls  uint64 // of the sequence, counted before the top was read; see line
}

// maxEpochs is how often a join begins again because an epoch has ended in the middle: no
// Redis fails over that often.
const maxEpochs = 3

// catchUp notes the stay, which gives the top, and reads what the room had since. It returns
// the number of the join, which is another than it was given if that had to begin again, and
// zero if it fails with nothing noted. The answer
// to a member whose session can be continued waits until the channel was heard up to the
// top: it carries that as the offset for all rooms, so nothing older may come after it.
func (s *Seating) catchUp(ctx context.Context, room event.Room, number uint64, since event.Position) (catchingUp, uint64, error) {
	if err := s.hub.awaitStart(ctx); err != nil {
		return catchingUp{}, number, err
	}
	for range maxEpochs {
		falls := s.hub.line.fallen()
		top, err := s.enter(ctx, room, number)
		if errors.Is(err, errNotAsked) {
			return catchingUp{}, 0, err
		}
		if err != nil {
			return catchingUp{}, number, err
		}
		found, err := s.hub.missedSince(ctx, room, since, top)
		found.falls = falls
		if errors.Is(err, errEpochEnded) {
			number = s.nextJoin()
			continue
		}
		if err == nil && s.tenure != nil {
			err = s.hub.awaitHearing(ctx, top.Sequence)
		}
		return found, number, err
	}
	return catchingUp{}, number, errEpochEnded
}

// missedSince reads what a room had after a position and up to the top, or a RESYNC in its
// place. What is after the top is left to the bus. It fails with errEpochEnded when the
// position was good at the top, and is not any more.
func (h *Hub) missedSince(ctx context.Context, room event.Room, since event.Position, top event.Top) (catchingUp, error) {
	if since.IsZero() {
		return catchingUp{top: top}, nil
	}
	if !top.Continues(since) {
		return h.resyncInstead(room, top, "unknown_position"), nil
	}
	found, err := h.histories.read(ctx, room, since.Sequence)
	if err != nil {
		return catchingUp{}, err
	}
	if !found.Top.Continues(since) {
		return catchingUp{}, errEpochEnded
	}
	missed, verdict := missedIn(found, since.Sequence, h.options.ReplayBytes)
	if verdict != whole {
		return h.resyncInstead(room, top, "history_gone"), nil
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

// awaitHearing waits until the channel was heard up to a sequence, for no longer than it
// takes to know that this instance is deaf: a clerk who waits serves nobody else.
func (h *Hub) awaitHearing(ctx context.Context, sequence uint64) error {
	ctx, cancel := context.WithTimeout(ctx, h.deafAfter())
	defer cancel()
	return h.line.await(ctx, sequence)
}
