package hub_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
)

// guest is a member whose session can be continued, with what its client keeps.
type guest struct {
	listener
	seating *hub.Seating
	admitted
	opened time.Time // the joins of a new session are numbered from here on
	gone   bool      // its client is on another connection
}

// answered is the offset of the answer to the session's n-th join.
func (v *guest) answered(at event.Position, n int) string {
	return event.Offset{Position: at, Joins: uint64(v.opened.UnixMilli()) + uint64(n)}.String()
}

// admitted is what a client is told with its welcome.
type admitted struct {
	sid, pid  string
	recovered bool
	welcomes  int
}

// open brings a guest in. pid and offset are of a session to be continued, or empty.
func open(t *testing.T, h *hub.Hub, opening hub.Opening) *guest {
	t.Helper()
	v := &guest{opened: time.Now()}
	opening.SID = "fresh"
	opening.Welcome = func(a hub.Admission) []*event.Event {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.admitted = admitted{a.SID, a.PID, a.Recovered, v.welcomes + 1}
		return []*event.Event{event.NewConnect(a.SID, a.PID)}
	}
	if opening.Probe == nil {
		opening.Probe = v.probe
	}
	v.seating = h.Open(v, opening)
	return v
}

// probe answers as long as the client is there.
func (v *guest) probe(alive func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.gone {
		go alive()
	}
}

func (v *guest) welcome() admitted {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.admitted
}

// offset is what the client would offer: the last argument of the last event that was text.
func (v *guest) offset(t *testing.T) string {
	t.Helper()
	offset := ""
	for _, e := range v.got() {
		if carried, ok := carriedBy(t, e); ok {
			offset = carried
		}
	}
	return offset
}

// carriedBy reads an event as the official client does.
func carriedBy(t *testing.T, e *event.Event) (offset string, ok bool) {
	t.Helper()
	text, isEvent := strings.CutPrefix(string(event.NewBatch(e).In(event.WithOffset).Texts()[0]), "42")
	if !isEvent {
		return "", false
	}
	var args []any
	if err := json.Unmarshal([]byte(text), &args); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	offset, ok = args[len(args)-1].(string)
	return offset, ok
}

func position(t *testing.T, text string) event.Position {
	t.Helper()
	at, err := event.ParsePosition(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return at
}

// lose ends a guest's connection.
func (v *guest) lose() {
	v.seating.Release(false)
	synctest.Wait()
}

// again comes back with what the guest has kept.
func (v *guest) again(t *testing.T, h *hub.Hub) *guest {
	t.Helper()
	synctest.Wait()
	v.mu.Lock()
	v.gone = true
	v.mu.Unlock()
	opening := hub.Opening{PID: v.welcome().pid}
	if offset := v.offset(t); offset != "" {
		at, err := event.ParseOffset(offset)
		if err != nil {
			t.Fatalf("%q: %v", offset, err)
		}
		opening.Offset = at
	}
	back := open(t, h, opening)
	synctest.Wait()
	return back
}

// twoHubs are instances on one bus.
func twoHubs(t *testing.T, change ...func(*hub.Options)) (a, b *hub.Hub) {
	t.Helper()
	bus := newBus()
	return twoHubsOver(t, bus.Store(), bus.Store(), change...)
}

// twoHubsOver are instances with stores of the same bus.
func twoHubsOver(t *testing.T, forA, forB hub.Store, change ...func(*hub.Options)) (a, b *hub.Hub) {
	t.Helper()
	a, _ = startHub(t, "a", forA, change...)
	b, _ = startHub(t, "b", forB, change...)
	awaitReady(t, a)
	awaitReady(t, b)
	return a, b
}
