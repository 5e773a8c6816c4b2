package hub

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

// tenure is a member's hold on a session that can outlive its connection: what the store
// must know for any instance to continue it. A member without one ends with its
// connection. Owned by the request under way, but for what is fixed.
type tenure struct {
	event.Tenancy // fixed once the member is admitted, and known: see Identify

	joins    uint64 // number of the latest
	recorded bool   // the store has, or may have, a record
	vouched  string // see event.Record
	probe    func(alive func())
	// strays are the rooms that the record may name although there is no seat, with the
	// number of the stay. Nothing enters while one cannot be struck, so there are no more of
	// them than rooms that a member may be in, and one.
	strays map[event.Room]uint64
}

// errNotAsked says that the store was not asked to note a stay.
var errNotAsked = errors.New("a former stay cannot be struck")

// reasonClaimed is why a connection ends whose session goes on elsewhere.
const reasonClaimed = "session continued elsewhere"

// numbersFrom is what the joins of a session are numbered after: the time in milliseconds,
// or what the client's offset says. The official client keeps an old offset with a new
// private id, until it gets another, and word of a stay that has ended may come late:
// neither must be taken for that of a join that is still to come.
func numbersFrom(offset event.Offset) uint64 {
	return max(uint64(time.Now().UnixMilli()), offset.Joins)
}

// newTenure begins a session. The private id is a secret of 130 random bits.
func (h *Hub) newTenure(opening Opening) *tenure {
	return &tenure{
		Tenancy: event.Tenancy{
			PID: rand.Text(), Generation: 1, SID: opening.SID, Subject: opening.Subject, Instance: h.name,
		},
		joins: numbersFrom(opening.Offset),
		probe: opening.Probe,
	}
}

// record is the whole session, as the store is to know it.
func (s *Seating) record() event.Record {
	record := event.Record{Tenancy: s.tenure.Tenancy, Vouched: s.tenure.vouched}
	for _, taken := range s.taken {
		if !taken.joined.IsZero() { // a join under way is not a stay yet
			record.Stays = append(record.Stays, event.Stay{Room: taken.room, Joined: taken.joined, Number: taken.number})
		}
	}
	return record
}

// nextJoin numbers the joins of a session.
func (s *Seating) nextJoin() uint64 {
	if s.tenure == nil {
		return 0
	}
	s.tenure.joins++
	return s.tenure.joins
}

// lastJoin is the number of the latest join.
func (s *Seating) lastJoin() uint64 {
	if s.tenure == nil {
		return 0
	}
	return s.tenure.joins
}

// enter notes a stay and returns a top that was read after the call began. It comes
// before the answer to the join: a session whose client was told that it is in a room
// must never be continued without that room.
func (s *Seating) enter(ctx context.Context, room event.Room, number uint64) (event.Top, error) {
	if s.tenure == nil {
		return s.hub.tops.read(ctx, 0)
	}
	if err := s.strikeStrays(ctx); err != nil {
		return event.Top{}, fmt.Errorf("%w: %w", errNotAsked, err)
	}
	if !s.tenure.recorded {
		s.tenure.recorded = true
		s.tenure.vouched = s.hub.line.epoch() // nobody else can have claimed what was never written
		if err := s.hub.tenants.add(s); err != nil {
			return event.Top{}, err
		}
	}
	record := s.record()
	record.Stays = slices.DeleteFunc(record.Stays, func(stay event.Stay) bool { return stay.Room == room })
	top, err := s.hub.store.Enter(ctx, record, room, number)
	for tries := 1; errors.Is(err, event.ErrUnvouched) && tries < maxEpochs; tries++ {
		if err := s.vouch(ctx, top.Epoch); err != nil {
			return event.Top{}, err
		}
		record.Vouched = s.tenure.vouched
		top, err = s.hub.store.Enter(ctx, record, room, number)
	}
	return top, err
}

// strike takes a stay out of the record, before the answer to a leave. If that fails, it is
// done before the session's next entry, or at its end: the member leaves the room all the
// same, and a record with a room too many does less harm than one that may have lost a room
// whose member is still in it.
func (s *Seating) strike(ctx context.Context, stay event.Stay) error {
	if s.tenure == nil || !s.tenure.recorded {
		return nil
	}
	if s.tenure.strays == nil {
		s.tenure.strays = make(map[event.Room]uint64)
	}
	s.tenure.strays[stay.Room] = stay.Number // the highest yet
	err := s.strikeStrays(ctx)
	if errors.Is(err, event.ErrStaleTenancy) {
		return err
	}
	return nil
}

// abandon takes a stay out of the record whose join has failed.
func (s *Seating) abandon(stay event.Stay) {
	ctx, cancel := context.WithTimeout(s.hub.ctx, partTimeout)
	defer cancel()
	_ = s.strike(ctx, stay) // of a session that goes on elsewhere there is nothing left to do
}

// strikeStrays keeps what is left when one cannot be struck.
func (s *Seating) strikeStrays(ctx context.Context) error {
	for room, number := range s.tenure.strays {
		if err := s.hub.store.Leave(ctx, s.tenure.Tenancy, room, number); err != nil {
			return err
		}
		delete(s.tenure.strays, room)
	}
	return nil
}

// partTimeout bounds telling the store of a connection's end. Without that word the loss
// is dated by the instance's heartbeats, so it is not worth holding others up.
const partTimeout = 2 * time.Second

// part tells the store that the connection has ended: left by the client's own wish, or
// lost, to be continued within the window.
func (s *Seating) part(ctx context.Context, left bool) {
	if s.tenure == nil || !s.tenure.recorded {
		return
	}
	s.hub.tenants.remove(s)
	if s.hub.Ready() != nil {
		return // the store is away
	}
	ctx, cancel := context.WithTimeout(ctx, partTimeout)
	defer cancel()
	_ = s.strikeStrays(ctx) // a room too many is better than a loss without its date
	if err := s.hub.store.Part(ctx, s.tenure.Tenancy, left, s.hub.options.RecoveryWindow); err != nil {
		s.hub.options.Logger.Debug("could not note the end of a session", "error", err)
	}
}

// A store that has lost a part of its data may have lost the claim of this very session, and
// an instance that was deaf has missed the word of it. It would vouch for a connection that
// its client has given up, and the client, coming back, would be continued without what it
// has done since. So in a new epoch nothing is written before the client has shown that it
// is still there.

const (
	// signPatience bounds how long a join waits for its client's sign of life: a clerk who
	// waits serves nobody else.
	signPatience = 2 * time.Second
	// maxVouching bounds how many of them wait. The joins of more clients fail, to be tried
	// again: by then their records have been written in their turn.
	maxVouching = deskClerks / 4
)

var errVouching = errors.New("too many clients are waited for")

// vouch waits for a sign of life in an epoch that the store has told of.
func (s *Seating) vouch(ctx context.Context, epoch string) error {
	select {
	case s.hub.vouching <- struct{}{}:
		defer func() { <-s.hub.vouching }()
	default:
		return errVouching
	}
	ctx, cancel := context.WithTimeout(ctx, signPatience)
	defer cancel()
	shown, held := make(chan struct{}), s.tenure
	held.probe(func() {
		close(shown)
		s.later(func(ctx context.Context) { // if nobody waits any more
			if held.vouched != epoch {
				held.vouched = epoch
				s.restore(ctx)
			}
		})
	})
	select {
	case <-shown:
		s.tenure.vouched = epoch
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the client has not shown that it is there: %w", ctx.Err())
	}
}

// restore writes the record again, which the store may have lost. In another epoch it asks
// the client for a sign of life and has that do it.
func (s *Seating) restore(ctx context.Context) {
	if s.tenure == nil || !s.tenure.recorded {
		return
	}
	if s.hub.Ready() != nil {
		s.hub.restoreOwed.Store(true)
		return
	}
	if epoch := s.hub.line.epoch(); s.tenure.vouched != epoch {
		held := s.tenure
		held.probe(func() {
			s.later(func(ctx context.Context) {
				held.vouched = epoch
				s.restore(ctx)
			})
		})
		return
	}
	err := s.hub.store.Restore(ctx, s.record())
	switch {
	case errors.Is(err, event.ErrStaleTenancy):
		s.member.Close(reasonClaimed)
	case err != nil:
		s.hub.options.Logger.Debug("could not restore a session's record", "error", err)
	}
}
