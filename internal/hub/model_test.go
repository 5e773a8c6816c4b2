package hub_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
	"github.com/roomcast/roomcast/internal/logtest"
	"github.com/roomcast/roomcast/internal/memory"
)

// The promise as a whole, against random schedules: clients that join, leave, lose their
// connections in the middle of whatever is being written to them and come back at any
// instance, while the bus loses, lags and is cut, instances crash, histories are trimmed,
// and the store is restarted and fails over. Each client's log is judged by what was
// published: nothing lost, nothing twice, in order, or told to reload.

var (
	schedules = flag.Int("schedules", 100, "random schedules of each kind to try")
	oneSeed   = flag.Uint64("seed", 0, "try this one schedule alone")
)

// What may happen in a schedule beside the comings and goings of clients.
type modelKind struct {
	name    string
	history int  // events that a room keeps
	store   bool // the store loses data, or begins a new epoch
}

var modelKinds = []modelKind{
	{name: "faults of the bus", history: 10_000},
	{name: "short histories", history: 30},
	{name: "faults of the store", history: 10_000, store: true},
	{name: "everything", history: 30, store: true},
}

const (
	modelHubs    = 2
	modelClients = 6
	modelRooms   = 5
	modelSteps   = 60
)

func TestRandomSchedules(t *testing.T) {
	for _, kind := range modelKinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			if *oneSeed != 0 {
				runModel(t, kind, *oneSeed)
				return
			}
			total := figures{}
			for range *schedules {
				seed := rand.Uint64()
				total.add(runModel(t, kind, seed))
				if t.Failed() {
					t.Fatalf("go test ./internal/hub -run 'TestRandomSchedules/%s' -seed %d", kind.name, seed)
				}
			}
			t.Logf("%d schedules: %+v", *schedules, total)
		})
	}
}

// figures is what happened in schedules.
type figures struct {
	published, got, reconnects, notRecovered, resyncs, repairs, takeovers int
}

func (f *figures) add(more figures) {
	f.published += more.published
	f.got += more.got
	f.reconnects += more.reconnects
	f.notRecovered += more.notRecovered
	f.resyncs += more.resyncs
	f.repairs += more.repairs
	f.takeovers += more.takeovers
}

// model is one schedule under way, inside a bubble.
type model struct {
	t      *testing.T
	kind   modelKind
	random *rand.Rand

	bus     *memory.Bus
	hubs    []*modelHub
	clients []*modelClient
	rooms   []event.Room
	judge   judge
	numbers int
	zombies []*modelLink // connections whose end the server has not seen yet
	figures figures
	log     logtest.Journal // of all hubs
}

type modelHub struct {
	hub      *hub.Hub
	store    *faultyStore
	observed *counts
	release  func() // of a bus that is held back
	crashes  int
}

func runModel(t *testing.T, kind modelKind, seed uint64) (total figures) {
	synctest.Test(t, func(t *testing.T) {
		m := &model{t: t, kind: kind, random: rand.New(rand.NewPCG(seed, 0))}
		m.start()
		for range modelSteps {
			m.step()
		}
		m.settle()
		m.check()
		total = m.figures
		if t.Failed() {
			t.Log(m.log.String())
		}
	})
	return total
}

func (m *model) start() {
	m.bus = memory.NewBus(memory.Options{HistorySize: m.kind.history, HistoryBytes: 64 << 20, HistoryTTL: time.Hour})
	m.judge.rooms = make(map[event.Room][]*modelPublication)
	for n := range modelRooms {
		m.rooms = append(m.rooms, newRoom(m.t, "w", strconv.Itoa(n)))
	}
	for n := range modelHubs {
		m.hubs = append(m.hubs, &modelHub{})
		m.startHub(n)
	}
	for n := range modelClients {
		c := &modelClient{name: "client-" + strconv.Itoa(n), rooms: make(map[event.Room]*modelStay)}
		for _, room := range m.pick(1 + m.random.IntN(modelRooms)) {
			c.rooms[room] = &modelStay{}
		}
		m.clients = append(m.clients, c)
		m.connect(c)
	}
	synctest.Wait()
}

func (m *model) startHub(n int) {
	h := m.hubs[n]
	h.store = newFaultyStore(m.bus.Store())
	h.hub, h.observed = startHub(m.t, string(rune('a'+n)), h.store, func(o *hub.Options) {
		o.ReplayBytes, o.RecoveryWindow = 1<<20, time.Hour
		o.Logger = m.log.Logger().With("hub", n)
	})
	awaitReady(m.t, h.hub)
}

func (m *model) pick(n int) []event.Room {
	var picked []event.Room
	for _, place := range m.random.Perm(len(m.rooms))[:n] {
		picked = append(picked, m.rooms[place])
	}
	return picked
}

// step does one random thing, and mostly waits until it has had its effect: not always,
// so that things overtake each other.
func (m *model) step() {
	actions := []func(){
		m.askAgain, m.loseAnswers,
		m.publish, m.publish, m.publish, m.burst,
		m.cutLater, m.cutLater, m.cutNow, m.act, m.act, m.leave,
		m.hole, m.lag, m.cutFeeds, m.buryZombie, m.rest, m.crash,
	}
	if m.kind.store {
		actions = append(actions, m.restart, m.failover, m.wipe)
	}
	actions[m.random.IntN(len(actions))]()
	if m.random.IntN(4) > 0 {
		synctest.Wait()
	}
	m.comeBack()
	if m.random.IntN(3) > 0 {
		m.act()
	}
}

func (m *model) publish() { m.publishTo(m.rooms[m.random.IntN(len(m.rooms))]) }

func (m *model) publishTo(room event.Room) {
	m.numbers++
	// By the store, as an instance that is not in the model would: the hubs may be deaf.
	receipt, err := m.bus.Store().Publish(m.t.Context(), event.Publication{
		ID: "n" + strconv.Itoa(m.numbers), Remember: time.Minute, Room: room,
		Object: fmt.Sprintf(`{"event":"U","payload":{"n":%d}}`, m.numbers),
	})
	if err != nil {
		m.t.Fatal(err)
	}
	m.figures.published++
	m.judge.rooms[room] = append(m.judge.rooms[room], &modelPublication{number: m.numbers, at: receipt.Position})
}

func (m *model) burst() {
	for range 20 + m.random.IntN(180) {
		m.publish()
	}
}

// cutLater lets a connection die in the middle of what is written to it next.
func (m *model) cutLater() { m.anyone().link.lose(m.random.IntN(12)) }

func (m *model) cutNow() { m.anyone().link.Close("") }

func (m *model) anyone() *modelClient { return m.clients[m.random.IntN(len(m.clients))] }

// comeBack reconnects clients that have noticed. The server may notice before, or later.
func (m *model) comeBack() {
	for _, c := range m.clients {
		c.mu.Lock()
		old := c.link
		c.mu.Unlock()
		if !old.dead() || m.random.IntN(3) == 0 {
			continue
		}
		if m.random.IntN(2) == 0 {
			old.release()
		} else {
			m.zombies = append(m.zombies, old)
		}
		m.connect(c)
	}
}

func (m *model) buryZombie() {
	if len(m.zombies) > 0 {
		m.zombies[0].release()
		m.zombies = m.zombies[1:]
	}
}

// connect opens a connection to a random instance with what the client has kept.
func (m *model) connect(c *modelClient) {
	number := m.random.IntN(len(m.hubs))
	link := &modelLink{client: c, hub: number, budget: -1}
	c.mu.Lock()
	c.story = append(c.story, fmt.Sprintf("connecting to %d with %s %s", number, c.pid, c.offer))
	c.link = link
	unanswered := false
	for _, stay := range c.rooms {
		unanswered = unanswered || !stay.joined
		if stay.leaving && stay.log != nil {
			stay.log.vague = true // it may have been out of the room since, without an answer
		}
		stay.asked = true // until connected, there is nothing to ask on
	}
	if unanswered && c.pid != "" {
		c.unfit++
	}
	opening := hub.Opening{SID: c.name, PID: c.pid}
	if c.offer != "" {
		offset, err := event.ParseOffset(c.offer)
		if err != nil { // as the gateway has it
			opening.PID = ""
			if !unanswered {
				c.unfit++
			}
		}
		opening.Offset = offset
	}
	c.mu.Unlock()
	opening.Welcome = func(a hub.Admission) []*event.Event { return []*event.Event{event.NewConnect(a.SID, a.PID)} }
	opening.Probe = link.probe
	link.seating = m.hubs[number].hub.Open(link, opening)
}

// act has clients ask for what they want and have not asked for.
func (m *model) act() {
	for _, c := range m.clients {
		c.mu.Lock()
		link := c.link
		wanted := map[event.Room]modelStay{}
		for room, stay := range c.rooms {
			if !stay.asked && (!stay.joined || stay.leaving) && !link.dead() {
				if stay.leaving && !stay.joined && stay.log != nil {
					stay.log.vague = true // out of the room for longer than the answer tells
				}
				stay.asked = true
				wanted[room] = *stay
			}
		}
		c.mu.Unlock()
		for room, stay := range wanted {
			m.ask(link, room, stay)
		}
	}
}

func (m *model) ask(link *modelLink, room event.Room, stay modelStay) {
	answer := func(outcome hub.Outcome) []*event.Event {
		body, _ := json.Marshal(modelAnswer{room.String(), stay.leaving, outcome.Err == nil, outcome.Position.String()})
		return []*event.Event{event.NewReply("answer", body)}
	}
	link.client.tell("%s asks: %s since %q, leaving %v", link.client.name, room, stay.last, stay.leaving)
	var err error
	if stay.leaving {
		err = link.seating.Leave(room, answer)
	} else {
		var since event.Position
		if stay.last != "" {
			since = position(m.t, stay.last)
		}
		err = link.seating.Join(room, since, answer)
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

// leave has a client want to be out of a room; once it is, it will want to be in again.
func (m *model) leave() {
	c := m.anyone()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, stay := range c.rooms {
		if stay.joined {
			stay.leaving = true
			return
		}
	}
}

// askAgain is what applications do by habit after a reconnect, recovered or not: they
// subscribe to a room that they are in, with the position that they have of it or without.
func (m *model) askAgain() {
	c := m.anyone()
	c.mu.Lock()
	link, asked := c.link, map[event.Room]modelStay{}
	for room, stay := range c.rooms {
		if stay.joined && !stay.asked && !stay.leaving && !link.dead() {
			stay.asked = true
			asked[room] = *stay
		}
	}
	c.mu.Unlock()
	for room, stay := range asked {
		if m.random.IntN(2) == 0 {
			stay.last = ""
		}
		m.ask(link, room, stay)
	}
}

// settle ends all faults, lets everybody come back, and publishes once more to each room.
func (m *model) settle() {
	for _, h := range m.hubs {
		if h.release != nil {
			h.release()
		}
		h.store.lose(nil)
		h.store.onWritten(nil)
	}
	m.gather()
	for _, room := range m.rooms {
		m.publishTo(room)
	}
	m.gather() // somebody's connection may have been due to break just now
	for _, h := range m.hubs {
		m.figures.repairs += sum(h.observed.repairs())
	}
}

// gather lets everybody come back, and heartbeats pass.
func (m *model) gather() {
	for range 30 {
		m.comeBack()
		m.act()
		time.Sleep(time.Second)
		synctest.Wait()
	}
}

func (m *model) check() {
	for _, c := range m.clients {
		c.mu.Lock()
		for room, stay := range c.rooms {
			segments := stay.past
			if !stay.joined || stay.log == nil {
				m.t.Errorf("%s did not come to be in %s", c.name, room)
				continue
			}
			for _, s := range append(segments, stay.log) {
				m.checkSegment(c, room, s)
			}
		}
		m.figures.reconnects += c.reconnects
		m.figures.notRecovered += c.notRecovered
		if m.kind == modelKinds[0] && c.notRecovered > c.unfit {
			m.t.Errorf("%s was not recovered %d times, of which %d for its offset", c.name, c.notRecovered, c.unfit)
		}
		link := c.link
		c.mu.Unlock()
		link.release()
	}
	for _, z := range m.zombies {
		z.release()
	}
}

func (m *model) checkSegment(c *modelClient, room event.Room, s *segment) {
	m.figures.got += len(s.got)
	for _, e := range s.got {
		if e.number != 0 {
			continue
		}
		m.figures.resyncs++
		if m.kind == modelKinds[0] {
			m.t.Errorf("%s was told to reload %s, although nothing was lost for good", c.name, room)
		}
	}
	if err := m.judge.check(room, s); err != nil {
		m.t.Errorf("%s in %s: %v\nfrom %s: %v\n%s", c.name, room, err, s.from, s.got, strings.Join(c.story, "\n"))
	}
}

func sum(counted map[string]int) (n int) {
	for _, c := range counted {
		n += c
	}
	return n
}
