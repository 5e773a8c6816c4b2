package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// client is one client, for the whole run: it comes back whenever it was lost. What it owns
// is touched by its own goroutine alone, until the crowd has gone.
type client struct {
	crowd    *Crowd
	index    int
	tally    *tally
	dialogue Dialogue

	memberships []membership
	arrived     int64  // when the chunk under way came, see now
	sequence    uint64 // of the last update
	everJoined  bool
	counted     atomic.Bool // it joined before the crowd's Begin
}

func newClient(c *Crowd, index int) *client {
	rooms := c.options.roomsOf(index)
	made := &client{
		crowd: c, index: index, tally: &c.tallies[index%len(c.tallies)],
		memberships: make([]membership, len(rooms)),
	}
	for i, room := range rooms {
		made.memberships[i].room = room.Index
	}
	if c.options.Dialogue != nil {
		made.dialogue = c.options.Dialogue(rooms)
	} else {
		made.dialogue = newSocketIO(c.options.Revision, c.options.Token, rooms)
	}
	return made
}

// run keeps the client connected until ctx ends.
func (c *client) run(ctx context.Context) {
	for attempt := 0; ; attempt++ {
		joined, err := c.connect(ctx, c.crowd.options.server(c.index, attempt))
		if ctx.Err() != nil {
			return
		}
		c.crowd.lost(err)
		delay := time.Duration((0.5 + rand.Float64()) * float64(c.crowd.options.ReconnectDelay)) //nolint:gosec // no secret
		if !joined {
			delay = max(delay, refusedDelay)
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return
		}
	}
}

// refusedDelay is how long a client that has not got into its rooms waits at least: one that
// comes back at once, again and again, would load nothing but the kernel.
const refusedDelay = 100 * time.Millisecond

// joinTimeout is how long a client waits until it is in its rooms, like official clients for
// their connection.
const joinTimeout = 20 * time.Second

var errNotJoined = fmt.Errorf("not in its rooms within %s", joinTimeout)

// connect is one connection, from its beginning to its end, and whether it joined.
func (c *client) connect(ctx context.Context, base string) (joined bool, err error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	var overdue atomic.Bool
	link := &Link{client: c, overdue: time.AfterFunc(joinTimeout, func() { overdue.Store(true); end() })}
	defer link.overdue.Stop()
	c.crowd.connecting.Add(1)
	defer func() {
		if link.joined {
			c.crowd.present.Add(-1)
		} else {
			c.crowd.connecting.Add(-1)
		}
	}()
	switch c.crowd.options.Transport {
	case Polling:
		err = c.byPolling(ctx, base, link)
	case Upgrade:
		err = c.byUpgrade(ctx, base, link)
	default:
		err = c.byWebsocket(ctx, base, link)
	}
	if overdue.Load() {
		err = errNotJoined
	}
	return link.joined, err
}

func (c *client) byWebsocket(ctx context.Context, base string, link *Link) error {
	w, early, err := dialWebsocket(ctx, base, c.dialogue.Target())
	if err != nil {
		return err
	}
	return c.onWebsocket(ctx, w, link, early, nil)
}

// onWebsocket reads a websocket to its end. opened are packets that came by polling before.
func (c *client) onWebsocket(ctx context.Context, w *websocket, link *Link, early []byte, opened [][]byte) error {
	defer w.conn.Close()
	defer context.AfterFunc(ctx, func() { _ = w.conn.Close() })()
	link.send = w.write
	if c.crowd.options.Revision == 3 {
		defer c.beat(ctx, w.write)()
	}
	if err := c.dialogue.Opened(link); err != nil {
		return err
	}
	message := func(text []byte) error { return c.dialogue.Message(link, text) }
	for _, packet := range opened {
		if err := message(packet); err != nil {
			return err
		}
	}
	return w.read(early, c.hear, message)
}

func (c *client) byPolling(ctx context.Context, base string, link *Link) error {
	p, opened, err := openPolling(ctx, c.crowd.http, base, c.crowd.options.Revision)
	if err != nil {
		return err
	}
	link.send = func(text []byte) error { return p.post(ctx, text) }
	if c.crowd.options.Revision == 3 {
		defer c.beat(ctx, link.send)()
	}
	for packets := opened; ; {
		for _, packet := range packets {
			c.hear(len(packet))
		}
		for _, packet := range packets {
			if err := c.dialogue.Message(link, packet); err != nil {
				return err
			}
		}
		if packets, err = p.poll(ctx); err != nil {
			return err
		}
	}
}

// byUpgrade opens a session by polling, goes over to a websocket, and joins there.
func (c *client) byUpgrade(ctx context.Context, base string, link *Link) error {
	p, opened, err := openPolling(ctx, c.crowd.http, base, c.crowd.options.Revision)
	if err != nil {
		return err
	}
	w, early, err := dialWebsocket(ctx, base, c.dialogue.Target()+"&sid="+p.sid)
	if err != nil {
		return err
	}
	if err := w.write([]byte("2probe")); err != nil {
		_ = w.conn.Close()
		return err
	}
	early, err = w.awaitProbe(ctx, early)
	if err != nil {
		_ = w.conn.Close()
		return err
	}
	return c.onWebsocket(ctx, w, link, early, opened)
}

// revision3Beat is how often a client of Engine.IO 3 pings; servers wait far longer.
const revision3Beat = 20 * time.Second

// beat sends pings until the function that it returns is called.
func (c *client) beat(ctx context.Context, send func([]byte) error) (stop func()) {
	ctx, stop = context.WithCancel(ctx)
	c.crowd.running.Go(func() {
		ticker := time.NewTicker(revision3Beat)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				if send([]byte("2")) != nil {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	})
	return stop
}

// hear notes when bytes have come.
func (c *client) hear(bytes int) {
	c.arrived = now()
	c.tally.wire.Add(uint64(bytes)) //nolint:gosec // a length
}

func (c *client) joined(recovered bool) {
	switch {
	case !c.everJoined:
		c.everJoined = true
		c.crowd.joinedFirst.Add(1)
		if !c.crowd.begun.Load() {
			c.counted.Store(true)
			c.crowd.counted.Add(1)
		}
	case recovered:
		c.crowd.recovered.Add(1)
	default:
		c.crowd.rejoined.Add(1)
	}
	c.crowd.present.Add(1)
	c.crowd.connecting.Add(-1)
}

func (c *client) delivered(room int, text []byte) {
	if c.crowd.begun.Load() && !c.counted.Load() {
		return // it came too late to be judged
	}
	number, sent, err := parseData(text)
	if err != nil {
		c.tally.strange.Add(1)
		return
	}
	for i := range c.memberships {
		m := &c.memberships[i]
		if room >= 0 && m.room != room {
			continue
		}
		if m.mark(number) {
			c.tally.record(c.arrived - sent)
		} else {
			c.tally.doubled.Add(1)
		}
		return
	}
	c.tally.strange.Add(1)
}

// ordered judges the server's order: across all rooms of a client its sequence rises.
func (c *client) ordered(sequence uint64) {
	if sequence <= c.sequence {
		c.tally.disordered.Add(1)
	}
	c.sequence = max(c.sequence, sequence)
}
