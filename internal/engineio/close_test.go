package engineio_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/engineio"
)

func TestCloseByClientOnPolling(t *testing.T) {
	for revision, c := range map[int]struct{ packet, noop string }{4: {"1", "6"}, 3: {"1:1", "1:6"}} {
		h := start(t)
		p := h.poll(revision)
		held := p.hold()
		p.post(c.packet).expect(t, 200, "ok")
		expectAnswer(t, held, 200, c.noop)
		p.peer.expectClosed(t, engineio.ReasonTransportClose)
		p.get().expect(t, 400, sessionUnknown)
		p.post(c.packet).expect(t, 400, sessionUnknown)
	}
}

func TestCloseByClientOnWebsocket(t *testing.T) {
	for name, c := range map[string]struct{ bytes, answer string }{
		"close frame":             {"\x88\x80\x00\x00\x00\x00", "88 00"},
		"close frame with status": {"\x88\x82\x00\x00\x00\x00\x03\xe8", "88 00"},
		"close packet":            {textOf("1"), "88 00"},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t)
			w := h.websocket(4)
			w.write(c.bytes)
			w.expect(c.answer)
			w.expectEnd()
			w.peer.expectClosed(t, engineio.ReasonTransportClose)
			h.do("GET", "EIO=4&transport=polling&sid="+w.sid, "").expect(t, 400, sessionUnknown)
		})
	}
}

func TestCloseByLostConnection(t *testing.T) {
	h := start(t)
	w := h.websocket(4)
	_ = w.conn.Close()
	w.peer.expectClosed(t, engineio.ReasonTransportClose)
}

func TestCloseByServerOnWebsocket(t *testing.T) {
	h := start(t)
	w := h.websocket(4)
	w.peer.session.SendText([]byte("last words"))
	w.peer.session.Close("a reason")
	w.peer.session.SendText([]byte("too late"))
	w.expectText("4last words")
	w.expect("88 00")
	w.expectEnd()
	w.peer.expectClosed(t, "a reason")
	w.peer.session.Close("again")
	eventually(t, "the session is counted out", func() bool { return h.engine.Live() == 0 })
	if len(w.peer.closed) != 0 {
		t.Error("the handler was told twice")
	}
}

func TestCloseByServerOnPolling(t *testing.T) {
	for revision, c := range map[int]struct{ last, farewell, parked string }{
		4: {"4last words", "1", "4last words\x1e6\x1e1"},
		3: {"11:4last words", "1:1", "11:4last words1:61:1"},
	} {
		h := start(t)
		p := h.poll(revision)
		held := p.hold()
		p.peer.session.Close("a reason")
		expectAnswer(t, held, 200, c.farewell)
		p.get().expect(t, 400, sessionUnknown)
		p.peer.expectClosed(t, "a reason")

		// Between two polls the next one learns of it, and gets what it had coming.
		p = h.poll(revision)
		p.peer.session.SendText([]byte("last words"))
		p.peer.session.Close("a reason")
		p.peer.expectClosed(t, "a reason")
		p.get().expect(t, 200, c.parked)
		p.get().expect(t, 400, sessionUnknown)
	}
}

// A handler may close its own session; what the same payload still holds is not heard.
func TestCloseByHandler(t *testing.T) {
	h := start(t)
	h.onText = func(p *peer, _ string) { p.session.Close("enough") }
	p := h.poll(4)
	p.post("4a\x1e4b").expect(t, 200, "ok")
	p.peer.expectClosed(t, "enough")
	p.peer.expectHeard(t, "a")

	w := h.websocket(4)
	w.write(textOf("4a") + textOf("4b"))
	w.expect("88 00")
	w.expectEnd()
	w.peer.expectClosed(t, "enough")
	w.peer.expectHeard(t, "a")
}

func TestServerClose(t *testing.T) {
	h := start(t)
	p, idle, w := h.poll(4), h.poll(4), h.websocket(3)
	probed := h.poll(4)
	probe := probed.probe()
	held := p.hold()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- h.engine.Close(ctx) }()
	expectAnswer(t, held, 200, "1")
	w.expect("88 00")
	w.expectEnd()
	probe.expect("88 00")
	probe.expectEnd()
	if err := <-closed; err != nil {
		t.Fatalf("Close: %v", err)
	}
	for _, peer := range []*peer{p.peer, idle.peer, w.peer, probed.peer} {
		select { // Close returns after everyone has been told
		case reason := <-peer.closed:
			if reason != engineio.ReasonShuttingDown {
				t.Errorf("closed with %q", reason)
			}
		default:
			t.Error("Close did not wait for a handler to be told")
		}
	}
	stopping := `{"code":4,"message":"Server is shutting down"}`
	a := h.do("GET", "EIO=4&transport=polling", "")
	a.expect(t, 503, stopping)
	expectHeader(t, a.header, map[string]string{"Retry-After": "5"})
	idle.get().expect(t, 400, sessionUnknown)
	if status, _, _ := h.refusedUpgrade("EIO=4&transport=websocket", ""); status != "HTTP/1.1 503 Service Unavailable" {
		t.Errorf("upgrade answered %q", status)
	}
}

// A handler that does not come back cannot hold Close beyond its context.
func TestServerCloseIsBounded(t *testing.T) {
	h := start(t)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	h.onText = func(*peer, string) { <-release }
	w := h.websocket(4)
	w.send("4stuck")
	w.peer.expectHeard(t, "stuck")
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := h.engine.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close returned %v", err)
	}
}

// Nothing stays of sessions that come and go.
func TestSessionsLeaveNothing(t *testing.T) {
	h := start(t)
	for i := range 500 {
		var p *peer
		switch i % 4 {
		case 0:
			session := h.poll(4)
			session.post("1").expect(t, 200, "ok")
			p = session.peer
		case 1:
			w := h.websocket(4)
			w.write("\x88\x80\x00\x00\x00\x00")
			w.expect("88 00")
			_ = w.conn.Close()
			p = w.peer
		case 2:
			w := h.websocket(3)
			_ = w.conn.Close()
			p = w.peer
		case 3:
			w := h.poll(4).upgrade()
			w.peer.session.Close(engineio.ReasonTransportClose)
			w.expect("88 00")
			_ = w.conn.Close()
			p = w.peer
		}
		p.expectClosed(t, engineio.ReasonTransportClose)
	}
	eventually(t, "all are counted out", func() bool { return h.engine.Live() == 0 })
}

// What is counted: every session once at its beginning and its end, with the transport it
// was on then.
func TestObserver(t *testing.T) {
	h := start(t)
	gone := func() bool { return h.engine.Live() == 0 }
	h.poll(4).upgrade().peer.session.Close("a reason")
	eventually(t, "the first is counted out", gone)
	h.poll(3).post("1:1").expect(t, 200, "ok")
	eventually(t, "the second is counted out", gone)
	_ = h.websocket(3).conn.Close()
	eventually(t, "the third is counted out", gone)

	got := h.observer.now()
	for _, c := range []struct {
		what      string
		got, want []string
	}{
		{"opened", got.opened, []string{"4 polling", "3 polling", "3 websocket"}},
		{"upgraded", got.upgraded, []string{"4"}},
		{"closed", got.closed, []string{"4 websocket a reason", "3 polling transport close", "3 websocket transport close"}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: %q, want %q", c.what, c.got, c.want)
		}
	}
}
