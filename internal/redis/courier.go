package redis

import (
	"context"
	"slices"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// courier takes scripts to Redis, those that wait at a time together: under load a system
// call, and a wake-up on either side, serves many of them. One that comes alone goes at once.
//
// It has no goroutine. Who comes while a trip is to be had makes it, with all that waits; who
// comes back has the first of those that wait meanwhile make the next.
type courier struct {
	client *goredis.Client

	mu      sync.Mutex
	waiting []*parcel // one of each caller at most; none while there is a trip to be had
	trips   int       // under way
}

const (
	// maxTrips is how many batches may be under way. What comes meanwhile waits for the next
	// to return, for a round trip more at most.
	maxTrips = 2
	// maxParcels and maxTripBytes bound a batch, beyond its first parcel. Redis answers the
	// first when it has done it, but nobody hears of it before the last.
	maxParcels   = 64
	maxTripBytes = 256 << 10
)

// parcel is one script on its way, or waiting for it.
type parcel struct {
	script *goredis.Script
	keys   []string
	args   []any
	bytes  int // of args, about

	// word is said to whoever waits for the parcel: a batch to make a trip with, or nil when
	// what follows is set.
	word   chan []*parcel
	leads  bool // was given a batch; guarded by the courier's mutex
	result []any
	err    error
}

// run runs a script, once: never when ctx has ended already, perhaps when it ends before
// the script was done. Who makes a trip returns from it, in ioTimeout at most, also when
// its ctx ends on the way: others wait for the same trip.
func (c *courier) run(ctx context.Context, script *goredis.Script, keys []string, args []any) ([]any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p := &parcel{script: script, keys: keys, args: args, word: make(chan []*parcel, 1)}
	for _, arg := range args {
		if text, ok := arg.(string); ok {
			p.bytes += len(text)
		}
	}
	c.queue(p)
	var batch []*parcel
	select {
	case batch = <-p.word:
	case <-ctx.Done():
		if !c.withdraw(p) {
			return nil, ctx.Err()
		}
		batch = <-p.word
	}
	if batch != nil {
		c.travel(ctx, batch)
	}
	if goredis.HasErrorPrefix(p.err, "NOSCRIPT") {
		return script.Eval(ctx, c.client, keys, args...).Slice()
	}
	return p.result, p.err
}

// queue has a parcel wait, and go at once where there is a trip to be had.
func (c *courier) queue(p *parcel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, p)
	if c.trips < maxTrips {
		c.trips++
		c.passOn()
	}
}

// withdraw forgets a parcel that nobody waits for, unless it is under way. It reports whether
// its owner has been given a batch, in which there are others', and has to go.
func (c *courier) withdraw(p *parcel) (leads bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.waiting, p); i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
	}
	return p.leads
}

// passOn gives a trip to the first that waits, with what goes on it, so that no other trip
// can take that. When none waits the trip is to be had. The mutex must be held.
func (c *courier) passOn() {
	if len(c.waiting) == 0 {
		c.trips--
		return
	}
	batch := c.load()
	batch[0].leads = true
	batch[0].word <- batch
}

// travel takes a batch, whose first parcel is the caller's.
func (c *courier) travel(ctx context.Context, batch []*parcel) {
	c.deliver(context.WithoutCancel(ctx), batch)
	c.mu.Lock()
	c.passOn()
	c.mu.Unlock()
	for _, p := range batch[1:] {
		p.word <- nil
	}
}

// load takes what goes on the next trip. The mutex must be held.
func (c *courier) load() []*parcel {
	n, bytes := 1, c.waiting[0].bytes
	for n < min(len(c.waiting), maxParcels) && bytes+c.waiting[n].bytes <= maxTripBytes {
		bytes += c.waiting[n].bytes
		n++
	}
	batch := slices.Clone(c.waiting[:n])
	c.waiting = slices.Delete(c.waiting, 0, n)
	return batch
}

// deliver runs a batch. Its time is its own: those who wait for it have different ones.
func (c *courier) deliver(ctx context.Context, batch []*parcel) {
	ctx, cancel := context.WithTimeout(ctx, ioTimeout)
	defer cancel()
	pipe := c.client.Pipeline()
	commands := make([]*goredis.Cmd, len(batch))
	for i, p := range batch {
		commands[i] = p.script.EvalSha(ctx, pipe, p.keys, p.args...)
	}
	_, err := pipe.Exec(ctx)
	for i, p := range batch {
		switch command := commands[i]; {
		case command.Err() == nil && command.Val() == nil:
			p.err = err // none was sent: there was no connection to be had
		default:
			p.result, p.err = command.Slice()
		}
	}
}
