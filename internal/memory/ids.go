package memory

import (
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

// ids remembers the answers to publications under their ids.
type ids struct {
	answers map[string]*answer
	expiry  expiry[*answer]
}

type answer struct {
	id          string
	fingerprint string
	position    event.Position
	deadline
}

// expire forgets answers whose time is over.
func (m *ids) expire(now time.Time) {
	for m.expiry.due(now) {
		m.forgetFirst()
	}
}

// remember keeps an answer. When there are too many, the one that would be forgotten
// next goes first.
func (m *ids) remember(publication event.Publication, position event.Position, now time.Time) {
	if len(m.expiry) >= maxIDs {
		m.forgetFirst()
	}
	kept := &answer{
		id:          publication.ID,
		fingerprint: publication.Fingerprint,
		position:    position,
		deadline:    deadline{until: now.Add(publication.Remember)},
	}
	m.answers[kept.id] = kept
	m.expiry.push(kept)
}

func (m *ids) forgetFirst() {
	first := m.expiry.pop()
	delete(m.answers, first.id)
}
