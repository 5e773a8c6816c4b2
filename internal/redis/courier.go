package redis

import (
	"context"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// courier takes scripts to Redis, those that wait at a time together: under load a system
// call, and a wake-up on either side, serves many of them. One that comes alone goes at once.
type courier struct {
	client *goredis.Client

	mu      sync.Mutex
	waiting []*parcel
	trips   int // under way
	running sync.WaitGroup
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

	delivered chan struct{} // closed when what follows is set
	result    []any
	err       error
}

// run runs a script, once: never when ctx has ended already, perhaps when it ends before
// the script was done.
func (c *courier) run(ctx context.Context, script *goredis.Script, keys []string, args []any) ([]any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p := &parcel{script: script, keys: keys, args: args, delivered: make(chan struct{})}
	for _, arg := range args {
		if text, ok := arg.(string); ok {
			p.bytes += len(text)
		}
	}
	c.send(p)
	select {
	case <-p.delivered:
	case <-ctx.Done():
		c.withdraw(p)
		return nil, ctx.Err()
	}
	if goredis.HasErrorPrefix(p.err, "NOSCRIPT") {
		return script.Eval(ctx, c.client, keys, args...).Slice()
	}
	return p.result, p.err
}

// send has a parcel taken by the next trip.
func (c *courier) send(p *parcel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, p)
	if c.trips < maxTrips {
		c.trips++
		c.running.Go(c.travel)
	}
}

// withdraw forgets a parcel that nobody waits for, unless it is under way.
func (c *courier) withdraw(p *parcel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, waiting := range c.waiting {
		if waiting == p {
			c.waiting = append(c.waiting[:i], c.waiting[i+1:]...)
			return
		}
	}
}

// travel takes batches until nothing waits.
func (c *courier) travel() {
	for {
		batch := c.load()
		if batch == nil {
			return
		}
		c.deliver(batch)
	}
}

// load takes what goes on the next trip. Nil ends the travelling.
func (c *courier) load() []*parcel {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		c.trips--
		c.waiting = nil
		return nil
	}
	n, bytes := 1, c.waiting[0].bytes
	for n < min(len(c.waiting), maxParcels) && bytes+c.waiting[n].bytes <= maxTripBytes {
		bytes += c.waiting[n].bytes
		n++
	}
	batch := c.waiting[:n:n]
	c.waiting = c.waiting[n:]
	return batch
}

// deliver runs a batch. Its time is its own: those who wait for it have different ones.
func (c *courier) deliver(batch []*parcel) {
	ctx, cancel := context.WithTimeout(context.Background(), ioTimeout)
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
		close(p.delivered)
	}
}

// wait returns when nothing is under way.
func (c *courier) wait() { c.running.Wait() }
