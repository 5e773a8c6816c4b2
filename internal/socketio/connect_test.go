package socketio_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/session"
	"github.com/roomcast/roomcast/internal/socketio"
)

// protocol.md 3.2, traps 27 and 38: the answer is an object with the key sid alone.
func TestConnect(t *testing.T) {
	for _, packet := range []string{
		"40", "40{}", `40{"token":"t"}`, "40/,", "40/", `40/,{"token":"t"}`, `40{"a":1} `,
		"40123", // an ack id, which a CONNECT may bear in the reference's reading
	} {
		t.Run(packet, func(t *testing.T) {
			g := &gateway{}
			w := dial(t, start(t, g))
			w.send(packet)
			sid := sidOf(t, w.read())
			if id := g.peer(t).client.ID(); id != sid {
				t.Errorf("the gateway knows the client as %q, it knows itself as %q", id, sid)
			}
			w.wantsSilence()
		})
	}
}

func TestSocketIDIsNotTheSecretSessionID(t *testing.T) {
	s := start(t, &gateway{})
	p := poll(t, s)
	p.post("40")
	first := sidOf(t, p.get())
	if strings.Contains(p.id(), first) {
		t.Errorf("the public socket id %s is the session's", first)
	}
	if _, second := join(t, s); second == first {
		t.Errorf("two clients have the id %s", first)
	}
}

func TestNothingIsSentBeforeConnect(t *testing.T) {
	w := dial(t, start(t, &gateway{}))
	w.wantsSilence()
}

// Trap 27 and protocol.md 3.2: the refusal names the namespace as it was asked for, and
// the connection stays open, joined or not.
func TestUnknownNamespace(t *testing.T) {
	for packet, want := range map[string]string{
		"40/admin,":            `44/admin,{"message":"Invalid namespace"}`,
		"40/admin":             `44/admin,{"message":"Invalid namespace"}`,
		`40/admin,{"tok":"a"}`: `44/admin,{"message":"Invalid namespace"}`,
		"40/admin?token=1,":    `44/admin?token=1,{"message":"Invalid namespace"}`,
		"40/admin#1,":          `44/admin#1,{"message":"Invalid namespace"}`,
		"40//,":                `44//,{"message":"Invalid namespace"}`,
		"40/é\"\\,":            "44/é\"\\,{\"message\":\"Invalid namespace\"}",
		"40/__proto__,":        `44/__proto__,{"message":"Invalid namespace"}`,
	} {
		t.Run(packet, func(t *testing.T) {
			g := &gateway{}
			w := dial(t, start(t, g))
			w.send(packet)
			w.wants(want)
			w.connect()
			w.send(packet, packet)
			w.wants(want, want)
			w.send(`42["still here"]`)
			wantRecord(t, g.peer(t), `"still here"`)
		})
	}
}

func TestHandshakeReachesTheGateway(t *testing.T) {
	g := &gateway{}
	w := upgrade(t, start(t, g), "&user=u%20v&user=w&bad=%zz", http.Header{"Authorization": {"Bearer t"}})
	w.read()
	w.send(`40{"token":"tök","n":9007199254740993}`)
	sidOf(t, w.read())
	got := g.peer(t).handshake
	if auth := string(got.Auth); auth != `{"token":"tök","n":9007199254740993}` {
		t.Errorf("auth %s", auth)
	}
	if users := got.Query["user"]; !reflect.DeepEqual(users, []string{"u v", "w"}) {
		t.Errorf("query user %q", users)
	}
	if got.Authorization != "Bearer t" || got.RemoteAddr != w.conn.LocalAddr().String() {
		t.Errorf("authorization %q, address %q of %s", got.Authorization, got.RemoteAddr, w.conn.LocalAddr())
	}
}

func TestConnectWithoutAuthHasNone(t *testing.T) {
	g := &gateway{}
	join(t, start(t, g))
	if auth := g.peer(t).handshake.Auth; auth != nil {
		t.Errorf("auth %q", auth)
	}
}

// Trap 39: clients read the message of an object. A refused client may ask again.
func TestRefusedByTheGateway(t *testing.T) {
	g := &gateway{refuse: func(h session.Handshake) error {
		if string(h.Auth) == `{"token":"good"}` {
			return nil
		}
		return &session.Refusal{Code: "auth/required", Message: `a token is "required"`}
	}}
	w := dial(t, start(t, g))
	for range 2 {
		w.send(`40{"token":"bad"}`)
		w.wants(`44{"message":"a token is \"required\"","data":{"code":"auth/required"}}`)
	}
	w.send(`40{"token":"good"}`)
	sidOf(t, w.read())
	w.wantsSilence()
	if n := len(g.all()); n != 1 {
		t.Errorf("%d peers", n)
	}
}

func TestRefusedWrapped(t *testing.T) {
	g := &gateway{refuse: func(session.Handshake) error {
		return errors.Join(errors.New("secret"), &session.Refusal{Code: "c", Message: "m"})
	}}
	w := dial(t, start(t, g))
	w.send("40")
	w.wants(`44{"message":"m","data":{"code":"c"}}`)
}

// Strangers learn nothing of an error that is ours; the log does.
func TestInternalErrorStaysInside(t *testing.T) {
	var log bytes.Buffer
	g := &gateway{refuse: func(session.Handshake) error { return errors.New("dial 10.0.0.7: secret") }}
	w := dial(t, start(t, g, func(o *socketio.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) }))
	w.send("40")
	w.wants(`44{"message":"Internal error","data":{"code":"internal"}}`)
	w.wantsSilence()
	if !strings.Contains(log.String(), "dial 10.0.0.7: secret") {
		t.Errorf("the log says %q", log.String())
	}
}

// Trap 26. The timer of the one who stays quiet is armed after those of the others: once
// it has fired, theirs would have.
func TestConnectTimeout(t *testing.T) {
	g := &gateway{refuse: func(h session.Handshake) error {
		if h.Auth != nil {
			return &session.Refusal{Code: "c", Message: "no"}
		}
		return nil
	}}
	s := start(t, g, func(o *socketio.Options) { o.ConnectTimeout = 100 * time.Millisecond })
	joined, _ := join(t, s)
	left, _ := join(t, s)
	left.send("41")
	left.wantsSilence()

	refused, quiet, waiting := dial(t, s), dial(t, s), poll(t, s)
	refused.send(`40{}`, "40/admin,")
	refused.wants(`44{"message":"no","data":{"code":"c"}}`, `44/admin,{"message":"Invalid namespace"}`)
	waiting.wants("1") // the GET is held until then
	refused.wantsEnd()
	quiet.wantsEnd()

	joined.wantsSilence()
	left.wantsSilence()
	left.connect()
}

// Trap 24: twice is a breach; after DISCONNECT it is a new stay, under a new id.
func TestConnectTwice(t *testing.T) {
	g := &gateway{}
	w, _ := join(t, start(t, g))
	w.send("40")
	w.wantsEnd()
	wantRecord(t, g.peer(t), "end: forced close")
}

func TestConnectAgainAfterDisconnect(t *testing.T) {
	g := &gateway{}
	w, first := join(t, start(t, g))
	w.send("41")
	second := w.connect()
	if first == second {
		t.Errorf("both stays have the id %s", first)
	}
	w.send(`42["x"]`)
	eventually(t, "two peers", func() bool { return len(g.all()) == 2 })
	wantRecord(t, g.all()[0], "end: client namespace disconnect")
	wantRecord(t, g.all()[1], `"x"`)
}

// Traps 21 and 24 over polling, where a payload holds several packets: they count in order.
func TestConnectOverPolling(t *testing.T) {
	g := &gateway{}
	s := start(t, g)
	p := poll(t, s)
	p.post("40/admin,\x1e40\x1e42[\"x\"]\x1e40/b,{}")
	packets := strings.Split(p.get(), "\x1e")
	if len(packets) != 3 || packets[0] != `44/admin,{"message":"Invalid namespace"}` || packets[2] != `44/b,{"message":"Invalid namespace"}` {
		t.Fatalf("answered %q", packets)
	}
	sidOf(t, packets[1])
	wantRecord(t, g.peer(t), `"x"`)
	p.post(`42["y"]` + "\x1e40\x1e" + `42["z"]`)
	p.wants("6\x1e1")
	wantRecord(t, g.peer(t), `"x"`, `"y"`, "end: forced close")
}

func TestConnectAcrossAnUpgrade(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		t.Run(when, func(t *testing.T) {
			g := &gateway{}
			s := start(t, g)
			p := poll(t, s)
			if when == "before" {
				p.post("40")
				sidOf(t, p.get())
			}
			w := upgrade(t, s, p.id(), http.Header{})
			w.send("2probe")
			w.wants("3probe")
			w.send("5")
			if when == "after" {
				w.connect()
			}
			w.send(`42["x",1]`)
			w.wantsSilence()
			wantRecord(t, g.peer(t), `"x" 1`)
		})
	}
}
