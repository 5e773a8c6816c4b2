package redis

import (
	"context"
	"runtime"
	"slices"
	"sync"
)

// courier takes what callers have for Redis there, what waits at a time together: under load
// a system call, and a wake-up on either side, serves many. What comes alone goes at once;
// what comes while a trip is under way waits for the next, or for a full load.
//
// It has no goroutine. Who comes while a trip is to be had makes it, with all that waits; who
// comes back has the first of those that wait meanwhile make the next.
type courier[T any] struct {
	// carry takes a batch to Redis and notes in each cargo what came of it. It takes ioTimeout
	// at most, and does not end when ctx is cancelled: others wait for the same trip.
	carry func(ctx context.Context, batch []*parcel[T])

	mu      sync.Mutex
	waiting []*parcel[T] // one of each caller at most; none while no trip is under way
	trips   int          // under way
}

const (
	// maxTrips is how many batches may be under way. The second is for full loads alone: on a
	// near Redis one at a time carries twice as many, and costs each of them less; on a far one
	// the way would be idle.
	maxTrips = 2
	// maxParcels and maxTripBytes bound a batch, beyond its first parcel. Redis answers the
	// first when it has done it, but nobody hears of it before the last.
	maxParcels   = 64
	maxTripBytes = 256 << 10
)

// parcel is one cargo on its way, or waiting for it.
type parcel[T any] struct {
	cargo T
	bytes int // about

	word  chan word // said once to whoever waits for the parcel
	leads bool      // was told to go; guarded by the courier's mutex
}

type word string

const (
	goNow   word = "go"      // make a trip, with all that waits
	carried word = "carried" // it was on somebody's
)

func newParcel[T any](cargo T, bytes int) *parcel[T] {
	return &parcel[T]{cargo: cargo, bytes: bytes, word: make(chan word, 1)}
}

// take has cargo carried once: never when ctx has ended already, perhaps when it ends before
// the trip has, which is then the error. Who makes a trip returns from it, also when its ctx
// ends on the way.
func (c *courier[T]) take(ctx context.Context, cargo T, bytes int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p := newParcel(cargo, bytes)
	c.queue(p)
	var said word
	select {
	case said = <-p.word:
	case <-ctx.Done():
		if !c.withdraw(p) {
			return ctx.Err()
		}
		said = <-p.word
	}
	if said == goNow {
		runtime.Gosched() // who is about to come with something may come along
		c.travel(ctx, p)
	}
	return nil
}

// queue has a parcel wait, and go at once where there is a trip to be had.
func (c *courier[T]) queue(p *parcel[T]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, p)
	if c.trips == 0 || c.trips < maxTrips && c.full() {
		c.trips++
		c.passOn()
	}
}

// full reports that a batch would take no more. The mutex must be held.
func (c *courier[T]) full() bool { return len(c.waiting) >= maxParcels }

// withdraw forgets a parcel that nobody waits for, unless it is under way. It reports whether
// its owner was told to go, with others' parcels, and has to.
func (c *courier[T]) withdraw(p *parcel[T]) (leads bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.waiting, p); i >= 0 && !p.leads {
		c.waiting = slices.Delete(c.waiting, i, i+1)
	}
	return p.leads
}

// passOn gives a trip to the first that waits. When there is nothing to take, the trip is to
// be had. The mutex must be held.
func (c *courier[T]) passOn() {
	first := slices.IndexFunc(c.waiting, func(p *parcel[T]) bool { return !p.leads })
	if first < 0 || c.trips > 1 && !c.full() {
		c.trips--
		return
	}
	c.waiting[first].leads = true
	c.waiting[first].word <- goNow
}

// travel makes a trip with the leader's own parcel and what waits.
func (c *courier[T]) travel(ctx context.Context, own *parcel[T]) {
	c.mu.Lock()
	batch := c.load(own)
	c.mu.Unlock()
	c.carry(ctx, batch)
	c.mu.Lock()
	c.passOn()
	c.mu.Unlock()
	for _, p := range batch[1:] {
		p.word <- carried
	}
}

// load takes what goes on the leader's trip: its own parcel, and of the others those that no
// other leader comes for. The mutex must be held.
func (c *courier[T]) load(own *parcel[T]) []*parcel[T] {
	batch, bytes := make([]*parcel[T], 1, min(len(c.waiting), maxParcels)), own.bytes
	batch[0] = own
	var left []*parcel[T]
	full := false
	for _, p := range c.waiting {
		if p == own {
			continue
		}
		full = full || len(batch) == maxParcels || bytes+p.bytes > maxTripBytes
		if p.leads || full {
			left = append(left, p)
			continue
		}
		batch = append(batch, p)
		bytes += p.bytes
	}
	c.waiting = left
	return batch
}
