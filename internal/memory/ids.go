package memory

import (
	"container/heap"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

// ids remembers the answers to publications under their ids.
type ids struct {
	answers map[string]*answer
	expiry  expiry
}

type answer struct {
	id          string
	fingerprint string
	position    event.Position
	until       time.Time
}

// expire forgets answers whose time is over.
func (m *ids) expire(now time.Time) {
	for len(m.expiry) > 0 && !m.expiry[0].until.After(now) {
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
		until:       now.Add(publication.Remember),
	}
	m.answers[kept.id] = kept
	heap.Push(&m.expiry, kept)
}

func (m *ids) forgetFirst() {
	first := heap.Pop(&m.expiry).(*answer)
	delete(m.answers, first.id)
}

// expiry is a heap of answers, the one to be forgotten next in front.
type expiry []*answer

func (e expiry) Len() int           { return len(e) }
func (e expiry) Less(i, j int) bool { return e[i].until.Before(e[j].until) }
func (e expiry) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }

// Push is for package heap.
func (e *expiry) Push(x any) { *e = append(*e, x.(*answer)) }

// Pop is for package heap.
func (e *expiry) Pop() any {
	last := len(*e) - 1
	popped := (*e)[last]
	(*e)[last] = nil
	*e = (*e)[:last]
	return popped
}
