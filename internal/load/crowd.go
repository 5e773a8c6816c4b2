package load

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Crowd is clients that connect, join their rooms, receive, and come back when they were
// lost, until Close.
type Crowd struct {
	options Options
	http    *http.Client // of polling
	clients []*client
	tallies []tally
	cancel  context.CancelFunc
	running sync.WaitGroup

	connecting  atomic.Int64
	present     atomic.Int64 // in all their rooms now
	joinedFirst atomic.Int64
	counted     atomic.Int64 // joined before Begin
	begun       atomic.Bool
	recovered   atomic.Uint64
	rejoined    atomic.Uint64
	losses      atomic.Uint64
	faults      faults // of connections that ended
}

// Counts are what a crowd has seen up to now.
type Counts struct {
	Present    int64  `json:"present"`    // clients in all their rooms
	Joined     int64  `json:"joined"`     // clients that were, at least once
	Losses     uint64 `json:"losses"`     // connections that ended or did not come about
	Recovered  uint64 `json:"recovered"`  // sessions continued after a loss
	Rejoined   uint64 `json:"rejoined"`   // joined again after a loss
	Received   uint64 `json:"received"`   // updates, each once for each client
	Wire       uint64 `json:"wireBytes"`  // read from websockets and polls, without HTTP
	Doubled    uint64 `json:"doubled"`    // updates that a client had already
	Disordered uint64 `json:"disordered"` // updates behind the server's own sequence
	Strange    uint64 `json:"strange"`    // updates of others
	Resyncs    uint64 `json:"resyncs"`
}

// tallyCount keeps clients that receive at a time from waiting for each other.
const tallyCount = 16

// Gather starts a crowd. It returns at once; AwaitJoined waits for the clients.
func Gather(ctx context.Context, options Options) (*Crowd, error) {
	if err := options.Validate(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	c := &Crowd{
		options: options,
		http: &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: options.Clients, IdleConnTimeout: time.Minute, DisableCompression: true,
		}},
		clients: make([]*client, options.Clients),
		tallies: make([]tally, tallyCount),
		cancel:  cancel,
	}
	for i := range c.tallies {
		c.tallies[i].latency = newHistogram()
	}
	for i := range c.clients {
		c.clients[i] = newClient(c, i)
	}
	c.running.Go(func() { c.start(ctx) })
	return c, nil
}

// maxConnecting bounds the clients that connect at a time where there is no ramp: more
// would only wait in the listener's queue, and some of them be refused.
const maxConnecting = 256

// start lets the clients in, at the ramp.
func (c *Crowd) start(ctx context.Context) {
	began := time.Now()
	for i, client := range c.clients {
		for c.options.Ramp == 0 && c.connecting.Load() >= maxConnecting && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		if c.options.Ramp > 0 {
			due := began.Add(time.Duration(i) * time.Second / time.Duration(c.options.Ramp))
			select {
			case <-time.After(time.Until(due)):
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return
		}
		c.running.Go(func() { client.run(ctx) })
	}
}

// AwaitJoined waits until all clients are in all their rooms.
func (c *Crowd) AwaitJoined(ctx context.Context) error {
	return c.await(ctx, "clients to join", func() bool { return c.present.Load() == int64(len(c.clients)) })
}

// AwaitReceived waits until the clients have received n updates, counted from the beginning.
func (c *Crowd) AwaitReceived(ctx context.Context, n uint64) error {
	return c.await(ctx, "updates to arrive", func() bool { return c.Counts().Received >= n })
}

func (c *Crowd) await(ctx context.Context, what string, done func() bool) error {
	for !done() {
		select {
		case <-time.After(2 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w; %+v; %v", what, ctx.Err(), c.Counts(), c.Faults())
		}
	}
	return nil
}

// Counts are the counts up to now.
func (c *Crowd) Counts() Counts {
	counts := Counts{
		Present: c.present.Load(), Joined: c.joinedFirst.Load(), Losses: c.losses.Load(),
		Recovered: c.recovered.Load(), Rejoined: c.rejoined.Load(),
	}
	for i := range c.tallies {
		t := &c.tallies[i]
		counts.Received += t.received.Load()
		counts.Wire += t.wire.Load()
		counts.Doubled += t.doubled.Load()
		counts.Disordered += t.disordered.Load()
		counts.Strange += t.strange.Load()
		counts.Resyncs += t.resyncs.Load()
	}
	return counts
}

// TakeLatency returns the times from the moment a publication was due to its arrival, in
// microseconds, and forgets them.
func (c *Crowd) TakeLatency() *hdrhistogram.Histogram {
	sum := newHistogram()
	for i := range c.tallies {
		c.tallies[i].take(sum)
	}
	return sum
}

// Begin says that from now on updates count, for the clients that are there: those that join
// later do not know what they have missed. It returns how many are there, or have been.
func (c *Crowd) Begin() int64 {
	c.begun.Store(true)
	return c.counted.Load()
}

// Due is how many updates the counted clients should receive, where accepted is how many
// publications of each room the server has accepted.
func (c *Crowd) Due(accepted []uint64) uint64 {
	var due uint64
	for m := range c.judged() {
		due += accepted[m.room]
	}
	return due
}

// Missing is how many of the updates that are due have not come. Only after Close.
func (c *Crowd) Missing(accepted []uint64) uint64 {
	var missing uint64
	for m := range c.judged() {
		if due := accepted[m.room]; due > m.received {
			missing += due - m.received
		}
	}
	return missing
}

// judged are the memberships of the counted clients.
func (c *Crowd) judged() iter.Seq[*membership] {
	return func(yield func(*membership) bool) {
		for _, client := range c.clients {
			for i := range client.memberships {
				if client.counted.Load() && !yield(&client.memberships[i]) {
					return
				}
			}
		}
	}
}

// Faults are the reasons for which connections have ended, and how many.
func (c *Crowd) Faults() map[string]int { return c.faults.counts() }

func (c *Crowd) lost(err error) {
	c.losses.Add(1)
	c.faults.note(err)
}

// Close ends all clients and waits for them.
func (c *Crowd) Close() {
	c.cancel()
	c.running.Wait()
	c.http.CloseIdleConnections()
}
