package memory

import (
	"container/heap"
	"time"
)

// deadline is when something is to be forgotten.
type deadline struct {
	until time.Time
	place int // in its expiry
}

func (d *deadline) when() *deadline { return d }

// expiry is what is to be forgotten in time, the next of it in front.
type expiry[E interface{ when() *deadline }] []E

// due reports whether the time of the first is over.
func (x expiry[E]) due(now time.Time) bool {
	return len(x) > 0 && !x[0].when().until.After(now)
}

func (x *expiry[E]) push(e E) { heap.Push((*byTime[E])(x), e) }
func (x *expiry[E]) pop() E   { return heap.Pop((*byTime[E])(x)).(E) }

// postpone gives one of those within another time.
func (x *expiry[E]) postpone(e E, until time.Time) {
	e.when().until = until
	heap.Fix((*byTime[E])(x), e.when().place)
}

func (x *expiry[E]) remove(e E) { heap.Remove((*byTime[E])(x), e.when().place) }

// byTime is an expiry as package heap wants it.
type byTime[E interface{ when() *deadline }] []E

func (b byTime[E]) Len() int           { return len(b) }
func (b byTime[E]) Less(i, j int) bool { return b[i].when().until.Before(b[j].when().until) }

func (b byTime[E]) Swap(i, j int) {
	b[i], b[j] = b[j], b[i]
	b[i].when().place, b[j].when().place = i, j
}

func (b *byTime[E]) Push(e any) {
	e.(E).when().place = len(*b)
	*b = append(*b, e.(E))
}

func (b *byTime[E]) Pop() any {
	last := len(*b) - 1
	popped := (*b)[last]
	clear((*b)[last:])
	*b = (*b)[:last]
	return popped
}
