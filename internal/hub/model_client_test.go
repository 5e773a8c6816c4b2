package hub_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
)

// modelClient is an application on the official client, as far as the two matter here: it
// keeps private id and offset as socket.io-client 4.8 does, subscribes again when it was
// not recovered, with the position it has of each room, and asks again for what was not
// answered.
type modelClient struct {
	name string

	mu    sync.Mutex // guards what follows
	pid   string
	offer string // the offset it will show
	rooms map[event.Room]*modelStay
	link  *modelLink

	story                    []string // for a schedule that fails
	reconnects, notRecovered int
	unfit                    int // times it came back with half of a replay, or without an answer
}

// modelStay is a client's time in one room.
type modelStay struct {
	asked, joined bool
	leaving       bool
	last          string // position
	log           *segment
	past          []*segment
}

// segment is what a client got in one room from an answer to SUBSCRIBE on.
type segment struct {
	from  event.Position
	until event.Position // of the answer to UNSUBSCRIBE, zero without one
	vague bool           // nobody can say how far it goes
	got   []entry
}

// entry is an update, or a RESYNC.
type entry struct {
	number int // of the publication; 0 for a RESYNC
	at     event.Position
}

// modelLink is one connection: a hub.Member whose bytes may stop to arrive at any moment.
type modelLink struct {
	client  *modelClient
	hub     int
	seating *hub.Seating

	mu       sync.Mutex // guards what follows; never held with the client's
	budget   int        // events that still arrive; negative: all
	cut      bool       // nothing arrives any more
	closed   bool       // by the server
	released bool
}

// Send implements hub.Member.
func (l *modelLink) Send(batch *event.Batch) {
	for _, e := range batch.Events() {
		l.mu.Lock()
		if l.budget == 0 {
			l.cut = true
		}
		if l.cut {
			l.mu.Unlock()
			return
		}
		l.budget--
		l.mu.Unlock()
		l.client.receive(l, e)
	}
}

// Close implements hub.Member.
func (l *modelLink) Close(string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed, l.cut = true, true
}

// probe answers as long as the client is there.
func (l *modelLink) probe(alive func()) {
	l.mu.Lock()
	l.cut = l.cut || l.budget == 0
	reaches := !l.cut
	l.mu.Unlock()
	if reaches {
		go alive()
	}
}

// lose stops what arrives after so many more events.
func (l *modelLink) lose(budget int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.budget = budget
}

// dead reports whether the client would notice that the connection is gone.
func (l *modelLink) dead() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut
}

// release tells the hub of the connection's end, once.
func (l *modelLink) release() {
	l.mu.Lock()
	released := l.released
	l.released = true
	l.mu.Unlock()
	if !released {
		l.seating.Release(false)
	}
}

// receive takes one packet as the client does.
func (c *modelClient) receive(l *modelLink, e *event.Event) {
	text := string(event.NewBatch(e).In(event.WithOffset).Texts()[0])
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link != l {
		c.story = append(c.story, "too late: "+text)
		return
	}
	c.story = append(c.story, text)
	switch {
	case strings.HasPrefix(text, "40"):
		c.connected(text[2:])
		return
	case !strings.HasPrefix(text, "42"):
		return
	}
	var args []json.RawMessage
	var offset string
	if err := json.Unmarshal([]byte(text[2:]), &args); err != nil {
		panic(fmt.Sprintf("%s: %v", text, err))
	}
	if json.Unmarshal(args[len(args)-1], &offset) == nil {
		c.offer = offset
	}
	if e.Object() == "" {
		c.answered(args[1])
		return
	}
	c.update(e)
}

func (c *modelClient) connected(body string) {
	var answer struct{ PID string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		panic(fmt.Sprintf("%s: %v", body, err))
	}
	recovered := c.pid != "" && c.pid == answer.PID
	if c.pid != "" {
		c.reconnects++
		if !recovered {
			c.notRecovered++
		}
	}
	c.pid = answer.PID
	for _, stay := range c.rooms {
		if !recovered {
			stay.joined = false
		}
		stay.asked = false
	}
}

// modelAnswer is what a reply of the model says.
type modelAnswer struct {
	Room     string
	Left     bool
	OK       bool
	Position string
}

func (c *modelClient) answered(body json.RawMessage) {
	var answer modelAnswer
	if err := json.Unmarshal(body, &answer); err != nil {
		panic(fmt.Sprintf("%s: %v", body, err))
	}
	room, _ := event.ParseRoom(answer.Room)
	stay := c.rooms[room]
	stay.asked = false
	if !answer.OK {
		return
	}
	at, _ := event.ParsePosition(answer.Position)
	if answer.Left {
		stay.log.until = at
		stay.past = append(stay.past, stay.log)
		*stay = modelStay{past: stay.past}
		delete(c.rooms, room)
		c.rooms[room] = stay
		return
	}
	stay.joined = true
	if stay.log == nil {
		stay.log = &segment{from: at}
		stay.last = answer.Position
	}
}

func (c *modelClient) update(e *event.Event) {
	stay := c.rooms[e.Room]
	if stay == nil || stay.log == nil {
		// A record may have a room too many that the client has left, or whose join has failed,
		// when the store did not answer to that, or got it back from a former connection.
		return
	}
	var object struct {
		Event   string
		Payload struct{ N int }
	}
	if err := json.Unmarshal([]byte(e.Object()), &object); err != nil {
		panic(fmt.Sprintf("%s: %v", e.Object(), err))
	}
	stay.last = e.Position.String()
	stay.log.got = append(stay.log.got, entry{number: object.Payload.N, at: e.Position})
}

func (c *modelClient) tell(format string, values ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.story = append(c.story, fmt.Sprintf(format, values...))
}
