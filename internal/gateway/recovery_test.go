package gateway_test

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/gateway"
	"github.com/roomcast/roomcast/internal/session"
)

// returning is a client whose session can be continued: a session.Recoverable that keeps
// what it gets in the form that a client of Socket.IO 4.6 does.
type returning struct {
	client
	sid, pid string // as welcomed
}

func (r *returning) ID() string { return "fresh" }

func (r *returning) Welcome(sid, pid string) *event.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sid, r.pid = sid, pid
	return event.NewConnect(sid, pid)
}

func (r *returning) Probe(alive func()) { go alive() }

func (r *returning) Send(batch *event.Batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	form := event.Bare
	if r.pid != "" {
		form = event.WithOffset
	}
	for _, text := range batch.In(form).Texts() {
		r.got = append(r.got, string(text))
	}
}

// enter brings a recoverable client in.
func (h *house) enter(handshake session.Handshake) *returning {
	h.t.Helper()
	r := &returning{client: client{t: h.t, house: h}}
	peer, err := h.gateway.Connect(r, handshake)
	if err != nil {
		h.t.Fatalf("a client was refused: %v", err)
	}
	r.peer = peer
	h.t.Cleanup(sync.OnceFunc(func() { peer.Disconnected("transport close") }))
	return r
}

// wantsMatch waits for the next packets, which must match.
func (r *returning) wantsMatch(patterns ...string) {
	r.t.Helper()
	eventually(r.t, "the packets "+strings.Join(patterns, " "), func() bool { return len(r.received()) >= len(patterns) })
	got := r.received()
	for i, pattern := range patterns {
		if !regexp.MustCompile("^" + pattern + "$").MatchString(got[i]) {
			r.t.Fatalf("packet %d is %s, want %s", i, got[i], pattern)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read += len(patterns)
}

const (
	subscribeA = `{"event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"a"}}`
	answerA    = `42\["application_response",\{"status":"SUCCESS","event":"SUBSCRIBE",.*\},"[a-z0-9]+:[0-9]+\.[0-9]+"\]`
	bareA      = `42\["application_response",\{"status":"SUCCESS","event":"SUBSCRIBE",.*\}\]`
	freshPID   = `40\{"sid":"fresh","pid":"[A-Z2-7]{26}"\}`
	noPID      = `40\{"sid":"fresh"\}`
)

func TestASessionIsWelcomedBackWithWhatItMissed(t *testing.T) {
	h := open(t, nil)
	room := event.Room{Workspace: "w", App: "a"}
	first := h.enter(session.Handshake{})
	first.wantsMatch(freshPID)
	first.says("application", subscribeA)
	first.wantsMatch(answerA)
	offset := h.publish(room)
	first.wantsMatch(`42\["workspace_w_app_a",\{"n":1,"position":"` + offset + `"\},"` + offset + `"\]`)
	first.peer.Disconnected("transport close")
	missed := h.publish(room)

	back := h.enter(session.Handshake{PID: first.pid, Offset: offset})
	back.wantsMatch(
		`40\{"sid":"`+first.sid+`","pid":"`+first.pid+`"\}`,
		`42\["workspace_w_app_a",\{"n":2,"position":"`+missed+`"\},"`+missed+`"\]`)
}

// Only a client that says so has left for good.
func TestASessionThatWasLeftIsNotContinued(t *testing.T) {
	h := open(t, nil)
	first := h.enter(session.Handshake{})
	first.wantsMatch(freshPID)
	first.says("application", subscribeA)
	first.wantsMatch(answerA)
	first.peer.Disconnected("client namespace disconnect")
	eventually(t, "the record is gone", func() bool {
		again := h.enter(session.Handshake{PID: first.pid})
		again.wantsMatch(`40\{"sid":"[a-z]+","pid":"[A-Z2-7]{26}"\}`)
		defer again.peer.Disconnected("client namespace disconnect")
		return again.pid != first.pid
	})
}

// The offset of a client whose replay was cut off, or any other that no event had, proves
// nothing; nor does none, of a client that was in a room and has not got the answer.
func TestOffsetsThatAreNone(t *testing.T) {
	h := open(t, nil)
	for _, offset := range []string{"", "-", "a:b", "no offset", "e:1.0", "e:1.99999999999999999999"} {
		first := h.enter(session.Handshake{})
		first.wantsMatch(freshPID)
		first.says("application", subscribeA)
		first.wantsMatch(answerA)
		first.peer.Disconnected("transport close")
		back := h.enter(session.Handshake{PID: first.pid, Offset: offset})
		back.wantsMatch(`40\{.*\}`)
		if back.pid == first.pid {
			t.Errorf("recovered with the offset %q", offset)
		}
	}
}

func TestClientsDeclineOffsets(t *testing.T) {
	h := open(t, nil)
	query := func(text string) url.Values {
		values, _ := url.ParseQuery(text)
		return values
	}
	cases := []struct {
		name      string
		handshake session.Handshake
		want      string
	}{
		{"nothing said", session.Handshake{}, freshPID},
		{"declined in auth", session.Handshake{Auth: json.RawMessage(`{"recovery":false}`)}, noPID},
		{"declined in auth as text", session.Handshake{Auth: json.RawMessage(`{"recovery":"false"}`)}, noPID},
		{"declined in the query", session.Handshake{Query: query("recovery=false")}, noPID},
		{"declined in the query by a digit", session.Handshake{Query: query("recovery=0")}, noPID},
		{"wanted in auth", session.Handshake{Auth: json.RawMessage(`{"recovery":true}`)}, freshPID},
		{"wanted in the query", session.Handshake{Query: query("recovery=true")}, freshPID},
		{"something else in auth", session.Handshake{Auth: json.RawMessage(`{"recovery":{"x":1}}`)}, freshPID},
		{"nonsense in the query", session.Handshake{Query: query("recovery=perhaps")}, freshPID},
		{"declined by a client that comes back", session.Handshake{PID: "x", Offset: "e:1", Query: query("recovery=false")}, noPID},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h.t = t
			h.enter(c.handshake).wantsMatch(c.want)
		})
	}
}

// With recovery off the wire is bare: no private id, and no offset behind an event.
func TestRecoveryTurnedOff(t *testing.T) {
	h := open(t, nil)
	h.gateway = gateway.New(gateway.Options{Hub: h.hub, Logger: quiet()})
	c := h.enter(session.Handshake{PID: "x", Offset: "e:1"})
	c.wantsMatch(noPID)
	c.says("application", subscribeA)
	c.wantsMatch(bareA)
	at := h.publish(event.Room{Workspace: "w", App: "a"})
	c.wantsMatch(`42\["workspace_w_app_a",\{"n":1,"position":"` + at + `"\}\]`)
}
