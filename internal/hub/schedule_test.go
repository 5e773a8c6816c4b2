package hub_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
)

// The property that everything else rests on: whatever the schedule of joins, leaves and
// publications, each member gets its rooms' events complete and once, and the sequences
// written to it strictly increase over all its rooms.

const (
	scheduleHubs       = 2
	scheduleMembers    = 12
	scheduleRooms      = 5
	scheduleSteps      = 60
	schedulePublishers = 3
	scheduleEvents     = 80 // of each publisher
)

func TestSequencesOfOneSessionStrictlyIncrease(t *testing.T) {
	for range 12 {
		if !runSchedule(t, rand.Uint64()) {
			return // the last seed logged is the one that fails
		}
	}
}

// stay is one member's time in one room, from its join's reply to its leave's.
type stay struct {
	room        event.Room
	from, until event.Position // until is zero for one that never left
}

// attendee is a member that joins and leaves at random.
type attendee struct {
	listener
	seating *hub.Seating
	stays   []stay
}

func runSchedule(t *testing.T, seed uint64) bool {
	t.Helper()
	t.Logf("seed %d", seed)
	bus := newBus()
	hubs := make([]*hub.Hub, scheduleHubs)
	for i := range hubs {
		name := string(rune('a' + i))
		hubs[i], _ = startHub(t, name, bus.Store())
		awaitReady(t, hubs[i])
	}
	rooms := make([]event.Room, scheduleRooms)
	for i := range rooms {
		rooms[i] = newRoom(t, "w", string(rune('a'+i)))
	}
	attendees := make([]*attendee, scheduleMembers)
	var published sync.Map // event.Position → event.Room

	var acting sync.WaitGroup
	for i := range attendees {
		a := &attendee{}
		a.seating = hubs[i%len(hubs)].Admit(a)
		attendees[i] = a
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		acting.Go(func() { a.act(t, random, rooms) })
	}
	for i := range schedulePublishers {
		random := rand.New(rand.NewPCG(seed, uint64(1000+i)))
		acting.Go(func() {
			for range scheduleEvents {
				room := rooms[random.IntN(len(rooms))]
				published.Store(publish(t, hubs[random.IntN(len(hubs))], room), room)
			}
		})
	}
	acting.Wait()
	fence := map[event.Room]event.Position{}
	for _, room := range rooms {
		fence[room] = publish(t, hubs[0], room)
		published.Store(fence[room], room)
	}
	good := true
	for i, a := range attendees {
		a.settle(t, fence)
		good = a.check(t, i, &published) && good
		a.seating.Release(false)
	}
	return good
}

// act joins and leaves rooms at random, one request at a time.
func (a *attendee) act(t *testing.T, random *rand.Rand, rooms []event.Room) {
	for range scheduleSteps {
		room := rooms[random.IntN(len(rooms))]
		present := slices.IndexFunc(a.stays, func(s stay) bool { return s.room == room && s.until.IsZero() })
		if present >= 0 {
			a.stays[present].until = leave(t, a.seating, room).Position
			continue
		}
		outcome := join(t, a.seating, room, event.Position{})
		if outcome.Err != nil {
			t.Errorf("joining %s: %v", room, outcome.Err)
		}
		a.stays = append(a.stays, stay{room: room, from: outcome.Position})
	}
}

// settle waits for the last publication of each room that the attendee is in.
func (a *attendee) settle(t *testing.T, fence map[event.Room]event.Position) {
	for _, s := range a.stays {
		if s.until.IsZero() {
			await(t, "the fence has come", func() bool { return slices.Contains(a.sequences(), fence[s.room].Sequence) })
		}
	}
}

func (a *attendee) check(t *testing.T, number int, published *sync.Map) bool {
	got := a.sequences()
	good := true
	for i := 1; i < len(got); i++ {
		if got[i] <= got[i-1] {
			t.Errorf("member %d: %d was written after %d", number, got[i], got[i-1])
			good = false
		}
	}
	var due []uint64
	published.Range(func(key, value any) bool {
		position, room := key.(event.Position), value.(event.Room)
		for _, s := range a.stays {
			if s.room == room && position.Sequence > s.from.Sequence &&
				(s.until.IsZero() || position.Sequence <= s.until.Sequence) {
				due = append(due, position.Sequence)
			}
		}
		return true
	})
	slices.Sort(due)
	if !slices.Equal(due, got) {
		t.Errorf("member %d: due %d events, got %d", number, len(due), len(got))
		good = false
	}
	return good
}
