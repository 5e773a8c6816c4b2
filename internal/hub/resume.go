package hub

import (
	"context"
	"errors"
	"slices"

	"github.com/roomcast/roomcast/internal/event"
)

// Opening is what a member brings whose session can outlive its connection.
type Opening struct {
	// SID is the public id of a session that begins now.
	SID string
	// Subject is whom the client has shown to be; empty when nobody is identified.
	Subject string
	// Permitted says of each room of a session that is to be continued whether the client may
	// still have it; if not, another session begins. Nil: all of them.
	Permitted func(event.Room) bool
	// PID is the private id of the session that is to be continued; empty for none.
	PID string
	// Offset is that of the last event that the client has got; zero if it got none, and then
	// also the answer to no join.
	Offset event.Offset
	// Welcome makes the events that tell the client under which session it was admitted.
	// They are written before any other.
	Welcome func(Admission) []*event.Event
	// Probe asks the client for a sign of life that it cannot have given before, and calls
	// alive, once, when it has come; never if the connection ends before or Probe is called
	// again. It does not block.
	Probe func(alive func())
}

// Admission is the session that a member holds.
type Admission struct {
	SID, PID string
	// Recovered says that it is the one that was asked for: the member has its seats, and
	// what it missed follows.
	Recovered bool
}

// The outcomes of asking for a session, as the Observer counts them.
const (
	recovered          = "recovered"
	recoveryUnknown    = "unknown"     // no such session, or lost for longer than the window
	recoveryUnanswered = "unanswered"  // the client has not got the answer to a join, and must ask again
	recoveryForbidden  = "forbidden"   // the client may not have one of the rooms any more
	recoveryTooMuch    = "too_much"    // more was missed than is replayed
	recoveryUnreadable = "unavailable" // the store could not be read; the client tries again
)

// Open admits a member whose session can be continued on any instance after its connection
// was lost. A new session is welcomed at once; one that is to be continued in its turn,
// before anything else the member asks for.
func (h *Hub) Open(member Member, opening Opening) *Seating {
	s := h.Admit(member)
	if opening.Offset.Joins > maxJoins {
		opening.PID, opening.Offset = "", event.Offset{} // nobody got that from here
	}
	if opening.PID == "" {
		s.begin(opening, func(welcome []*event.Event) { member.Send(event.NewBatch(welcome...)) })
		return s
	}
	s.opening = true
	_ = s.ask(func(ctx context.Context) { s.resume(ctx, opening) }) // the first cannot be one too many
	return s
}

// maxJoins is the highest number of a join that a client may bring: what is counted on from
// there must stay below 2^53, up to which the scripts in Redis count.
const maxJoins = 1 << 52

// begin gives the member a session of its own.
func (s *Seating) begin(opening Opening, send func(welcome []*event.Event)) {
	s.tenure = s.hub.newTenure(opening)
	send(opening.Welcome(Admission{SID: opening.SID, PID: s.tenure.PID}))
}

// resume continues a session, or begins another one where that is impossible. While the
// store cannot say, nothing is answered and the connection ends: another private id would
// make the client forget the session, which the next attempt may well find.
func (s *Seating) resume(ctx context.Context, opening Opening) {
	outcome, err := s.tryResume(ctx, opening)
	switch {
	case errors.Is(err, event.ErrStaleTenancy):
		outcome = recoveryUnreadable
		s.yield()
		s.member.Close(reasonClaimed)
	case err != nil:
		outcome = recoveryUnreadable
		s.hub.options.Logger.Debug("a session cannot be read", "error", err)
		s.member.Close("session unavailable")
	case outcome != recovered:
		s.begin(opening, func(welcome []*event.Event) {
			s.post(func() { s.worker.open(s, 0, welcome) })
		})
	}
	s.hub.options.Observer.Recovery(outcome)
	s.post(s.opened) // behind the welcome
}

func (s *Seating) opened() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opening = false
}

func (s *Seating) tryResume(ctx context.Context, opening Opening) (outcome string, err error) {
	if err := s.hub.hears(); err != nil {
		return "", err
	}
	if err := s.hub.awaitStart(ctx); err != nil {
		return "", err
	}
	digest := event.DigestPID(opening.PID)
	s.hub.tenants.begin(digest)
	record, top, err := s.hub.store.Claim(ctx, event.Claim{
		PID: opening.PID, Subject: opening.Subject, Instance: s.hub.name, Window: s.hub.options.RecoveryWindow,
	})
	if err == nil {
		s.tenure = &tenure{
			Tenancy: record.Tenancy, recorded: true, vouched: top.Epoch,
			joins: numbersFrom(opening.Offset), probe: opening.Probe,
		}
		err = s.hub.tenants.add(s)
	}
	overtaken := s.hub.tenants.end(digest) // after add, or the word of a later claim could come in between
	var invalid *event.InvalidID
	switch {
	case errors.Is(err, event.ErrNoRecord), errors.As(err, &invalid):
		return recoveryUnknown, nil
	case err != nil:
		return "", err
	case overtaken > record.Generation:
		return "", event.ErrStaleTenancy // the client is on a later connection
	}
	for _, stay := range record.Stays {
		if opening.Permitted != nil && !opening.Permitted(stay.Room) {
			s.dismiss(ctx)
			return recoveryForbidden, nil
		}
		if !stay.Answered(opening.Offset) {
			// With it the client does not know that it is in the room, nor from where on it
			// has what was there.
			s.dismiss(ctx)
			return recoveryUnanswered, nil
		}
		s.tenure.joins = max(s.tenure.joins, stay.Number)
	}
	return s.catchUpAll(ctx, record, opening)
}

// catchUpAll takes the seats of a session and gives it what it missed in all its rooms up
// to one top, as one block behind the welcome.
func (s *Seating) catchUpAll(ctx context.Context, record event.Record, opening Opening) (outcome string, err error) {
	for _, stay := range record.Stays {
		s.take(stay)
	}
	seats := slices.Clone(s.taken)
	s.post(func() {
		for _, taken := range seats {
			s.worker.sit(taken)
		}
	})
	falls := s.hub.line.fallen()
	top, err := s.hub.tops.read(ctx, 0)
	if err != nil {
		return "", err
	}
	missed, losses, err := s.hub.missedByAll(ctx, record.Stays, opening.Offset.Position, top)
	switch {
	case errors.Is(err, errTooMuch):
		s.dismiss(ctx)
		return recoveryTooMuch, nil
	case err != nil:
		return "", err
	}
	if len(losses) > 0 {
		if missed, err = s.restart(ctx, losses, missed, opening.Offset, top.Position); err != nil {
			return "", err
		}
	} else {
		keepJoins(missed, opening.Offset, record.Stays)
	}
	block := append(opening.Welcome(Admission{SID: record.SID, PID: record.PID, Recovered: true}), missed...)
	for _, taken := range seats {
		taken.from = taken.joined
		if opening.Offset.Sequence > taken.from.Sequence {
			taken.from = opening.Offset.Position
		}
		taken.reached = top.Position
	}
	joins := s.tenure.joins
	s.post(func() {
		if _, lost := s.hub.line.lost(top.Position, falls); lost {
			s.member.Close(reasonReload)
			return
		}
		for _, taken := range seats {
			taken.place(top)
		}
		s.answered = joins
		s.worker.open(s, top.Sequence, block)
	})
	return recovered, nil
}

// keepJoins has missed events say which answers the client has got, as long as they are not
// past the position of every one: it may be cut off again among them.
func keepJoins(missed []*event.Event, offset event.Offset, stays []event.Stay) {
	if offset.Joins == 0 {
		return
	}
	var latest uint64
	for _, stay := range stays {
		latest = max(latest, stay.Joined.Sequence)
	}
	for n, e := range missed {
		if e.Position.Sequence <= latest {
			missed[n] = e.Carrying(event.Offset{Position: e.Position, Joins: offset.Joins}.String())
		}
	}
}

// yield leaves the session to a later connection: nothing is to be written of it from here
// any more, least of all after a failover that has lost the later claim.
func (s *Seating) yield() {
	if s.tenure != nil {
		s.hub.tenants.remove(s)
		s.tenure = nil
	}
}

// dismiss gives a session up that was just claimed, and its seats.
func (s *Seating) dismiss(ctx context.Context) {
	for _, taken := range slices.Clone(s.taken) {
		s.giveUp(taken)
	}
	s.part(ctx, true)
	s.tenure = nil
}
