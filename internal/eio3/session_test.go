package eio3

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/session"
)

func TestClientIsJoinedUnasked(t *testing.T) {
	g := &gateway{}
	w := dial(t, newServer(t, g))
	wantSent(t, w, `0`)
	p := g.peer(0)
	if got := p.client.ID(); got != w.id {
		t.Errorf("client id %q, want the Engine.IO id %q", got, w.id)
	}
	h := p.handshake
	if h.Query.Get("user") != "u v" || h.Authorization != "Bearer t" || h.RemoteAddr != "192.0.2.7:5678" || h.Auth != nil {
		t.Errorf("handshake %+v", h)
	}
}

func TestRefusal(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"told", &session.Refusal{Code: "auth/required", Message: `token "x" für € fehlt`}, `4{"message":"token \"x\" f\u00fcr \u20ac fehlt","data":{"code":"auth/required"}}`},
		{"wrapped", fmt.Errorf("connect: %w", &session.Refusal{Code: "c", Message: "no"}), `4{"message":"no","data":{"code":"c"}}`},
		{"internal", errStranger, `4"Connection refused"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := dial(t, newServer(t, &gateway{refuse: func(session.Handshake) error { return test.err }}))
			wantSent(t, w, test.want)
			if !w.isOpen() {
				t.Error("refusal closed the transport")
			}
			w.text(`2["application",{}]`)
			if got := w.closedWith(t); got != "forced close" {
				t.Errorf("event after refusal closed with %q", got)
			}
		})
	}
}

func TestRefusedClientMayTryAgain(t *testing.T) {
	g := &gateway{refuse: func(h session.Handshake) error {
		if h.Query.Get("token") != "good" {
			return &session.Refusal{Code: "auth/required", Message: "token required"}
		}
		return nil
	}}
	w := dial(t, newServer(t, g))
	w.text(`0/?token=bad,`, `0/?token=good&token=bad`, `2["hello"]`)
	const refused = `4{"message":"token required","data":{"code":"auth/required"}}`
	wantSent(t, w, refused, refused, `0`)
	wantEvents(t, g.peer(0), `hello`)
}

// Who was refused and does nothing about it is not kept.
func TestRefusedClientIsClosedInTime(t *testing.T) {
	refuse := func(session.Handshake) error { return &session.Refusal{Code: "c", Message: "no"} }
	s := New(Options{Gateway: &gateway{refuse: refuse}, Logger: discardLogger(), ConnectTimeout: 20 * time.Millisecond})
	t.Cleanup(func() { shutDown(t, s) })
	w := dial(t, s)
	if got := w.closedWith(t); got != "connect timeout" {
		t.Errorf("closed with %q", got)
	}
}

func TestEvents(t *testing.T) {
	for wire, want := range map[string]string{
		`2["application",{"event":"SUBSCRIBE","n":1}]`:      `application {"event":"SUBSCRIBE","n":1}`,
		`27["application",{}]`:                              `application {} ack=7`,
		`20["application",{}]`:                              `application {} ack=0`,
		`2007["application"]`:                               `application ack=7`,
		`29007199254740991["application",9007199254740993]`: `application 9007199254740993 ack=9007199254740991`,
		`2["application",null]`:                             `application null`,
		`2["application"]`:                                  `application`,
		`2["application",1,"two",[3],{"four":4}]`:           `application 1 "two" [3] {"four":4}`,
		`2["nosuch",{"a":1}]`:                               `nosuch {"a":1}`,
		`2["event",[1]]`:                                    `event [1]`,
		`2["a,b]c",1]`:                                      `a,b]c 1`,
		`2["a\"b\u20ac",1]`:                                 `a"b€ 1`,
		`2["",1]`:                                           ` 1`,
		`2[42,1]`:                                           `42 1`,
		"2 [ \"application\" ,\t{ \"a\" : 1 } ] ":           `application { "a" : 1 }`,
		`2["application",{"name":"Grüße 😀 <&>"}]`:           `application {"name":"Grüße 😀 <&>"}`,
		`2/,["application"]`:                                `application`,
		`2["application",{"_placeholder":true,"num":9}]`:    `application {"_placeholder":true,"num":9}`,
	} {
		t.Run(wire, func(t *testing.T) {
			g := &gateway{}
			w := dial(t, newServer(t, g))
			w.text(wire)
			wantEvents(t, g.peer(0), want)
			if wantSent(t, w, `0`); !w.isOpen() {
				t.Error("closed")
			}
		})
	}
}

func TestEventsStayInOrder(t *testing.T) {
	g := &gateway{}
	w := dial(t, newServer(t, g))
	var want []string
	for i := range 1000 {
		if i%7 == 0 {
			w.text(fmt.Sprintf(`51-["n",%d]`, i))
			w.binary("x")
			want = append(want, fmt.Sprintf("n %d binary", i))
			continue
		}
		w.text(fmt.Sprintf(`2["n",%d]`, i))
		want = append(want, fmt.Sprintf("n %d", i))
	}
	wantEvents(t, g.peer(0), want...)
}

func TestWhatIsSentIsEscaped(t *testing.T) {
	g := &gateway{onEach: func(p *peer, _ string) {
		p.client.Send(event.NewBatch(
			event.NewReply("application_response", []byte(`{"name":"Zoë 😀"}`)),
			event.NewAck(7, []byte(`{"name":"Zoë"}`)),
		))
	}}
	w := dial(t, newServer(t, g))
	w.text(`27["application",{}]`)
	eventually(t, "replies", func() bool { return len(w.received()) == 3 })
	wantSent(t, w, `0`, `2["application_response",{"name":"Zo\u00eb \ud83d\ude00"}]`, `37[{"name":"Zo\u00eb"}]`)
}

func TestAcknowledgementsOfTheClientAreIgnored(t *testing.T) {
	g := &gateway{}
	w := dial(t, newServer(t, g))
	w.text(`37["ok"]`, `39007199254740991[]`, `61-0[{"_placeholder":true,"num":0}]`)
	w.binary("x")
	w.text(`2["after"]`)
	wantEvents(t, g.peer(0), `after`)
	wantSent(t, w, `0`)
}

func TestOtherNamespacesAreRefused(t *testing.T) {
	g := &gateway{}
	w := dial(t, newServer(t, g))
	w.text(`0/nope,`, `0/nope`, `0/admin?token=1&x=a%2Cb,`, `0/é,`, `2["still here"]`)
	wantEvents(t, g.peer(0), `still here`)
	wantSent(t, w, `0`, `4/nope,"Invalid namespace"`, `4/nope,"Invalid namespace"`,
		`4/admin,"Invalid namespace"`, `4/é,"Invalid namespace"`)
}

func TestLeaveAndJoinAgain(t *testing.T) {
	g := &gateway{}
	w := dial(t, newServer(t, g))
	w.text(`2["one"]`, `1`)
	first := g.peer(0)
	wantEvents(t, first, `one`) // what came before DISCONNECT took effect
	wantEnd(t, first, "client namespace disconnect")

	first.client.Send(event.NewBatch(event.NewReply("late", []byte(`1`))))
	first.client.Close("late")
	w.text(`0/?extra=1,`, `2["two"]`)
	second := g.peer(1)
	wantEvents(t, second, `two`)
	wantSent(t, w, `0`, `0`)
	if q := second.handshake.Query; q.Get("user") != "u v" || q.Get("extra") != "1" {
		t.Errorf("query %v", q)
	}
	if first.client == second.client || second.client.ID() != w.id {
		t.Error("the second stay must be another client with the same id")
	}
}

func TestEndlessRejoining(t *testing.T) {
	w := dial(t, newServer(t, &gateway{}))
	for range 2 * maxJoins {
		w.text(`1`, `0`)
	}
	w.closedWith(t)
	if got := len(w.received()); got != maxJoins {
		t.Errorf("joined %d times, want %d", got, maxJoins)
	}
}

func TestEndIsToldOnce(t *testing.T) {
	t.Run("transport", func(t *testing.T) {
		g := &gateway{}
		w := dial(t, newServer(t, g))
		w.text(`2["last"]`)
		w.Close("ping timeout")
		wantEnd(t, g.peer(0), "ping timeout")
		wantEvents(t, g.peer(0), `last`)
	})
	t.Run("gateway", func(t *testing.T) {
		block := make(chan struct{})
		g := &gateway{onEach: func(p *peer, _ string) {
			<-block
			p.client.Close("kicked")
		}}
		w := dial(t, newServer(t, g))
		w.text(`2["one"]`, `2["two"]`, `2["three"]`)
		close(block)
		wantEnd(t, g.peer(0), "kicked")
		wantEvents(t, g.peer(0), `one`) // no event after the gateway has closed
	})
	t.Run("not joined", func(t *testing.T) {
		w := dial(t, newServer(t, &gateway{refuse: func(session.Handshake) error { return errStranger }}))
		w.Close("transport close")
		w.closedWith(t)
	})
}

func TestPanicOfTheGatewayEndsOnlyThatSession(t *testing.T) {
	g := &gateway{onEach: func(p *peer, name string) {
		if name == "boom" {
			panic(errors.New("boom"))
		}
	}}
	s := newServer(t, g)
	bad, good := dial(t, s), dial(t, s)
	bad.text(`2["boom"]`)
	if got := bad.closedWith(t); got != "server error" {
		t.Errorf("closed with %q", got)
	}
	wantEnd(t, g.peer(0), "server error")
	good.text(`2["fine"]`)
	wantEvents(t, g.peer(1), `fine`)
}

type fragilePeer struct{ session.Peer }

func (fragilePeer) Disconnected(string) { panic("boom") }

type fragileGateway struct{}

func (fragileGateway) Connect(session.Client, session.Handshake) (session.Peer, error) {
	return fragilePeer{}, nil
}

func TestPanicAtTheEndIsContained(t *testing.T) {
	s := New(Options{Gateway: fragileGateway{}, Logger: discardLogger()})
	w := open(s, "x")
	w.Close("transport close")
	<-w.told
	shutDown(t, s)
}

func TestFiveHundredSessionsLeaveNothing(t *testing.T) {
	g := &gateway{}
	s := newServer(t, g)
	before := runtime.NumGoroutine()
	var opened sync.WaitGroup
	for i := range 500 {
		opened.Go(func() {
			w := open(s, strconv.Itoa(i))
			w.text(`2["application",{}]`)
			switch i % 4 {
			case 0:
				w.text(`1`)
			case 1:
				w.text(`garbage`)
			}
			w.Close("transport close")
			<-w.told
		})
	}
	opened.Wait()
	eventually(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
	eventually(t, "library sessions to end", func() bool { return s.library.Count() == 0 })
	if rooms := s.library.Rooms("/"); len(rooms) != 0 {
		t.Errorf("%d rooms left in the library", len(rooms))
	}
	for i := range 500 {
		if ends := g.peer(i).ends(); len(ends) != 1 {
			t.Fatalf("peer %d was told %d ends", i, len(ends))
		}
	}
}

func TestSessionsOccupyNoRoomOfTheLibrary(t *testing.T) {
	s := newServer(t, &gateway{})
	dial(t, s)
	if rooms := s.library.Rooms("/"); len(rooms) != 0 {
		t.Errorf("rooms %q: every disconnect would walk them", rooms)
	}
	if s.library.Count() != 1 {
		t.Errorf("library has %d sessions, want 1", s.library.Count())
	}
}

func TestWait(t *testing.T) {
	g := &gateway{}
	s := newServer(t, g)
	w := dial(t, s)
	expired, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Wait(expired); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait with a client left: %v", err)
	}
	w.text(`2["still served"]`)
	wantEvents(t, g.peer(0), `still served`)

	late := dial(t, s)
	if got := late.closedWith(t); got != "server shutting down" {
		t.Errorf("late session closed with %q", got)
	}
	if wantSent(t, late); g.peer(1) != nil {
		t.Error("the gateway heard of the late session")
	}
	w.Close("server shutting down")
	shutDown(t, s)
	shutDown(t, s) // again does no harm
}

func TestReaderWaitsForRoom(t *testing.T) {
	q := newQueue(100)
	q.push(inbound{text: make([]byte, 500)}) // any single one is taken
	pushed := make(chan string, 2)
	var pushers sync.WaitGroup
	defer pushers.Wait()
	pushers.Go(func() {
		q.push(inbound{text: []byte("second")})
		pushed <- "second"
	})
	if in, _ := q.pop(); len(in.text) != 500 {
		t.Fatalf("first has %d bytes", len(in.text))
	}
	<-pushed
	if in, _ := q.pop(); string(in.text) != "second" {
		t.Fatalf("second is %q", in.text)
	}

	for range maxQueued {
		q.push(inbound{text: []byte("x")})
	}
	pushers.Go(func() {
		q.push(inbound{text: []byte("y")}) // full: gives up at the abort
		pushed <- "given up"
	})
	q.abort("over")
	<-pushed
	if in, ok := q.pop(); ok {
		t.Errorf("%q after abort", in.text)
	}
	if reason, ended := q.endReason(); !ended || reason != "over" {
		t.Errorf("ended %v with %q", ended, reason)
	}
}

func TestEndedQueueHandsOutWhatItHas(t *testing.T) {
	q := newQueue(100)
	q.push(inbound{text: []byte("a")})
	q.end("first")
	q.end("second")
	q.push(inbound{text: []byte("b")})
	var got []string
	for in, ok := q.pop(); ok; in, ok = q.pop() {
		got = append(got, string(in.text))
	}
	if reason, _ := q.endReason(); !slices.Equal(got, []string{"a"}) || reason != "first" {
		t.Errorf("got %q, reason %q", got, reason)
	}
}
