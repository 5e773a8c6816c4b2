package engineio_test

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roomcast/roomcast/internal/engineio"
)

// upgrade moves the session to a websocket as the official client does.
func (p *polling) upgrade() *wire {
	p.h.Helper()
	w := p.probe()
	w.send("5")
	eventually(p.h, "the upgrade", func() bool { return !p.peer.session.Upgrading() })
	return w
}

// probe opens the websocket and has the probe answered.
func (p *polling) probe() *wire {
	p.h.Helper()
	w := p.h.upgrade(p.upgradeQuery(), "")
	w.peer, w.sid = p.peer, p.sid
	w.send("2probe")
	w.expect("81 06 33 70 72 6f 62 65")
	return w
}

// The trace of an official client's upgrade, both revisions.
func TestUpgrade(t *testing.T) {
	for revision, noop := range map[int]string{4: "6", 3: "1:6"} {
		t.Run(fmt.Sprintf("revision %d", revision), func(t *testing.T) {
			h := start(t)
			p := h.poll(revision)
			held := p.hold()
			w := p.probe()
			expectAnswer(t, held, 200, noop)
			w.send("5")
			w.send(`42/admin,0["ev",{"a":1}]`)
			w.expectText(`42/admin,0["ev",{"a":1}]`)
			w.write(textOf("4€"))
			w.expect("81 04 34 e2 82 ac")
			p.peer.expectHeard(t, `2/admin,0["ev",{"a":1}]`, "€")
			// Polling is over; asking for it harms nothing.
			p.get().expect(t, 400, badRequest)
			p.post("4x").expect(t, 400, badRequest)
			if status, _, body := h.refusedUpgrade(p.upgradeQuery(), ""); !strings.Contains(status, " 400 ") || body != "Bad request" {
				t.Errorf("a second upgrade got %q %q", status, body)
			}
			w.send("4still there")
			w.expectText("4still there")
		})
	}
}

// While the probe runs polling works on; what it leaves goes to the websocket, in order.
func TestUpgradeKeepsPollingAlive(t *testing.T) {
	h := start(t)
	p := h.poll(4)
	w := p.probe()
	p.get().expect(t, 200, "6") // answered at once
	p.post("4by post").expect(t, 200, "ok")
	p.get().expect(t, 200, "4by post")
	for _, message := range []string{"a", "b", "c"} {
		p.peer.session.SendText([]byte(message))
	}
	w.send("5")
	w.expect("81 02 34 61 81 02 34 62 81 02 34 63")
}

// Nothing but the answer to the probe may reach the websocket before "5".
func TestUpgradeWritesNothingEarly(t *testing.T) {
	h := start(t)
	p := h.poll(4)
	w := h.upgrade(p.upgradeQuery(), "")
	p.peer.session.SendText([]byte("before the probe"))
	w.send("2probe")
	w.expectText("3probe")
	p.peer.session.SendText([]byte("before the upgrade"))
	w.write("\x89\x81\x00\x00\x00\x00?") // an RFC ping is answered, so all before it has come
	w.expect("8a 01 3f")
	p.get().expect(t, 200, "4before the probe\x1e4before the upgrade")
	w.send("5")
	p.peer.session.SendText([]byte("after"))
	w.expectText("4after")
}

func TestUpgradeWithoutProbe(t *testing.T) {
	h := start(t)
	p := h.poll(4)
	held := p.hold()
	w := h.upgrade(p.upgradeQuery(), textOf("5"))
	expectAnswer(t, held, 200, "1")
	w.send("4hello")
	w.expectText("4hello")
}

func TestUpgradeFailsAlone(t *testing.T) {
	for name, spoil := range map[string]func(w *wire){
		"a message":         func(w *wire) { w.send(`42["x"]`); w.expect("88 00") },
		"a ping":            func(w *wire) { w.send("2"); w.expect("88 00") },
		"binary":            func(w *wire) { w.write(binaryOf("2probe")); w.expect("88 00") },
		"nonsense":          func(w *wire) { w.send("nonsense"); w.expect("88 00") },
		"an unmasked frame": func(w *wire) { w.write("\x81\x012"); w.expect("88 00") },
		"a close frame":     func(w *wire) { w.write("\x88\x80\x00\x00\x00\x00"); w.expect("88 00") },
		"a lost connection": func(w *wire) { _ = w.conn.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t)
			h.onText = func(*peer, string) {}
			p := h.poll(4)
			w := p.probe()
			spoil(w)
			eventually(t, "the end of the probe", func() bool { return !p.peer.session.Upgrading() })
			held := p.hold() // held again: nobody probes any more
			p.post("4alive").expect(t, 200, "ok")
			p.peer.expectHeard(t, "alive")
			p.peer.session.SendText([]byte("to you"))
			expectAnswer(t, held, 200, "4to you")
			p.upgrade() // another attempt is welcome
			p.peer.expectOpen(t)
		})
	}
}

func TestUpgradeTimesOut(t *testing.T) {
	h := start(t, func(o *engineio.Options) { o.UpgradeTimeout = 300 * time.Millisecond })
	p := h.poll(4)
	w := p.probe()
	w.expect("88 00")
	w.expectEnd()
	eventually(t, "the end of the probe", func() bool { return !p.peer.session.Upgrading() })
	held := p.hold()
	p.post("4alive").expect(t, 200, "ok")
	expectAnswer(t, held, 200, "4alive")

	// The probe's deadline does not stay on the websocket.
	w = p.upgrade()
	for upgraded := time.Now(); time.Since(upgraded) < 500*time.Millisecond; {
		w.send("4late")
		w.expectText("4late")
	}
}

func TestUpgradeSecondProbeIsRefused(t *testing.T) {
	h := start(t)
	p := h.poll(4)
	first := p.probe()
	if status, _, body := h.refusedUpgrade(p.upgradeQuery(), ""); !strings.Contains(status, " 400 ") || body != "Bad request" {
		t.Errorf("answered %q %q", status, body)
	}
	first.send("5")
	first.send("4first")
	first.expectText("4first")
}

func TestUpgradeOfAnotherRevision(t *testing.T) {
	h := start(t)
	p := h.poll(4)
	query := strings.Replace(p.upgradeQuery(), "EIO=4", "EIO=3", 1)
	if status, _, body := h.refusedUpgrade(query, ""); !strings.Contains(status, " 400 ") || body != "Bad request" {
		t.Errorf("answered %q %q", status, body)
	}
	p.upgrade()
}

// A held GET may learn of its client's going only when the session has moved on.
func TestUpgradeSurvivesItsLastPoll(t *testing.T) {
	h := start(t)
	p := h.poll(4)
	w := p.upgrade()
	p.peer.session.AbortPoll()
	w.send("4still there")
	w.expectText("4still there")
}

// The end of the session ends a probe too.
func TestUpgradeOfEndedSession(t *testing.T) {
	h := start(t)
	p := h.poll(4)
	w := p.probe()
	p.post("1").expect(t, 200, "ok")
	p.peer.expectClosed(t, engineio.ReasonTransportClose)
	w.expect("88 00")
	w.expectEnd()
}

// Packets numbered while the client moves arrive once each and, per transport, in order;
// those on the websocket follow those on polling.
func TestUpgradeUnderTraffic(t *testing.T) {
	h := start(t)
	const upgrades, packets = 200, 60
	gate := make(chan struct{}, 8)
	var all sync.WaitGroup
	for range upgrades {
		gate <- struct{}{}
		all.Go(func() {
			defer func() { <-gate }()
			if err := upgradeUnderTraffic(h, packets); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func upgradeUnderTraffic(h *harness, packets int) error {
	p := h.poll(4)
	started := make(chan struct{})
	var sender sync.WaitGroup
	defer sender.Wait()
	sender.Go(func() {
		for i := range packets {
			p.peer.session.SendText(strconv.AppendInt(nil, int64(i), 10))
			if i == packets/10 {
				close(started)
			}
		}
	})
	<-started
	next := 0
	take := func(texts ...string) error {
		for _, text := range texts {
			if text == "6" {
				continue
			}
			if text != fmt.Sprintf("4%d", next) {
				return fmt.Errorf("got %q, want number %d", text, next)
			}
			next++
		}
		return nil
	}
	probe := h.upgrade(p.upgradeQuery(), "")
	probe.send("2probe")
	// The client polls until the probe's answer has come, then stops and says "5".
	answered := make(chan error, 1)
	go func() {
		frame, err := ws.ReadFrame(probe.reader)
		if err == nil && string(frame.Payload) != "3probe" {
			err = fmt.Errorf("probe answered with %q", frame.Payload)
		}
		answered <- err
	}()
	for probing := true; probing; {
		select {
		case err := <-answered:
			if err != nil {
				return err
			}
			probing = false
		default:
			a := p.get()
			if a.status != http.StatusOK {
				return fmt.Errorf("poll answered %d %q", a.status, a.body)
			}
			if err := take(strings.Split(a.body, "\x1e")...); err != nil {
				return err
			}
		}
	}
	probe.send("5")
	for next < packets {
		frame, err := ws.ReadFrame(probe.reader)
		if err != nil {
			return fmt.Errorf("after %d packets: %w", next, err)
		}
		if err := take(string(frame.Payload)); err != nil {
			return err
		}
	}
	// Nothing follows the last one.
	_, _ = io.WriteString(probe.conn, textOf("4end"))
	frame, err := ws.ReadFrame(probe.reader)
	if err == nil && string(frame.Payload) != "4end" {
		err = fmt.Errorf("doubled: %q", frame.Payload)
	}
	_ = probe.conn.Close()
	return err
}
