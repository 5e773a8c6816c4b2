package hub

import (
	"slices"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

// worker fans events out to its members. Everything it holds is its own; others reach it
// through the inbox.
type worker struct {
	hub   *Hub
	index int
	inbox inbox

	rooms map[event.Room]*room
	last  event.Position // of the last event fanned out, in any room

	// Of the round of fan-out under way; see fanOut.
	round   uint64
	groups  []*group
	several []*Seating // members of more than one room of the round
}

// room is the seats of one room at one worker.
type room struct {
	seats []*seat
	last  event.Position // of the room's last event fanned out here, or a RESYNC
	group *group         // the room's events in the round under way
}

// seat is one member's place in one room. Owned by the worker, but for what is fixed.
type seat struct {
	seating *Seating   // fixed
	room    event.Room // fixed
	offsets bool       // fixed: the member's session can be continued, by offsets
	index   int        // in room.seats
	// after is the position up to which the member is known to have the room's state:
	// events up to there are not for this seat. The bus may bring them late.
	after event.Position
	past  string // the epoch before after's, all of which is older; empty for none

	// Owned by the request under way: where the member's stay in the room began, from where
	// on this connection gave it the room, up to where it has read the room at least, and
	// the number of its latest join of it.
	joined  event.Position
	from    event.Position
	reached event.Position
	number  uint64
}

// wants reports whether the event is news to the seat's holder.
func (s *seat) wants(e *event.Event) bool { return e.Position.IsZero() || !s.knows(e.Position) }

// knows reports whether a place in the sequence is not after the seat's.
func (s *seat) knows(p event.Position) bool {
	switch p.Epoch {
	case s.after.Epoch:
		return p.Sequence <= s.after.Sequence
	case s.past:
		return true
	}
	return s.seating.hub.line.reaches(s.after, p)
}

// group is the events of one room in a round, in order, with their place in it.
type group struct {
	room   *room
	first  *event.Event // that has a place in the sequence, or nil
	events []*event.Event
	places []int
	batch  *event.Batch
}

// roundBytes bounds the events of one round, in bytes of JSON, and so the size of one
// write to a member. Larger rounds save no more system calls worth having.
const roundBytes = 128 << 10

func newWorker(h *Hub, index int) *worker {
	w := &worker{hub: h, index: index, rooms: make(map[event.Room]*room)}
	w.inbox.init()
	return w
}

// run works until the inbox is closed.
func (w *worker) run() {
	var taken []work
	for {
		taken = w.inbox.takeAll(taken)
		if taken == nil {
			return
		}
		began := time.Now()
		w.process(taken)
		w.gather(time.Since(began))
	}
}

// A round costs a system call for each member, however many events it has. So a worker that
// has been busy for a while, and finds that more has come meanwhile, lets its inbox fill before
// the next round: a burst takes a few rounds, and the processor is left to those who publish
// it and to those who read it. What comes to a worker at rest is not delayed; what comes
// behind a round waits for longestGather more than it would, at most.
const (
	shortRound    = time.Millisecond // after which there is nothing to be saved
	gatherFactor  = 3                // times that the round took
	longestGather = 20 * time.Millisecond
)

// gather lets the inbox fill after a round that took a time.
func (w *worker) gather(took time.Duration) {
	if size := w.inbox.size(); took >= shortRound && size > 0 && size < roundBytes {
		time.Sleep(min(gatherFactor*took, longestGather))
	}
}

// process runs tasks in their place and fans the events between them out in rounds.
func (w *worker) process(taken []work) {
	events, size := make([]*event.Event, 0, min(len(taken), 64)), 0
	flush := func() {
		if len(events) > 0 {
			w.fanOut(events)
			events, size = events[:0], 0
		}
	}
	for _, item := range taken {
		if item.task != nil {
			flush()
			item.task()
			continue
		}
		if size > 0 && size+item.event.Size() > roundBytes {
			flush()
		}
		events = append(events, item.event)
		size += item.event.Size()
	}
	flush()
}

// fanOut gives each member the round's events of its rooms in one write. Nearly all are
// in one room of the round and share that room's batch; the others get theirs merged in
// the order of arrival, because the last offset a session has got must stand for all of
// its rooms.
func (w *worker) fanOut(events []*event.Event) {
	w.round++
	w.group(events)
	if len(w.groups) > 1 {
		w.findSeveral()
	}
	delivered := 0
	for _, g := range w.groups {
		for _, s := range g.room.seats {
			if len(w.groups) == 1 || s.seating.roomsInRound == 1 {
				delivered += w.give(s, g)
			}
		}
	}
	for _, member := range w.several {
		delivered += w.giveMerged(member)
	}
	for _, g := range w.groups {
		g.room.group = nil
	}
	clear(w.groups)
	clear(w.several)
	w.groups, w.several = w.groups[:0], w.several[:0]
	w.hub.options.Observer.Delivered(delivered)
}

// group sorts the round's events by room, leaving out rooms that have emptied meanwhile.
func (w *worker) group(events []*event.Event) {
	for place, e := range events {
		r := w.rooms[e.Room]
		if r == nil {
			continue
		}
		if r.group == nil {
			r.group = &group{room: r}
			w.groups = append(w.groups, r.group)
		}
		r.group.events = append(r.group.events, e)
		r.group.places = append(r.group.places, place)
		if !e.Position.IsZero() {
			r.last, w.last = e.Position, e.Position
			if r.group.first == nil {
				r.group.first = e
			}
		}
	}
	for _, g := range w.groups {
		g.batch = event.NewBatch(g.events...)
	}
}

// findSeveral counts for each member the groups it is in.
func (w *worker) findSeveral() {
	for _, g := range w.groups {
		for _, s := range g.room.seats {
			member := s.seating
			if member.round != w.round {
				member.round, member.roomsInRound = w.round, 0
			}
			member.roomsInRound++
			if member.roomsInRound == 2 {
				w.several = append(w.several, member)
			}
		}
	}
}

// give hands a group to the holder of one seat and returns how many events it got. A seat
// that wants the first of them wants all; strangers' events say nothing about the others.
func (w *worker) give(s *seat, g *group) int {
	if s.seating.gated || g.first != nil && !s.wants(g.first) {
		return w.giveEvents(s.seating, wanted(s, g.events))
	}
	s.seating.member.Send(g.batch)
	return len(g.events)
}

// giveMerged hands a member the events of all its groups, in order of arrival.
func (w *worker) giveMerged(member *Seating) int {
	type arrival struct {
		event *event.Event
		place int
	}
	var arrivals []arrival
	for _, s := range member.seats {
		r := w.rooms[s.room]
		if r == nil || r.group == nil {
			continue
		}
		for i, e := range r.group.events {
			if s.wants(e) {
				arrivals = append(arrivals, arrival{e, r.group.places[i]})
			}
		}
	}
	slices.SortFunc(arrivals, func(a, b arrival) int { return a.place - b.place })
	events := make([]*event.Event, len(arrivals))
	for i, a := range arrivals {
		events[i] = a.event
	}
	return w.giveEvents(member, events)
}

// giveEvents sends events made up for one member, or holds them while its gate is shut.
func (w *worker) giveEvents(member *Seating, events []*event.Event) int {
	if len(events) == 0 {
		return 0
	}
	if member.gated {
		w.hold(member, events)
		return 0
	}
	member.member.Send(event.NewBatch(events...))
	return len(events)
}

// hold keeps events for a member that is joining a room, all its rooms' alike: what it
// gets must rise in sequence. One that gathers too much meanwhile comes back later; until
// its connection has ended it gets nothing more, which would hide from it what is missing.
func (w *worker) hold(member *Seating, events []*event.Event) {
	for _, e := range events {
		member.heldBytes += e.Size()
	}
	switch {
	case member.cut:
		w.hub.options.Observer.Dropped("hold_full", len(events))
	case member.heldBytes > w.hub.options.HoldBytes:
		w.hub.options.Observer.Dropped("hold_full", len(member.held)+len(events))
		member.held, member.cut = nil, true
		member.member.Close("backlog full")
	default:
		member.held = append(member.held, events...)
	}
}

func wanted(s *seat, events []*event.Event) []*event.Event {
	news := make([]*event.Event, 0, len(events))
	for _, e := range events {
		if s.wants(e) {
			news = append(news, e)
		}
	}
	return news
}
