package event

import (
	"errors"
	"sort"
	"time"
)

// ErrIDReused is returned by a publication whose id was used before with another
// fingerprint.
var ErrIDReused = errors.New("publish id was used for another publication")

// Publication is one request to publish.
type Publication struct {
	// ID is made once per request, or chosen by the caller with an Idempotency-Key.
	// Publishing again under the same id answers the first receipt and delivers nothing.
	ID string
	// Fingerprint stands for the request's content; another one under the same ID fails
	// with ErrIDReused. Empty is a fingerprint like any other.
	Fingerprint string
	// Remember is how long the store keeps ID.
	Remember time.Duration
	Room     Room
	// Object is what members receive: a compact JSON object without a position.
	Object string
}

// Receipt is the store's answer to a publication.
type Receipt struct {
	Position  Position
	Duplicate bool // the id was known; Position is that of the first publication
}

// Top is where the channel's sequence stands.
type Top struct {
	Position
	// Previous is the epoch before this one and the sequence it ended with: a position
	// of that epoch is good up to there. Zero when there was none.
	Previous Position
}

// Continues reports whether a position held by somebody is a place in this sequence,
// so that what follows it can be looked up.
func (t Top) Continues(p Position) bool {
	switch p.Epoch {
	case "":
		return false
	case t.Epoch:
		return p.Sequence <= t.Sequence
	case t.Previous.Epoch:
		return p.Sequence <= t.Previous.Sequence
	}
	return false
}

// Range is a room's events after a sequence, with what is needed to prove that none is
// missing between that sequence and the first of them.
type Range struct {
	Top Top // read at the same moment as the events
	// Events in sequence order. Those before More were cut off by the byte bound.
	Events []*Event
	More   bool // there are further events after the last one here
	// Last is the sequence of the room's last publication, 0 when the index has
	// forgotten the room or never knew it.
	Last uint64
	// Floor is the highest sequence the index has forgotten a room at.
	Floor uint64
}

// Proven reports whether the room's continuity from sequence after is certain. Room
// sequences are sparse, so a trimmed history looks like a quiet room; the index and the
// previous sequence in each event decide. With More set it speaks of the events here.
func (r Range) Proven(after uint64) bool {
	switch {
	case r.Last == 0:
		return after >= r.Floor
	case r.Last <= after:
		return true
	case len(r.Events) == 0:
		return false
	}
	for _, e := range r.Events {
		if e.Previous > after {
			return false // something between the two was trimmed
		}
		after = e.Position.Sequence
	}
	return r.More || after == r.Last
}

// Since is the part of the range after a later sequence.
func (r Range) Since(after uint64) Range {
	first := sort.Search(len(r.Events), func(i int) bool { return r.Events[i].Position.Sequence > after })
	r.Events = r.Events[first:]
	return r
}

// Heartbeat tells where the sequence stood when an instance sent it.
type Heartbeat struct {
	Instance string
	Sent     time.Duration // when, in whole microseconds of that instance's own clock
	Position Position
}

// Sink takes what a feed hears. Its methods are called from one goroutine, in the order
// of hearing, and hold the feed while they run.
type Sink interface {
	// Subscribed says that the subscription was confirmed. What was published before is
	// not going to be heard; after the first time that means a possible loss.
	Subscribed()
	// Interrupted says that the feed has lost its connection and is trying again.
	Interrupted(cause error)
	// Event is a publication, with zero Position when a stranger made it.
	Event(e *Event)
	// Heartbeat is some instance's sign of life, this one's included.
	Heartbeat(beat Heartbeat)
	// Claimed says that some instance, maybe this one, claimed a session. It may be heard
	// before the claim has returned; connections of that generation or a higher one stay.
	Claimed(claimed Claimed)
	// Rejected says that something unreadable was published on the channel.
	Rejected(cause error)
}
