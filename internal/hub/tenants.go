package hub

import (
	"sync"

	"github.com/roomcast/roomcast/internal/event"
)

// tenants are the members whose sessions have a record, by the digest of its private id:
// whom the word of a claim may concern.
type tenants struct {
	mu       sync.Mutex
	byDigest map[string]tenant
	// claiming is the sessions that are being claimed from here, with the highest generation
	// that was heard of meanwhile: the word of a later claim may come before the answer to
	// the own.
	claiming map[string]*claiming
}

type tenant struct {
	seating    *Seating
	generation uint64 // under which it holds the session
}

type claiming struct {
	claims  int // under way
	highest uint64
}

func (t *tenants) init() {
	t.byDigest = make(map[string]tenant)
	t.claiming = make(map[string]*claiming)
}

// begin notes that a session is being claimed, until end.
func (t *tenants) begin(digest string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.claiming[digest]
	if c == nil {
		c = &claiming{}
		t.claiming[digest] = c
	}
	c.claims++
}

// end returns the highest generation of the session that was heard of since begin.
func (t *tenants) end(digest string) (highest uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.claiming[digest]
	if c.claims--; c.claims == 0 {
		delete(t.claiming, digest)
	}
	return c.highest
}

// add makes a member the holder of its session here, and closes the one before: its client
// is on the other connection. It fails if that is under a higher generation.
func (t *tenants) add(s *Seating) error {
	digest := event.DigestPID(s.tenure.PID)
	t.mu.Lock()
	before := t.byDigest[digest]
	if before.generation > s.tenure.Generation {
		t.mu.Unlock()
		return event.ErrStaleTenancy
	}
	t.byDigest[digest] = tenant{s, s.tenure.Generation}
	t.mu.Unlock()
	if before.seating != nil {
		before.seating.member.Close(reasonClaimed)
	}
	return nil
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
	if c := t.claiming[claimed.Digest]; c != nil {
		c.highest = max(c.highest, claimed.Generation)
	}
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
