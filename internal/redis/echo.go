package redis

import (
	"errors"
	"sync"
	"time"
)

// echo is whether the feed brings the heartbeats that Redis has accepted from this
// process. A feed that brings others' but not these is connected to another server than
// the commands are: to a master that its sentinels have deposed, or behind an address
// that has moved. It would never fall silent there.
type echo struct {
	mu      sync.Mutex
	last    uint64 // number of the last heartbeat sent
	awaited beat   // the oldest one that was not heard yet; zero for none
}

// beat is a heartbeat on its way through Redis.
type beat struct {
	number   uint64
	instance string
	accepted time.Time // when Redis had answered; zero before
}

var errNoEcho = errors.New("the feed does not bring the heartbeats that Redis accepts: it hears another server")

// begin notes that a heartbeat is about to be sent, and returns its number. It can be
// heard before it is answered.
func (e *echo) begin(instance string) (number uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last++
	if e.awaited.number == 0 {
		e.awaited = beat{number: e.last, instance: instance}
	}
	return e.last
}

// end notes the answer. Whether a heartbeat without one was sent is not known.
func (e *echo) end(number uint64, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.awaited.number != number:
	case err != nil:
		e.awaited = beat{}
	default:
		e.awaited.accepted = time.Now()
	}
}

// heard notes a heartbeat that the feed has brought.
func (e *echo) heard(instance string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.awaited.instance == instance {
		e.awaited = beat{}
	}
}

// forget is for a new feed, which does not bring what was sent before it.
func (e *echo) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.awaited = beat{}
}

// isMissing reports whether a heartbeat that was accepted longer than silence before the
// given moment, up to which the feed has been heard, was not among what it brought.
func (e *echo) isMissing(heardUpTo time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.awaited.accepted.IsZero() && heardUpTo.Sub(e.awaited.accepted) > silence
}
