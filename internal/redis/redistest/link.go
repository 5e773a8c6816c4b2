package redistest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/rs/zerolog"
)

// Link is a way to a server that can become slow, or be broken without anybody being told.
type Link struct {
	t       testing.TB
	proxy   *toxiproxy.Proxy
	silence *silence
}

// NewLink opens a way to the server at target, closed with the test.
func NewLink(t testing.TB, target string) *Link {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	l := &Link{t: t, silence: new(silence)}
	l.proxy = toxiproxy.NewProxy(server, t.Name(), "127.0.0.1:0", target)
	name := silences.add(l.silence)
	for _, stream := range []string{"upstream", "downstream"} {
		l.add("half_open", stream, fmt.Sprintf(`{"link":%d}`, name))
	}
	if err := l.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.proxy.Stop)
	return l
}

// Addr is where the link begins, host:port.
func (l *Link) Addr() string { return l.proxy.Listen }

// Slow delays everything by latency, in both directions, and lets no more than kilobytes
// pass in a second.
func (l *Link) Slow(latency time.Duration, kilobytes int) {
	l.t.Helper()
	for _, stream := range []string{"upstream", "downstream"} {
		l.add("latency", stream, fmt.Sprintf(`{"latency":%d}`, latency.Milliseconds()))
		l.add("bandwidth", stream, fmt.Sprintf(`{"rate":%d}`, kilobytes))
	}
}

func (l *Link) add(kind, stream, attributes string) {
	l.t.Helper()
	text := fmt.Sprintf(`{"type":%q,"stream":%q,"attributes":%s}`, kind, stream, attributes)
	if _, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
		l.t.Fatal(err)
	}
}

// Break lets the link swallow whatever is sent, while all connections stay open and new
// ones can be made.
func (l *Link) Break() { l.silence.begin() }

// Restore ends that for new connections. Those that have met the silence stay dead, as
// they do when whatever translates addresses has forgotten them.
func (l *Link) Restore() { l.silence.end() }

// Victims is how many connections were opened since the last Break and have asked for
// something in vain.
func (l *Link) Victims() int {
	l.silence.mu.Lock()
	defer l.silence.mu.Unlock()
	return l.silence.victims
}

// silence is whether a link swallows everything.
type silence struct {
	mu      sync.Mutex
	lasting bool
	count   int
	victims int // of the last one, not counting those that were open before
}

func (s *silence) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lasting = true
	s.count++
	s.victims = 0
}

func (s *silence) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lasting = false
}

func (s *silence) begun() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// swallows reports whether a connection opened after so many silences meets one, or has
// outlived one.
func (s *silence) swallows(before int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lasting && s.count == before {
		s.victims++
	}
	return s.lasting || s.count > before
}

// halfOpen is the toxic that keeps a link's silence. toxiproxy makes toxics by itself,
// from JSON, so it can hold no more than a number to find the rest by.
type halfOpen struct {
	Link int `json:"link"`
}

// silences are those of all links, by number.
var silences registry

type registry struct {
	mu  sync.Mutex
	all []*silence
}

func (r *registry) add(s *silence) (number int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, s)
	return len(r.all) - 1
}

func (r *registry) get(number int) *silence {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all[number]
}

// direction is one direction of a connection.
type direction struct {
	known  bool
	before int // silences before it was opened
	dead   bool
}

// NewState implements toxics.StatefulToxic.
func (*halfOpen) NewState() interface{} { return new(direction) }

// Pipe implements toxics.Toxic.
func (t *halfOpen) Pipe(stub *toxics.ToxicStub) {
	silence, state := silences.get(t.Link), stub.State.(*direction)
	if !state.known {
		state.known, state.before = true, silence.begun()
	}
	for {
		select {
		case <-stub.Interrupt:
			return
		case chunk := <-stub.Input:
			if chunk == nil {
				stub.Close()
				return
			}
			if !state.dead {
				state.dead = silence.swallows(state.before)
			}
			if !state.dead {
				stub.Output <- chunk
			}
		}
	}
}

func init() { toxics.Register("half_open", new(halfOpen)) }
