package hub

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

// tenure is a member's hold on a session that can outlive its connection: what the store
// must know for any instance to continue it. A member without one ends with its
// connection. Owned by the request under way, but for what is fixed.
type tenure struct {
	event.Tenancy // fixed once the member is admitted

	joins    uint64       // so many were asked for
	recorded bool         // the store has, or may have, a record
	strays   []event.Room // stays that the record may name although there is no seat
}

// reasonClaimed is why a connection ends whose session goes on elsewhere.
const reasonClaimed = "session continued elsewhere"

// newTenure begins a session. The private id is a secret of 130 random bits.
func (h *Hub) newTenure(sid, subject string) *tenure {
	return &tenure{Tenancy: event.Tenancy{
		PID: rand.Text(), Generation: 1, SID: sid, Subject: subject, Instance: h.name,
	}}
}

// record is the whole session, as the store is to know it.
func (s *Seating) record() event.Record {
	record := event.Record{Tenancy: s.tenure.Tenancy}
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

// enter notes a stay and returns a top that was read after the call began. It comes
// before the answer to the join: a session whose client was told that it is in a room
// must never be continued without that room.
func (s *Seating) enter(ctx context.Context, taken *seat) (event.Top, error) {
	if s.tenure == nil {
		return s.hub.tops.read(ctx, 0)
	}
	if err := s.strikeStrays(ctx); err != nil {
		return event.Top{}, err
	}
	if !s.tenure.recorded {
		s.tenure.recorded = true
		s.hub.tenants.add(s)
	}
	return s.hub.store.Enter(ctx, s.record(), taken.room, taken.number)
}

// strike takes a stay out of the record, before the answer to a leave.
func (s *Seating) strike(ctx context.Context, room event.Room) error {
	if s.tenure == nil || !s.tenure.recorded {
		return nil
	}
	return s.hub.store.Leave(ctx, s.tenure.Tenancy, room)
}

// abandon takes a stay out of the record whose join has failed. If that fails too, it is
// done before the session's next entry, or at its end.
func (s *Seating) abandon(taken *seat) {
	if s.tenure == nil || !s.tenure.recorded {
		return
	}
	s.tenure.strays = append(s.tenure.strays, taken.room)
	ctx, cancel := context.WithTimeout(s.hub.ctx, partTimeout)
	defer cancel()
	_ = s.strikeStrays(ctx) // or later
}

func (s *Seating) strikeStrays(ctx context.Context) error {
	for len(s.tenure.strays) > 0 {
		if err := s.strike(ctx, s.tenure.strays[0]); err != nil {
			return err
		}
		s.tenure.strays = s.tenure.strays[1:]
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
	err := s.strikeStrays(ctx)
	if err == nil {
		err = s.hub.store.Part(ctx, s.tenure.Tenancy, left, s.hub.options.RecoveryWindow)
	}
	if err != nil {
		s.hub.options.Logger.Debug("could not note the end of a session", "error", err)
	}
}

// restore writes the record again, which the store may have lost.
func (s *Seating) restore(ctx context.Context) {
	if s.hub.Ready() != nil {
		return // the store is away; it is tried again when that is back, if it has lost anything
	}
	err := s.hub.store.Restore(ctx, s.record())
	switch {
	case errors.Is(err, event.ErrStaleTenancy):
		s.member.Close(reasonClaimed)
	case err != nil:
		s.hub.options.Logger.Debug("could not restore a session's record", "error", err)
	}
}

// tenants are the members whose sessions have a record, by the digest of its private id:
// whom the word of a claim may concern.
type tenants struct {
	mu       sync.Mutex
	byDigest map[string]tenant
}

type tenant struct {
	seating    *Seating
	generation uint64 // under which it holds the session
}

func (t *tenants) init() { t.byDigest = make(map[string]tenant) }

// add makes a member the holder of its session here. A former one is closed: its client
// is on the new connection.
func (t *tenants) add(s *Seating) {
	digest := event.DigestPID(s.tenure.PID)
	t.mu.Lock()
	former := t.byDigest[digest].seating
	t.byDigest[digest] = tenant{s, s.tenure.Generation}
	t.mu.Unlock()
	if former != nil {
		former.member.Close(reasonClaimed)
	}
}

func (t *tenants) remove(s *Seating) {
	digest := event.DigestPID(s.tenure.PID)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byDigest[digest].seating == s {
		delete(t.byDigest, digest)
	}
}

// claimed closes the member that holds a session under a lower generation.
func (t *tenants) claimed(claimed event.Claimed) {
	t.mu.Lock()
	holder := t.byDigest[claimed.Digest]
	t.mu.Unlock()
	if holder.seating != nil && holder.generation < claimed.Generation {
		holder.seating.member.Close(reasonClaimed)
	}
}

// list is all of them.
func (t *tenants) list() []*Seating {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]*Seating, 0, len(t.byDigest))
	for _, holder := range t.byDigest {
		all = append(all, holder.seating)
	}
	return all
}
