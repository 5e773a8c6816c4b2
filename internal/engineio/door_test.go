package engineio_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roomcast/roomcast/internal/engineio"
)

// packets is an Outbound as the owner prepares it: encoded once for both transports.
type packets struct {
	frames []byte
	texts  [][]byte
}

func (p packets) Frames() []byte  { return p.frames }
func (p packets) Texts() [][]byte { return p.texts }

func outbound(messages ...string) packets {
	var p packets
	for _, message := range messages {
		text := []byte("4" + message)
		p.texts = append(p.texts, text)
		p.frames = append(p.frames, ws.MustCompileFrame(ws.NewTextFrame(text))...)
	}
	return p
}

// stalled opens a websocket whose client has a small window and does not read. A window
// below the loopback's segment size would make reading later a matter of minutes.
func (h *harness) stalled() *wire {
	h.Helper()
	conn := h.connect()
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		tcp, _ = conn.(interface{ NetConn() net.Conn }).NetConn().(*net.TCPConn)
	}
	if err := tcp.SetReadBuffer(128 << 10); err != nil {
		h.Fatal(err)
	}
	w := h.upgradeOn(conn, "EIO=4&transport=websocket", "")
	w.sid = openSID(h, w.text())
	w.peer = h.peer(w.sid)
	return w
}

// numbered is a message that names its sender and number and proves its content.
func numbered(sender, number, size int) string {
	body := strings.Repeat(fmt.Sprintf("<%d/%d>", sender, number), size/8+1)
	sum := sha256.Sum256([]byte(body))
	return fmt.Sprintf("%d %d %x %s", sender, number, sum, body)
}

// A client that stops reading is closed at its bound; nobody waits for it.
func TestDoorStalledClient(t *testing.T) {
	for name, serve := range servers {
		t.Run(name, func(t *testing.T) {
			const bound = 256 << 10
			h := startWith(t, serve, func(o *engineio.Options) { o.BacklogBytes = bound })
			stalled, other := h.stalled(), h.websocket(4)
			out := outbound(strings.Repeat("x", 64<<10))
			// Were a Send to wait for the client, this would never end: no one reads.
			for deadline := time.Now().Add(patience); len(stalled.peer.closed) == 0; {
				if time.Now().After(deadline) {
					t.Fatal("never closed")
				}
				stalled.peer.session.Send(out)
				other.peer.session.SendText([]byte("on"))
				other.expectText("4on")
			}
			stalled.peer.expectClosed(t, engineio.ReasonBacklog)
			eventually(t, "an empty backlog", func() bool { return h.observer.now().backlog == 0 })
			if highest := h.observer.now().highest; highest > bound+2*len(out.frames) { // the first and the last are not counted
				t.Errorf("the backlog grew to %d, bound %d", highest, bound)
			}
			// What had been cut off is not followed by a close frame, and what the kernel had
			// taken is not read to its end: a slow client would not notice for minutes.
			_ = stalled.conn.SetReadDeadline(time.Now().Add(patience))
			err := expectWholeFrames(t, stalled, "4"+strings.Repeat("x", 64<<10))
			if name != "tls" && !errors.Is(err, syscall.ECONNRESET) { // over TLS half a record is an error of its own
				t.Errorf("the end is %v, want a reset", err)
			}
			other.peer.expectOpen(t)
		})
	}
}

// expectWholeFrames reads to the end: whole frames of one payload, the last perhaps cut off.
func expectWholeFrames(t *testing.T, w *wire, payload string) (end error) {
	t.Helper()
	for {
		frame, err := ws.ReadFrame(w.reader)
		if err != nil {
			return err
		}
		if frame.Header.OpCode != ws.OpText || string(frame.Payload) != payload {
			t.Fatalf("a frame that was never sent: %+v", frame.Header)
		}
	}
}

// A client that reads slowly gets every byte in its order, whether written at once or
// through the backlog.
func TestDoorSlowReader(t *testing.T) {
	for name, serve := range servers {
		t.Run(name, func(t *testing.T) {
			h := startWith(t, serve, func(o *engineio.Options) { o.BacklogBytes = 64 << 20 })
			w := h.stalled()
			const count = 400
			var want []string
			for i := range count {
				messages := []string{numbered(0, i, 10_000+i), "small"}
				want = append(want, "4"+messages[0], "4small")
				w.peer.session.Send(outbound(messages...))
			}
			if h.observer.now().backlog == 0 {
				t.Fatal("the client was not slow enough for a backlog")
			}
			for i, text := range want {
				if got := w.text(); got != text {
					t.Fatalf("message %d differs", i)
				}
			}
			eventually(t, "an empty backlog", func() bool { return h.observer.now().backlog == 0 })
			// Drained, the door writes at once again; an old deadline would break that.
			for i := range 3 {
				w.peer.session.SendText([]byte(fmt.Sprint("after ", i)))
				w.expectText(fmt.Sprint("4after ", i))
			}
			w.peer.expectOpen(t)
		})
	}
}

// The drain's deadline must not stay on the connection: once expired it would make the
// next write fail, long after the client has caught up.
func TestDoorAfterTheDrainsDeadline(t *testing.T) {
	h := start(t, beat(500*time.Millisecond, 500*time.Millisecond), func(o *engineio.Options) { o.BacklogBytes = 64 << 20 })
	w := h.upgrade("EIO=3&transport=websocket", "")
	p := h.peer(openSID(t, w.text()))
	large := strings.Repeat("x", 4<<20)
	p.session.SendText([]byte(large))
	if h.observer.now().backlog == 0 {
		t.Fatal("the message was taken whole")
	}
	w.expectText("4" + large)
	for read := time.Now(); time.Since(read) < 1500*time.Millisecond; {
		w.send("2")
		w.expect("81 01 33")
	}
	p.expectOpen(t)
}

// Frames of many senders do not interleave, nor do pongs land inside one.
func TestDoorConcurrentSenders(t *testing.T) {
	for name, serve := range servers {
		t.Run(name, func(t *testing.T) {
			h := startWith(t, serve, func(o *engineio.Options) {
				o.BacklogBytes = 64 << 20
				o.PingInterval = 10 * time.Millisecond
			})
			w := h.stalled()
			const senders, each, pings = 8, 60, 40
			var sending sync.WaitGroup
			for sender := range senders {
				sending.Go(func() {
					for i := range each {
						w.peer.session.Send(outbound(numbered(sender, i, 5000)))
					}
				})
			}
			sending.Go(func() {
				for i := range pings {
					body := binary.BigEndian.AppendUint32(nil, uint32(i))
					_, _ = w.conn.Write([]byte(masked(ws.NewPingFrame(body))))
				}
			})
			sending.Wait()
			next, pongs, beats := make([]int, senders), 0, 0
			for left := senders * each; left > 0 || pongs < pings || beats == 0; {
				frame := w.frame()
				switch {
				case frame.Header.OpCode == ws.OpPong:
					if want := binary.BigEndian.AppendUint32(nil, uint32(pongs)); !bytes.Equal(frame.Payload, want) {
						t.Fatalf("pong %x, want %x", frame.Payload, want)
					}
					pongs++
				case string(frame.Payload) == "2":
					beats++
				default:
					left--
					checkNumbered(t, string(frame.Payload), next)
				}
			}
		})
	}
}

func checkNumbered(t *testing.T, text string, next []int) {
	t.Helper()
	var sender, number int
	if _, err := fmt.Sscanf(text, "4%d %d", &sender, &number); err != nil || sender >= len(next) {
		t.Fatalf("not a message: %.60q", text)
	}
	if number != next[sender] || text != "4"+numbered(sender, number, 5000) {
		t.Fatalf("sender %d: message %d damaged or out of turn (next is %d)", sender, number, next[sender])
	}
	next[sender]++
}

// Closing a session in the middle of a frame sends no close frame: it would be read as the
// frame's payload.
func TestDoorCloseInsideAFrame(t *testing.T) {
	h := start(t, func(o *engineio.Options) { o.BacklogBytes = 64 << 20 })
	w := h.stalled()
	payload := strings.Repeat("y", 8<<20)
	w.peer.session.Send(outbound(payload))
	if h.observer.now().backlog == 0 {
		t.Fatal("the frame was taken whole")
	}
	w.peer.session.Close("enough")
	w.peer.expectClosed(t, "enough")
	header, err := ws.ReadHeader(w.reader)
	if err != nil || header.Length != int64(len(payload)+1) {
		t.Fatalf("header %+v (%v)", header, err)
	}
	read := 0
	for {
		b, err := w.reader.ReadByte()
		if err != nil {
			break
		}
		if want := byte('y'); b != want && (read > 0 || b != '4') {
			t.Fatalf("byte %d is %#x", read, b)
		}
		read++
	}
	if read >= len(payload) {
		t.Errorf("all %d bytes came: nothing was cut off", read)
	}
}

// A client gone for good while a backlog waits for it.
func TestDoorClientResets(t *testing.T) {
	h := start(t, func(o *engineio.Options) { o.BacklogBytes = 64 << 20 })
	w := h.stalled()
	w.peer.session.Send(outbound(strings.Repeat("z", 8<<20)))
	_ = w.conn.(*net.TCPConn).SetLinger(0)
	_ = w.conn.Close()
	w.peer.end(t)
	w.peer.session.Send(outbound("late"))
	eventually(t, "an empty backlog", func() bool { return h.observer.now().backlog == 0 })
}

// Send neither copies nor allocates: an event's frame is shared by every member.
func TestDoorSendAllocatesNothing(t *testing.T) {
	h := start(t)
	w := h.websocket(4)
	reader := w.discard()
	defer reader.stop()
	var out engineio.Outbound = outbound("an event")
	const runs = 500
	if allocs := testing.AllocsPerRun(runs, func() { w.peer.session.Send(out) }); allocs != 0 {
		t.Errorf("%v allocations per Send", allocs)
	}
	want := int64((runs + 1) * len(out.Frames())) // one more to warm up
	eventually(t, "all that was sent", func() bool { return reader.bytes.Load() == want })
}

// discarding reads everything and keeps the count.
type discarding struct {
	bytes atomic.Int64
	stop  func()
}

func (w *wire) discard() *discarding {
	d := &discarding{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 64<<10)
		for {
			n, err := w.reader.Read(buffer)
			d.bytes.Add(int64(n))
			if err != nil {
				return
			}
		}
	}()
	d.stop = func() {
		_ = w.conn.Close()
		<-done
	}
	return d
}

func BenchmarkSend(b *testing.B) {
	h := start(b)
	w := h.websocket(4)
	reader := w.discard()
	defer reader.stop()
	var out engineio.Outbound = outbound(strings.Repeat("x", 300))
	size := int64(len(out.Frames()))
	b.ReportAllocs()
	b.SetBytes(size)
	for sent := int64(0); b.Loop(); sent += size {
		for sent-reader.bytes.Load() > 128<<10 { // never into the backlog
			runtime.Gosched()
		}
		w.peer.session.Send(out)
	}
	w.peer.expectOpen(b)
}
