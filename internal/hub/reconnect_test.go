package hub_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
	"github.com/roomcast/roomcast/internal/memory"
)

// The same property over lost connections and a lossy channel: a client that comes back,
// to any instance, with the last position it saw of a room, gets that room's events
// complete, once and in order, or is told to reload it. It is never told so without need.

const (
	visitors      = 8
	visitSessions = 12 // of each visitor
)

func TestReconnectingMembersMissNothingAndGetNothingTwice(t *testing.T) {
	for range 6 {
		if resyncs := runVisits(t, rand.Uint64(), 1000); resyncs > 0 {
			t.Errorf("%d resyncs though the history is whole", resyncs)
		}
		if t.Failed() {
			return // the last seed logged is the one that fails
		}
	}
}

func TestReconnectingMembersAreToldOfWhatTheHistoryLacks(t *testing.T) {
	resyncs := 0
	for range 6 {
		resyncs += runVisits(t, rand.Uint64(), 4)
		if t.Failed() {
			return
		}
	}
	if resyncs == 0 {
		t.Error("no resync in any run: the histories were not too short")
	}
}

// visitor is a client that comes and goes.
type visitor struct {
	random *rand.Rand
	rooms  []event.Room
	known  map[event.Room]event.Position // up to where it has each room

	session *visit // the connection it has now
	resyncs int
	faults  []string
}

// visit is one connection of a visitor. Each Send is judged as it comes, until the client
// has gone.
type visit struct {
	visitor   *visitor
	published *sync.Map // event.Position → event.Room

	mu       sync.Mutex // guards the visitor's known, resyncs and faults too
	gone     bool
	outcomes map[*event.Event]joined // by their replies
}

type joined struct {
	room    event.Room
	fresh   bool
	outcome hub.Outcome
}

func (v *visit) Close(reason string) { v.fault("closed: " + reason) }

func (v *visit) fault(text string) { v.visitor.faults = append(v.visitor.faults, text) }

func (v *visit) Send(batch *event.Batch) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.gone {
		return
	}
	known := v.visitor.known
	covered := map[event.Room]event.Position{}
	for _, e := range batch.Events() {
		if answer, isReply := v.outcomes[e]; isReply {
			// What a reply covers has come when its block has: the missed events follow.
			covered[answer.room] = answer.outcome.Position
			if answer.fresh {
				known[answer.room] = answer.outcome.Position
			} else if answer.outcome.Position.Sequence < known[answer.room].Sequence {
				v.fault("a reply goes back to " + answer.outcome.Position.String() + " from " + known[answer.room].String())
			}
			continue
		}
		if words(e) == "RESYNC "+e.Room.App {
			v.visitor.resyncs++
			if e.Position.Sequence < known[e.Room].Sequence {
				v.fault("a resync goes back in " + words(e))
			}
		} else if e.Position.Sequence <= known[e.Room].Sequence {
			v.fault("not after " + known[e.Room].String() + ": " + words(e))
		} else if e.Previous > known[e.Room].Sequence {
			v.fault("a hole after " + known[e.Room].String() + " before " + words(e))
		}
		known[e.Room] = e.Position
	}
	for room, position := range covered {
		if position.Sequence > known[room].Sequence {
			v.checkCovered(room, known[room], position)
			known[room] = position
		}
	}
}

// checkCovered looks for publications that a reply claims to cover and that never came.
func (v *visit) checkCovered(room event.Room, from, to event.Position) {
	v.published.Range(func(key, value any) bool {
		at := key.(event.Position)
		if value == room && at.Sequence > from.Sequence && at.Sequence <= to.Sequence {
			v.fault("covered by a reply and never delivered: " + delivery(room, at))
		}
		return true
	})
}

// knows is up to where the visitor has a room.
func (v *visit) knows(room event.Room) event.Position {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.visitor.known[room]
}

func runVisits(t *testing.T, seed uint64, historySize int) (resyncs int) {
	t.Helper()
	t.Logf("seed %d", seed)
	bus := memory.NewBus(memory.Options{HistorySize: historySize, HistoryBytes: 1 << 20, HistoryTTL: time.Hour})
	hubs := make([]*hub.Hub, scheduleHubs)
	stores := make([]*faultyStore, scheduleHubs)
	for i := range hubs {
		stores[i] = newFaultyStore(bus.Store())
		hubs[i], _ = startHub(t, string(rune('a'+i)), stores[i])
		awaitReady(t, hubs[i])
		random := rand.New(rand.NewPCG(seed, uint64(2000+i)))
		stores[i].lose(func(*event.Event) bool { return random.IntN(10) == 0 })
	}
	rooms := make([]event.Room, scheduleRooms)
	for i := range rooms {
		rooms[i] = newRoom(t, "w", string(rune('a'+i)))
	}
	var published sync.Map
	publishOne := func(by publisher, room event.Room) event.Position {
		at := publish(t, by, room)
		published.Store(at, room)
		return at
	}

	all := make([]*visitor, visitors)
	last := make([]*hub.Seating, visitors)
	var acting, disturbing sync.WaitGroup
	for i := range all {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		all[i] = &visitor{random: random, rooms: rooms[i%2 : 3+i%2], known: map[event.Room]event.Position{}}
		acting.Go(func() { last[i] = all[i].comeAndGo(t, hubs, &published) })
	}
	for i := range schedulePublishers {
		random := rand.New(rand.NewPCG(seed, uint64(1000+i)))
		acting.Go(func() {
			for range scheduleEvents {
				publishOne(hubs[random.IntN(len(hubs))], rooms[random.IntN(len(rooms))])
			}
		})
	}
	stop := make(chan struct{})
	for _, store := range stores {
		disturbing.Go(func() { disturb(store, stop) })
	}
	acting.Wait()
	close(stop)
	disturbing.Wait()
	for _, room := range rooms {
		publishOne(stores[0], room)
	}
	for i, v := range all {
		v.settle(t, bus.Store(), &published)
		last[i].Release(false)
		resyncs += v.resyncs
		for _, fault := range v.faults {
			t.Errorf("visitor %d: %s", i, fault)
		}
	}
	return resyncs
}

// disturb interrupts a feed again and again, without and with a loss.
func disturb(store *faultyStore, stop <-chan struct{}) {
	ticker := time.NewTicker(2 * time.Millisecond) // a pace, nothing waits for it
	defer ticker.Stop()
	interrupted := false
	for {
		select {
		case <-stop:
			store.commands <- event.Sink.Subscribed
			return
		case <-ticker.C:
		}
		store.commands <- func(sink event.Sink) {
			if interrupted = !interrupted; interrupted {
				sink.Interrupted(errors.New("connection reset"))
			} else {
				sink.Subscribed()
			}
		}
	}
}

// comeAndGo connects to one hub after the other and leaves each time but the last, without
// a word and in the middle of things. It returns the last seating.
func (v *visitor) comeAndGo(t *testing.T, hubs []*hub.Hub, published *sync.Map) *hub.Seating {
	for session := 1; ; session++ {
		v.session = &visit{visitor: v, published: published, outcomes: map[*event.Event]joined{}}
		seating := hubs[v.random.IntN(len(hubs))].Admit(v.session)
		v.joinAll(t, seating)
		if session == visitSessions {
			return seating
		}
		for range v.random.IntN(3) { // again within the session, from where it is
			v.join(t, seating, v.rooms[v.random.IntN(len(v.rooms))], event.Position{})
		}
		v.session.mu.Lock()
		v.session.gone = true
		v.session.mu.Unlock()
		seating.Release(false)
	}
}

func (v *visitor) joinAll(t *testing.T, seating *hub.Seating) {
	order := slices.Clone(v.rooms)
	v.random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	for _, room := range order {
		v.join(t, seating, room, v.session.knows(room))
	}
}

func (v *visitor) join(t *testing.T, seating *hub.Seating, room event.Room, since event.Position) {
	outcomes := make(chan hub.Outcome, 1)
	session, fresh := v.session, v.session.knows(room).IsZero()
	err := seating.Join(room, since, func(outcome hub.Outcome) []*event.Event {
		reply := event.NewReply("reply", []byte(`{}`))
		session.mu.Lock()
		defer session.mu.Unlock()
		session.outcomes[reply] = joined{room, fresh, outcome}
		outcomes <- outcome
		return []*event.Event{reply}
	})
	if err != nil {
		t.Errorf("joining %s: %v", room, err)
		return
	}
	if outcome := receive(t, outcomes); outcome.Err != nil {
		t.Errorf("joining %s: %v", room, outcome.Err)
	}
}

// settle waits until the visitor has the last publication of each of its rooms.
func (v *visitor) settle(t *testing.T, bus *memory.Store, published *sync.Map) {
	t.Helper()
	newest := map[event.Room]uint64{}
	published.Range(func(key, value any) bool {
		room := value.(event.Room)
		newest[room] = max(newest[room], key.(event.Position).Sequence)
		return true
	})
	for _, room := range v.rooms {
		await(t, "a visitor has all of "+room.String(), func() bool {
			if err := bus.Beat(t.Context(), "another", 0); err != nil { // the last ones may have been lost
				t.Fatal(err)
			}
			return v.session.knows(room).Sequence >= newest[room]
		})
	}
}
