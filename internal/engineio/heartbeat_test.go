package engineio_test

import (
	"strings"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/engineio"
)

// beat makes heartbeats short.
func beat(interval, timeout time.Duration) func(*engineio.Options) {
	return func(o *engineio.Options) { o.PingInterval, o.PingTimeout = interval, timeout }
}

func TestHeartbeatWebsocket(t *testing.T) {
	h := start(t, beat(50*time.Millisecond, patience))
	w := h.websocket(4)
	w.send("3nobody asked")
	for range 3 {
		w.expect("81 01 32")
		w.send("3whatever")
	}
	w.peer.expectOpen(t)
}

func TestHeartbeatPolling(t *testing.T) {
	h := start(t, beat(50*time.Millisecond, patience))
	p := h.poll(4)
	for range 3 {
		expectAnswer(t, p.hold(), 200, "2")
		p.post("3").expect(t, 200, "ok")
	}
	p.peer.expectOpen(t)
}

// The next ping leaves one interval after the pong, not after the ping.
func TestHeartbeatFollowsThePong(t *testing.T) {
	h := start(t, beat(100*time.Millisecond, patience))
	w := h.websocket(4)
	w.expect("81 01 32")
	w.send("4echo")
	w.expectText("4echo") // no ping meanwhile: there is but one unanswered
	answered := time.Now()
	w.send("3")
	w.expect("81 01 32")
	if since := time.Since(answered); since < 100*time.Millisecond {
		t.Errorf("the next ping came %v after the pong", since)
	}
}

// A probe is answered by the pong to its own ping, and by none to an earlier one, which may
// have been under way for long.
func TestProbe(t *testing.T) {
	alive := make(chan string, 4)
	tells := func(name string) func() { return func() { alive <- name } }
	waiting := func(t *testing.T, w *wire) {
		t.Helper()
		w.send("4echo")
		w.expectText("4echo") // everything before was read
		select {
		case name := <-alive:
			t.Fatalf("%s was answered", name)
		default:
		}
	}
	answered := func(t *testing.T, want string) {
		t.Helper()
		select {
		case name := <-alive:
			if name != want {
				t.Fatalf("%s was answered, want %s", name, want)
			}
		case <-time.After(patience):
			t.Fatalf("%s was not answered", want)
		}
	}
	t.Run("quiet", func(t *testing.T) {
		w := start(t).websocket(4)
		w.send("3") // nobody asked yet
		waiting(t, w)
		w.peer.session.Probe(tells("probe"))
		w.expect("81 01 32")
		waiting(t, w)
		w.send("3")
		answered(t, "probe")
		w.send("3")
		waiting(t, w)
	})
	t.Run("behind a ping", func(t *testing.T) {
		w := start(t, beat(100*time.Millisecond, patience)).websocket(4)
		w.expect("81 01 32")
		w.peer.session.Probe(tells("first"))
		w.expect("81 01 32")
		w.peer.session.Probe(tells("second"))
		w.expect("81 01 32")
		w.send("3")
		w.send("3")
		waiting(t, w) // the second has taken the place of the first
		w.send("3")
		answered(t, "second")
		w.expect("81 01 32") // the heartbeat goes on
		w.send("3")
		w.peer.expectOpen(t)
	})
	t.Run("polling", func(t *testing.T) {
		p := start(t).poll(4)
		p.peer.session.Probe(tells("probe"))
		p.get().expect(t, 200, "2")
		p.post("3").expect(t, 200, "ok")
		answered(t, "probe")
	})
	t.Run("unanswered", func(t *testing.T) {
		w := start(t, beat(patience, 50*time.Millisecond)).websocket(4)
		w.peer.session.Probe(tells("probe"))
		w.peer.expectClosed(t, engineio.ReasonPingTimeout)
		w.peer.session.Probe(tells("late"))
		select {
		case name := <-alive:
			t.Errorf("%s was answered", name)
		default:
		}
	})
}

// A probe that comes as the next ping is due is no reason to take the client for gone.
func TestProbeAsTheHeartbeatIsDue(t *testing.T) {
	w := start(t, beat(50*time.Millisecond, patience)).websocket(4)
	w.peer.session.ProbeUnderLock(100 * time.Millisecond)
	w.expect("81 01 32")
	w.send("4echo")
	w.expectText("4echo")
	w.send("3")
	w.expect("81 01 32") // the next one, in its turn
	w.peer.expectOpen(t)
}

// Each ping has its own time to be answered in, the one behind another too.
func TestTheAnswerToAProbeHasItsTime(t *testing.T) {
	const timeout = 500 * time.Millisecond
	w := start(t, beat(50*time.Millisecond, timeout)).websocket(4)
	w.expect("81 01 32")
	w.peer.session.Probe(func() {})
	w.expect("81 01 32")
	w.send("3")
	answered := time.Now()
	w.peer.expectClosed(t, engineio.ReasonPingTimeout)
	if since := time.Since(answered); since < timeout {
		t.Errorf("closed %v after the answer before, want %v at least", since, timeout)
	}
}

// However often a client that does not answer is probed, the pings are bounded.
func TestProbesAreBounded(t *testing.T) {
	h := start(t)
	p := h.poll(4)
	for range 1000 {
		p.peer.session.Probe(func() {})
	}
	if backlog := h.observer.now().backlog; backlog > 100 {
		t.Errorf("%d bytes of pings wait", backlog)
	}
}

func TestHeartbeatUnanswered(t *testing.T) {
	t.Run("websocket", func(t *testing.T) {
		h := start(t, beat(50*time.Millisecond, 100*time.Millisecond))
		opened := time.Now()
		w := h.websocket(4)
		w.expect("81 01 32")
		w.expectEnd()
		if since := time.Since(opened); since < 150*time.Millisecond {
			t.Errorf("closed after %v", since)
		}
		w.peer.expectClosed(t, engineio.ReasonPingTimeout)
	})
	t.Run("polling", func(t *testing.T) {
		h := start(t, beat(50*time.Millisecond, time.Second))
		p := h.poll(4)
		expectAnswer(t, p.hold(), 200, "2")
		expectAnswer(t, p.hold(), 200, "1")
		p.peer.expectClosed(t, engineio.ReasonPingTimeout)
		p.get().expect(t, 400, sessionUnknown)
	})
	// The deadline runs from queueing the ping, though no poll came to fetch it.
	t.Run("polling without a poll", func(t *testing.T) {
		h := start(t, beat(50*time.Millisecond, 100*time.Millisecond))
		p := h.poll(4)
		p.peer.expectClosed(t, engineio.ReasonPingTimeout)
		p.get().expect(t, 400, sessionUnknown)
	})
}

func TestHeartbeatQueuesThePing(t *testing.T) {
	h := start(t, beat(50*time.Millisecond, patience))
	p := h.poll(4)
	eventually(t, "a queued ping", func() bool { return h.observer.now().backlog == 1 })
	p.get().expect(t, 200, "2")
}

// Traffic is no substitute for a pong: it moves the deadline once, and no further.
func TestHeartbeatDespiteTraffic(t *testing.T) {
	const timeout = 500 * time.Millisecond
	h := start(t, beat(50*time.Millisecond, timeout))
	h.onText = func(*peer, string) {}
	w := h.websocket(4)
	w.expect("81 01 32")
	began := time.Now()
	w.send("4noise")
	ended := make(chan string, 1)
	go func() { ended <- <-w.peer.closed }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case reason := <-ended:
			if reason != engineio.ReasonPingTimeout {
				t.Errorf("closed with %q", reason)
			}
			if since := time.Since(began); since < timeout {
				t.Errorf("closed %v after the first traffic", since)
			}
			return
		case <-tick.C:
			_, _ = w.conn.Write([]byte(textOf("4noise")))
			if time.Since(began) > patience {
				t.Fatal("traffic alone kept the session")
			}
		}
	}
}

// A server that sends all the time must still ping, or the client gives up.
func TestHeartbeatWhileSending(t *testing.T) {
	h := start(t, beat(50*time.Millisecond, patience))
	w := h.websocket(4)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				w.peer.session.SendText([]byte("noise"))
			}
		}
	}()
	for pings := 0; pings < 3; {
		if text := w.text(); text == "2" {
			pings++
			w.send("3")
		} else if text != "4noise" {
			t.Fatalf("read %q", text)
		}
	}
	close(stop)
	<-stopped
}

// In revision 3 the client pings. The answer never echoes the ping's payload.
func TestHeartbeatRevision3(t *testing.T) {
	h := start(t)
	w := h.websocket(3)
	w.send("2")
	w.expect("81 01 33")
	w.send("2abc")
	w.expect("81 01 33")
	w.send("2probe")
	w.expect("81 01 33")

	p := h.poll(3)
	p.post("1:2").expect(t, 200, "ok")
	p.get().expect(t, 200, "1:3")
	held := p.hold()
	p.post("4:2abc").expect(t, 200, "ok")
	expectAnswer(t, held, 200, "1:3")
}

func TestHeartbeatRevision3Timeout(t *testing.T) {
	silent := func(t *testing.T, w *wire) {
		var pinged time.Time
		for range 5 {
			pinged = time.Now()
			w.send("2")
			w.expect("81 01 33")
		}
		w.send("4traffic does not count")
		w.expectText("4traffic does not count")
		w.expectEnd() // and no ping from us before it
		if since := time.Since(pinged); since < 500*time.Millisecond {
			t.Errorf("closed %v after the last ping", since)
		}
		w.peer.expectClosed(t, engineio.ReasonPingTimeout)
	}
	t.Run("websocket", func(t *testing.T) {
		h := start(t, beat(300*time.Millisecond, 200*time.Millisecond))
		silent(t, h.websocket(3))
	})
	// The reference forgets the timeout after an upgrade.
	t.Run("upgraded", func(t *testing.T) {
		h := start(t, beat(300*time.Millisecond, 200*time.Millisecond))
		p := h.poll(3)
		silent(t, p.upgrade())
	})
	t.Run("polling", func(t *testing.T) {
		h := start(t, beat(300*time.Millisecond, 200*time.Millisecond))
		p := h.poll(3)
		expectAnswer(t, p.hold(), 200, "1:1")
		p.peer.expectClosed(t, engineio.ReasonPingTimeout)
	})
}

// A ping of the RFC 6455 kind is answered and means nothing else.
func TestRFCPing(t *testing.T) {
	h := start(t, beat(50*time.Millisecond, patience))
	w := h.websocket(4)
	w.expect("81 01 32")
	w.write("\x89\x82\x00\x00\x00\x00hi")
	w.expect("8a 02 68 69")
	w.write("\x8a\x80\x00\x00\x00\x00") // nor does a pong answer a Socket.IO ping
	w.send("4" + strings.Repeat("x", 10))
	w.expectText("4" + strings.Repeat("x", 10))
}
