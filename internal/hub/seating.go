package hub

import (
	"context"
	"slices"
	"sync"

	"github.com/roomcast/roomcast/internal/event"
)

// Seating is the seats of one member. Requests are worked on one at a time, in the order
// they came, by the desk; what they change at the worker goes through its inbox.
type Seating struct {
	hub    *Hub
	worker *worker
	member Member

	mu        sync.Mutex // guards what follows
	requests  []request
	atDesk    bool // a clerk has taken this seating, or will
	opening   bool // a former session is being looked for; the member was not welcomed yet
	released  bool
	interrupt context.CancelFunc // of the request under way

	// Owned by the request under way.
	taken  []*seat // the rooms asked for and not left
	tenure *tenure // nil for a member whose session ends with its connection

	// Owned by the worker.
	seats     []*seat
	gated     bool // a join is under way: events are held
	held      []*event.Event
	heldBytes int
	cut       bool // closed for having gathered too much: stays gated and gets nothing
	// answered is the number of the last join whose answer was written.
	answered uint64

	round        uint64 // the last round of fan-out this member was counted in
	roomsInRound int
}

// request is one thing a member asked for.
type request func(ctx context.Context)

// Outcome is what a join or leave has come to.
type Outcome struct {
	// Position is where the channel stood: a joined member gets everything after it, one
	// that left has got everything up to it.
	Position event.Position
	// Recovered, meaningful when the join named a position to continue from, says that
	// everything since then follows.
	Recovered bool
	Err       error // ErrTooManyRooms, ErrUnavailable, or nil
}

// Reply makes the events that tell the member of an outcome. They are written before any
// event of the joined room, and after the last of a room that was left.
type Reply func(Outcome) []*event.Event

// Join asks for a seat in room and answers through reply. With a non-zero since, what the
// room had after it comes right behind the reply; if that cannot be proven complete, a
// RESYNC comes instead. Joining a room again is answered like the first time; with a
// since from before the stay, everything after that comes again. It returns ErrBusy, and does not call reply, when
// too many requests are waiting.
func (s *Seating) Join(room event.Room, since event.Position, reply Reply) error {
	return s.ask(func(ctx context.Context) { s.join(ctx, room, since, reply) })
}

// Leave gives the seat in room up, if there is one, and answers through reply. It returns
// ErrBusy, and does not call reply, when too many requests are waiting.
func (s *Seating) Leave(room event.Room, reply Reply) error {
	return s.ask(func(ctx context.Context) { s.leave(ctx, room, reply) })
}

// LeaveUnless gives up the seats in all rooms that are not permitted, and answers for each
// through what reply makes. It returns ErrBusy when too many requests are waiting.
func (s *Seating) LeaveUnless(permitted func(event.Room) bool, reply func(event.Room) Reply) error {
	return s.ask(func(ctx context.Context) {
		for _, taken := range slices.Clone(s.taken) {
			if !permitted(taken.room) {
				s.leave(ctx, taken.room, reply(taken.room))
			}
		}
	})
}

// Identify says whom a member has shown to be that was admitted as nobody, before its first
// Join. It returns ErrBusy when too many requests are waiting.
func (s *Seating) Identify(subject string) error {
	return s.ask(func(context.Context) {
		if s.tenure != nil && !s.tenure.recorded {
			s.tenure.Subject = subject
		}
	})
}

// Answer writes replies at once; to a member that is still to be welcomed, behind that. It
// returns ErrBusy when too many requests are waiting.
func (s *Seating) Answer(replies ...*event.Event) error {
	s.mu.Lock()
	opening := s.opening
	s.mu.Unlock()
	if opening {
		return s.ask(func(context.Context) { s.post(func() { s.send(replies) }) })
	}
	s.member.Send(event.NewBatch(replies...))
	return nil
}

// spareRequests is how many requests may wait beyond one for each room.
const spareRequests = 16

// ask adds a request of the member.
func (s *Seating) ask(r request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.enqueue(r)
	if err != nil && s.opening {
		// Nothing may be written before the welcome, not even that it is busy.
		s.member.Close("too many requests")
		return nil
	}
	return err
}

func (s *Seating) enqueue(r request) error {
	switch {
	case s.released:
		return nil // nobody is left to answer
	case len(s.requests) >= s.hub.options.RoomsPerMember+spareRequests:
		return ErrBusy
	}
	s.requests = append(s.requests, r)
	s.goToDesk()
	return nil
}

// Release gives up all seats, when the connection has ended: left for good by the client,
// or lost. What is under way is broken off, what waits is forgotten.
func (s *Seating) Release(left bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.released {
		return
	}
	s.released = true
	if s.interrupt != nil {
		s.interrupt()
	}
	s.requests = []request{func(ctx context.Context) {
		s.leaveAll()
		s.part(ctx, left)
	}}
	s.goToDesk()
}

func (s *Seating) goToDesk() {
	if !s.atDesk {
		s.atDesk = true
		s.hub.desk.submit(s)
	}
}

// workOff does the next request and reports whether there is another.
func (s *Seating) workOff(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, s.hub.options.RequestTimeout)
	defer cancel()
	s.mu.Lock()
	next := s.requests[0]
	s.requests = s.requests[1:]
	s.interrupt = cancel
	s.mu.Unlock()

	next(ctx)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.interrupt = nil
	if len(s.requests) == 0 {
		s.requests = nil
		s.atDesk = false
	}
	return s.atDesk
}

func (s *Seating) leave(ctx context.Context, room event.Room, reply Reply) {
	held := s.find(room)
	if held != nil {
		if err := s.strike(ctx, event.Stay{Room: room, Number: s.lastJoin()}); err != nil {
			s.refuse(err, reply)
			return
		}
		s.taken = slices.DeleteFunc(s.taken, func(t *seat) bool { return t == held })
	}
	s.answerWithPosition(held, Outcome{}, reply, func() {
		if held != nil {
			s.worker.unseat(held)
		}
	})
}

// answerWithPosition does then and answers with the position up to which the holder of a
// seat, if any, has been given the room: neither more nor less, or it would miss an event
// or get one twice when it continues from there.
func (s *Seating) answerWithPosition(held *seat, outcome Outcome, reply Reply, then func()) {
	heard := s.hub.line.position() // up to here everything is in the worker's inbox
	s.post(func() {
		outcome.Position = heard
		if held != nil {
			outcome.Position = s.worker.reached(held, heard)
		}
		then()
		s.send(reply(outcome))
	})
}

// answerAgain answers the join of a room that the member is in.
func (s *Seating) answerAgain(held *seat, outcome Outcome, reply Reply) {
	heard := s.hub.line.position()
	s.answerWithPosition(held, outcome, func(outcome Outcome) []*event.Event {
		replies := reply(outcome)
		if s.answered > 0 {
			// The first answer may have been lost on its way to a client that was recovered.
			// Everything up to here was written, in all of its rooms.
			at := heard
			if last := s.worker.last; last.Sequence > at.Sequence {
				at = last
			}
			for _, seat := range s.seats {
				if seat.after.Sequence > at.Sequence {
					at = seat.after // a recovery has read ahead
				}
			}
			stampOffset(replies, event.Offset{Position: at, Joins: s.answered})
		}
		return replies
	}, func() {})
}

// send writes events for this member alone. It runs in the worker.
func (s *Seating) send(events []*event.Event) {
	if !s.cut {
		s.member.Send(event.NewBatch(events...))
	}
}

func (s *Seating) leaveAll() {
	taken := s.taken
	s.taken = nil
	s.post(func() {
		for _, t := range taken {
			s.worker.unseat(t)
		}
		s.held, s.heldBytes = nil, 0
	})
}

func (s *Seating) find(room event.Room) *seat {
	for _, t := range s.taken {
		if t.room == room {
			return t
		}
	}
	return nil
}

func (s *Seating) post(task func()) { s.worker.inbox.post(work{task: task}) }
