package engineio_test

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roomcast/roomcast/internal/engineio"
	"github.com/roomcast/roomcast/internal/limit"
)

// slowly is a rate that lets through a burst and, within a test, nothing after it.
func slowly(burst float64) limit.Rate { return limit.Rate{PerSecond: 1e-3, Burst: burst} }

// Whatever kind of packet a client floods with, and over either transport, it is closed, and
// the others' traffic goes on.
func TestWhoSendsTooMuchIsClosed(t *testing.T) {
	const burst = 20
	for name, c := range map[string]struct {
		revision int
		frame    string
		counts   int
	}{
		"messages":         {4, textOf("4hello"), 1},
		"empty messages":   {4, textOf("4"), 1},
		"binary messages":  {4, binaryOf("x"), 1},
		"old messages":     {3, textOf("4hello"), 1},
		"old pings":        {3, textOf("2"), 1},
		"websocket pings":  {4, masked(ws.NewPingFrame([]byte("x"))), 1},
		"websocket pongs":  {4, masked(ws.NewPongFrame(nil)), 1},
		"noops":            {4, textOf("6"), 1},
		"messages in bits": {4, masked(ws.NewFrame(ws.OpText, false, []byte("4h"))) + masked(ws.NewFrame(ws.OpContinuation, true, nil)), 2},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, func(o *engineio.Options) { o.Packets = slowly(burst) })
			other, flooding := h.websocket(4), h.websocket(c.revision)
			flooding.write(strings.Repeat(c.frame, burst/c.counts))
			flooding.peer.expectOpen(t)
			flooding.write(c.frame)
			flooding.peer.expectClosed(t, engineio.ReasonRate)
			other.send("4still here")
			other.expectText("4still here")
		})
	}
	t.Run("a payload", func(t *testing.T) {
		h := start(t, func(o *engineio.Options) { o.Packets = slowly(burst) })
		p := h.poll(4)
		p.post(strings.Repeat("4x\x1e", burst-1)+"4x").expect(t, http.StatusOK, "ok")
		p.peer.expectOpen(t)
		p.post("4x")
		p.peer.expectClosed(t, engineio.ReasonRate)
	})
}

// A message without end comes in pieces, none of which is a packet yet: they count too.
func TestFragmentsWithoutEnd(t *testing.T) {
	const burst = 20
	h := start(t, func(o *engineio.Options) { o.Packets = slowly(burst) })
	w := h.websocket(4)
	w.write(masked(ws.NewFrame(ws.OpText, false, []byte("4"))))
	w.write(strings.Repeat(masked(ws.NewFrame(ws.OpContinuation, false, nil)), burst+1))
	w.peer.expectClosed(t, engineio.ReasonRate)
}

func TestInboundBytes(t *testing.T) {
	h := start(t, func(o *engineio.Options) { o.Bytes = slowly(10_000) })
	w := h.websocket(4)
	for range 2 {
		text := "4" + strings.Repeat("x", 4_000)
		w.send(text)
		w.expectText(text)
	}
	w.send("4" + strings.Repeat("x", 4_000))
	w.peer.expectClosed(t, engineio.ReasonRate)
}

func TestHandshakeRate(t *testing.T) {
	h := start(t, func(o *engineio.Options) { o.Handshakes = slowly(3) })
	for range 3 {
		h.poll(4)
	}
	a := h.do("GET", "EIO=4&transport=polling", "")
	a.expect(t, 503, `{"code":4,"message":"Too many handshakes"}`)
	if after, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || after < 1 {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	if status, _, body := h.refusedUpgrade("EIO=4&transport=websocket", ""); status != "HTTP/1.1 503 Service Unavailable" || body != "Too many handshakes" {
		t.Errorf("upgrade answered %q %q", status, body)
	}
}

// What one address has is given back with each of its sessions.
func TestSessionsPerAddress(t *testing.T) {
	h := start(t, func(o *engineio.Options) { o.SessionsPerAddress = 2 })
	first := h.poll(4)
	h.websocket(4)
	for range 2 {
		h.do("GET", "EIO=4&transport=polling", "").expect(t, 429, `{"code":4,"message":"Too many sessions of one address"}`)
	}
	if status, _, body := h.refusedUpgrade("EIO=4&transport=websocket", ""); status != "HTTP/1.1 429 Too Many Requests" || body != "Too many sessions of one address" {
		t.Errorf("upgrade answered %q %q", status, body)
	}
	first.post("1").expect(t, 200, "ok")
	first.peer.expectClosed(t, engineio.ReasonTransportClose)
	eventually(t, "a free place", func() bool { return h.engine.Live() == 1 })
	h.poll(4)
	h.do("GET", "EIO=4&transport=polling", "").expect(t, 429, `{"code":4,"message":"Too many sessions of one address"}`)
}

// One that hurries is refused, and leaves the others what all have together. A proxy's address
// is not counted: all behind it have that.
func TestHandshakesOfOneAddress(t *testing.T) {
	shared := false
	h := start(t, func(o *engineio.Options) {
		o.AddressHandshakes, o.SessionsPerAddress = slowly(2), 10
		o.Shared = func(address netip.Addr) bool { return shared && address.IsLoopback() }
	})
	h.poll(4)
	h.poll(4)
	a := h.do("GET", "EIO=4&transport=polling", "")
	a.expect(t, 429, `{"code":4,"message":"Too many handshakes of one address"}`)
	if after, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || after < 1 {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	shared = true
	for range 15 {
		h.poll(4)
	}
}

func TestURLs(t *testing.T) {
	const limit = 200
	h := start(t, func(o *engineio.Options) { o.MaxURL = limit })
	query := "EIO=4&transport=polling&x="
	fits := query + strings.Repeat("x", limit-len("/socket.io/?"+query))
	if a := h.do("GET", fits, ""); a.status != http.StatusOK {
		t.Errorf("a URL of %d bytes: %d", limit, a.status)
	}
	h.do("GET", fits+"x", "").expect(t, http.StatusRequestURITooLong, `{"code":3,"message":"URL too long"}`)
	if status, _, body := h.refusedUpgrade(fits+"x", ""); status != "HTTP/1.1 400 Bad Request" || body != "URL too long" {
		t.Errorf("upgrade answered %q %q", status, body)
	}
}
