package engineio_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"github.com/roomcast/roomcast/internal/engineio"
)

// The longest time from one close to the next, as ROOMCAST_DRAIN promises: 20 a second.
const longestSlot = 50 * time.Millisecond

// dry is an engine in the fake time of a bubble, whose connections are pipes in memory.
type dry struct {
	*harness
	began time.Time

	reading sync.WaitGroup // the clients
	mu      sync.Mutex
	closes  []time.Duration // since began, when a client has read its close frame
}

// drained runs test with an engine in a bubble; by its end all sessions must be closed.
func drained(t *testing.T, test func(d *dry)) {
	synctest.Test(t, func(t *testing.T) {
		h := &harness{TB: t, observer: &tally{}, peers: make(map[string]*peer)}
		h.onText = func(p *peer, message string) { p.session.SendText([]byte(message)) }
		o := options()
		o.Observer, o.Accept = h.observer, h.accept
		h.engine = engineio.NewServer(o)
		d := &dry{harness: h, began: time.Now()}
		test(d)
		if err := h.engine.Close(t.Context()); err != nil {
			t.Errorf("Close: %v", err)
		}
		d.reading.Wait()
		h.observer.check(t)
	})
}

// piped is a response whose connection can be taken over.
type piped struct {
	*httptest.ResponseRecorder
	conn net.Conn
}

func (p piped) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return p.conn, bufio.NewReadWriter(bufio.NewReader(p.conn), bufio.NewWriter(p.conn)), nil
}

// websocket opens a session, and reads it to its end: the open packet, texts that begin
// with 4, and a close frame without a status.
func (d *dry) websocket() {
	near, far := net.Pipe()
	d.reading.Go(func() { d.read(far) })
	request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(upgradeRequest("EIO=4&transport=websocket"))))
	if err != nil {
		d.Fatal(err)
	}
	d.engine.ServeHTTP(piped{httptest.NewRecorder(), near}, request)
}

func (d *dry) websockets(count int) {
	for range count {
		d.websocket()
	}
}

func (d *dry) read(conn net.Conn) {
	defer conn.Close()
	reader := bufio.NewReader(conn)
	if _, err := http.ReadResponse(reader, nil); err != nil {
		d.Errorf("websocket handshake: %v", err)
		return
	}
	for first := byte('0'); ; first = '4' {
		frame, err := ws.ReadFrame(reader)
		switch {
		case err != nil:
			d.Errorf("reading a frame: %v", err)
			return
		case first == '4' && frame.Header.OpCode == ws.OpClose && len(frame.Payload) == 0:
			d.mu.Lock()
			defer d.mu.Unlock()
			d.closes = append(d.closes, time.Since(d.began))
			return
		case frame.Header.OpCode != ws.OpText || frame.Payload[0] != first:
			d.Errorf("read a frame %x %q", frame.Header.OpCode, frame.Payload)
			return
		}
	}
}

// get serves a GET with this query and returns the body of the answer.
func (d *dry) get(query string) string {
	w := httptest.NewRecorder()
	d.engine.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/socket.io/?EIO=4&transport=polling"+query, http.NoBody))
	return w.Body.String()
}

// getAfter does the same in the background, after some time.
func (d *dry) getAfter(wait time.Duration, query string) <-chan string {
	answer := make(chan string, 1)
	go func() {
		time.Sleep(wait)
		answer <- d.get(query)
	}()
	return answer
}

// poll opens a session over polling and returns the query that names it.
func (d *dry) poll() string {
	return "&sid=" + openSID(d, d.get(""))
}

// drain drains to the end and checks how many it has closed.
func (d *dry) drain(over time.Duration, want int) {
	d.Helper()
	if closed, err := d.engine.Drain(d.Context(), over); closed != want || err != nil {
		d.Errorf("Drain closed %d (%v), want %d", closed, err, want)
	}
}

// taken is how long it has been since the beginning.
func (d *dry) taken() time.Duration { return time.Since(d.began) }

// closedAt is when the clients were closed, in order.
func (d *dry) closedAt() []time.Duration {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	slices.Sort(d.closes)
	return d.closes
}

// Every slot sees one close: few clients are gone at once, many take the whole time.
func TestDrainPace(t *testing.T) {
	for count, slot := range map[int]time.Duration{
		0: 0, 1: longestSlot, 7: longestSlot, 300: longestSlot, 2000: 7500 * time.Microsecond,
	} {
		drained(t, func(d *dry) {
			d.websockets(count)
			d.drain(15*time.Second, count)
			if whole := time.Duration(count) * slot; d.taken() > whole {
				d.Errorf("%d sessions took %s, want at most %s", count, d.taken(), whole)
			}
			closes := d.closedAt()
			if len(closes) != count {
				d.Fatalf("%d clients were closed, want %d", len(closes), count)
			}
			early := 0
			for n, at := range closes {
				if first := time.Duration(n) * slot; at < first || at >= first+slot {
					d.Fatalf("of %d, number %d was closed at %s, want it from %s to %s", count, n, at, first, first+slot)
				}
				if at%slot < slot/2 {
					early++
				}
			}
			if count >= 300 && (early < count/3 || early > count*2/3) {
				d.Errorf("of %d, %d were closed in the first half of their slot", count, early)
			}
		})
	}
}

// Without time to spread them all are closed at once.
func TestDrainOverNoTime(t *testing.T) {
	drained(t, func(d *dry) {
		d.websockets(100)
		d.poll()
		d.drain(0, 101)
		if closes := d.closedAt(); len(closes) != 100 || d.taken() != 0 {
			d.Errorf("%d clients were closed in %s", len(closes), d.taken())
		}
	})
}

// Until its turn a session works as ever, both ways.
func TestDrainLeavesTheOthersAlone(t *testing.T) {
	h := start(t)
	var wires []*wire
	for range 30 {
		wires = append(wires, h.websocket(4))
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if closed, err := h.engine.Drain(t.Context(), time.Minute); closed != len(wires) || err != nil {
			t.Errorf("Drain closed %d (%v)", closed, err)
		}
	}()
	for _, w := range wires {
		for echoed := 0; ; echoed++ {
			w.send("4on") // it may be closed at any moment
			frame := w.frame()
			if frame.Header.OpCode == ws.OpClose {
				w.expectEnd()
				break
			}
			if string(frame.Payload) != "4on" {
				t.Fatalf("read %q", frame.Payload)
			}
		}
		w.peer.expectClosed(t, engineio.ReasonShuttingDown)
	}
	<-ended
}

// Sessions that come during a drain are served, and get their share of the time that is left.
func TestDrainNewcomers(t *testing.T) {
	drained(t, func(d *dry) {
		d.websockets(100)
		polled := make(chan string, 1)
		time.AfterFunc(2*time.Second, func() {
			d.websockets(250)
			polled <- d.get(d.poll())
		})
		d.drain(10*time.Second, 351)
		closes := d.closedAt()
		if len(closes) != 350 {
			d.Fatalf("%d clients were closed", len(closes))
		}
		if last := closes[349]; last > 10*time.Second || last < 9*time.Second {
			d.Errorf("the last one was closed at %s", last)
		}
		for n := range closes[:300] { // 290 in 7 s is 41 a second
			if closes[n+50]-closes[n] < time.Second {
				d.Errorf("50 in a second after %s", closes[n])
			}
		}
		if got := <-polled; got != "1" {
			d.Errorf("the poll was answered %q", got)
		}
	})
}

// A session whose handshake is being answered is closed once that is done, not before.
func TestDrainWaitsForTheOpening(t *testing.T) {
	drained(t, func(d *dry) {
		opened := make(chan struct{})
		d.onAccept = func(*peer) { <-opened }
		d.reading.Go(d.websocket)
		polling := d.getAfter(0, "")
		synctest.Wait()
		if ended := d.engine.EndPolling(d.Context(), 0); ended != 0 {
			d.Errorf("%d sessions ended before they were opened", ended)
		}
		d.drain(0, 0) // without time there is no waiting
		time.AfterFunc(400*time.Millisecond, func() { close(opened) })
		d.drain(10*time.Second, 2)
		if at := d.closedAt()[0]; at < 400*time.Millisecond || at > 400*time.Millisecond+2*longestSlot {
			d.Errorf("closed at %s", at)
		}
		openSID(d, <-polling)
	})
}

// When the context ends, the rest is left to Close.
func TestDrainIsCutShort(t *testing.T) {
	drained(t, func(d *dry) {
		d.websockets(2000)
		ctx, cancel := context.WithTimeout(d.Context(), time.Second)
		defer cancel()
		closed, err := d.engine.Drain(ctx, 20*time.Second)
		if (closed != 100 && closed != 101) || !errors.Is(err, context.DeadlineExceeded) || d.taken() != time.Second {
			d.Errorf("Drain closed %d (%v) in %s", closed, err, d.taken())
		}
		if err := d.engine.Close(d.Context()); err != nil || d.taken() != time.Second {
			d.Errorf("Close: %v after %s", err, d.taken())
		}
		if closes := d.closedAt(); len(closes) != 2000 {
			d.Errorf("%d clients were closed", len(closes))
		}
	})
}

// Close ends a drain that is under way, and everything with it.
func TestCloseWhileDraining(t *testing.T) {
	drained(t, func(d *dry) {
		d.websockets(2000)
		time.AfterFunc(time.Second, func() {
			if err := d.engine.Close(d.Context()); err != nil {
				d.Errorf("Close: %v", err)
			}
		})
		closed, err := d.engine.Drain(d.Context(), 20*time.Second)
		if (closed != 100 && closed != 101) || err != nil || d.taken() > time.Second+longestSlot {
			d.Errorf("Drain closed %d (%v) in %s", closed, err, d.taken())
		}
	})
}

// Two drains at once do not double the pace.
func TestDrainTwice(t *testing.T) {
	drained(t, func(d *dry) {
		d.websockets(40)
		cut, cancel := context.WithTimeout(d.Context(), time.Second)
		defer cancel()
		var drains sync.WaitGroup
		drains.Go(func() { d.drain(time.Minute, 40) })
		synctest.Wait()
		drains.Go(func() { d.drain(time.Minute, 0) })
		drains.Go(func() {
			if closed, err := d.engine.Drain(cut, time.Minute); closed != 0 || !errors.Is(err, context.DeadlineExceeded) {
				d.Errorf("the one cut short closed %d (%v)", closed, err)
			}
		})
		drains.Wait()
		closes := d.closedAt()
		if first := 39 * longestSlot; closes[39] < first || closes[39] >= first+longestSlot {
			d.Errorf("the last one was closed at %s", closes[39])
		}
	})
}

// Sessions that end by themselves, as those do that another instance takes over, are
// nothing to wait for.
func TestDrainOfSessionsThatGo(t *testing.T) {
	drained(t, func(d *dry) {
		d.websockets(100)
		const soon = 200 * time.Millisecond
		time.AfterFunc(soon, func() {
			for _, p := range d.peers {
				p.session.Close("claimed")
			}
		})
		if closed, err := d.engine.Drain(d.Context(), 15*time.Second); closed < 4 || closed > 5 || err != nil {
			d.Errorf("Drain closed %d (%v)", closed, err)
		}
		if d.taken() > soon+longestSlot {
			d.Errorf("it took %s", d.taken())
		}
	})
}

// A held GET is answered at once. Between two of them a client gets a moment to come; what
// waited for it is in that answer.
func TestEndPolling(t *testing.T) {
	drained(t, func(d *dry) {
		holding, between := d.poll(), d.poll()
		held := d.getAfter(0, holding)
		synctest.Wait()
		for _, p := range d.peers {
			if !p.session.Held() {
				p.session.SendText([]byte("last words"))
			}
		}
		d.websocket()
		fetched := d.getAfter(300*time.Millisecond, between)
		if ended := d.engine.EndPolling(d.Context(), 2*time.Second); ended != 2 || d.taken() != 300*time.Millisecond {
			d.Errorf("%d ended in %s", ended, d.taken())
		}
		for want, answer := range map[string]<-chan string{"1": held, "4last words\x1e6\x1e1": fetched} {
			if got := <-answer; got != want {
				d.Errorf("answered %q, want %q", got, want)
			}
		}
		if closes := d.closedAt(); len(closes) != 0 || d.engine.Live() != 1 {
			d.Errorf("%d sessions live: the websocket is none of it", d.engine.Live())
		}
	})
}

// Who does not come is waited for in vain, and not for long.
func TestEndPollingIsBounded(t *testing.T) {
	drained(t, func(d *dry) {
		d.poll()
		if ended := d.engine.EndPolling(d.Context(), 2*time.Second); ended != 1 || d.taken() != 2*time.Second {
			d.Errorf("%d ended in %s", ended, d.taken())
		}
		d.poll()
		ctx, cancel := context.WithTimeout(d.Context(), time.Second)
		defer cancel()
		if ended := d.engine.EndPolling(ctx, time.Minute); ended != 1 || d.taken() != 3*time.Second {
			d.Errorf("%d ended in %s", ended, d.taken())
		}
	})
}

// A session that is changing to a websocket is let to, and closed as one.
func TestDrainOfAnUpgrade(t *testing.T) {
	for name, serve := range servers {
		t.Run(name, func(t *testing.T) {
			h := startWith(t, serve)
			p := h.poll(4)
			w := p.probe()
			if ended := h.engine.EndPolling(t.Context(), patience); ended != 0 {
				t.Errorf("%d sessions ended", ended)
			}
			p.peer.session.SendText([]byte("queued"))
			w.send("5")
			w.expectText("4queued")
			if closed, err := h.engine.Drain(t.Context(), time.Minute); closed != 1 || err != nil {
				t.Errorf("Drain closed %d (%v)", closed, err)
			}
			w.expect("88 00")
			w.expectEnd()
		})
	}
}

// What is still in a client's backlog at its turn comes before the close frame.
func TestDrainBehindABacklog(t *testing.T) {
	for name, serve := range servers {
		t.Run(name, func(t *testing.T) {
			h := startWith(t, serve, func(o *engineio.Options) { o.BacklogBytes = 64 << 20 })
			w := h.stalled()
			const count = 20
			out := outbound(strings.Repeat("x", 100_000))
			for range count {
				w.peer.session.Send(out)
			}
			if h.observer.now().backlog == 0 {
				t.Fatal("the client was not slow enough for a backlog")
			}
			if closed, err := h.engine.Drain(t.Context(), 0); closed != 1 || err != nil {
				t.Errorf("Drain closed %d (%v)", closed, err)
			}
			for range count {
				if got := w.text(); got != string(out.texts[0]) {
					t.Fatalf("read %d bytes", len(got))
				}
			}
			w.expect("88 00")
			w.expectEnd()
		})
	}
}

// A client that has stopped reading does not hold its end up, and gets no close frame
// inside of another one.
func TestDrainOfAStalledClient(t *testing.T) {
	h := start(t, func(o *engineio.Options) { o.BacklogBytes = 64 << 20 })
	w := h.stalled()
	payload := strings.Repeat("y", 8<<20)
	w.peer.session.Send(outbound(payload))
	if closed, err := h.engine.Drain(t.Context(), 0); closed != 1 || err != nil {
		t.Errorf("Drain closed %d (%v)", closed, err)
	}
	w.peer.expectClosed(t, engineio.ReasonShuttingDown)
	eventually(t, "an empty backlog", func() bool { return h.observer.now().backlog == 0 })
	_ = expectWholeFrames(t, w, "4"+payload) // the last one may be cut off
}
