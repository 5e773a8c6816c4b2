package engineio_test

import (
	"encoding/binary"
	"runtime"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roomcast/roomcast/internal/engineio"
)

// part is one masked frame of a fragmented message.
func part(op ws.OpCode, fin bool, payload string) string {
	return masked(ws.NewFrame(op, fin, []byte(payload)))
}

func TestInboundMessages(t *testing.T) {
	ping := masked(ws.NewPingFrame([]byte("p")))
	large := strings.Repeat("ab€", 15_000)
	for _, c := range []struct {
		name, bytes string
		heard       []string
	}{
		{"text", textOf("4a"), []string{"a"}},
		{"binary", binaryOf("\x01\x02"), []string{"bin:\x01\x02"}},
		{"empty binary", binaryOf(""), []string{"bin:"}},
		{"base64 as text", textOf("bAQIDBA=="), []string{"bin:\x01\x02\x03\x04"}},
		{"several in one segment", textOf("4a") + binaryOf("b") + textOf("4c"), []string{"a", "bin:b", "c"}},
		{"fragments", part(ws.OpText, false, "4a") + part(ws.OpContinuation, false, "") + part(ws.OpContinuation, true, "b"), []string{"ab"}},
		{
			"fragments around control frames",
			part(ws.OpText, false, "4a") + ping + part(ws.OpContinuation, false, "b") + masked(ws.NewPongFrame(nil)) + ping + part(ws.OpContinuation, true, "c"),
			[]string{"abc"},
		},
		{"a character across fragments", part(ws.OpText, false, "4\xe2\x82") + part(ws.OpContinuation, true, "\xac"), []string{"€"}},
		{"larger than the buffers", textOf("4"+large) + textOf("4b"), []string{large, "b"}},
	} {
		for name, piece := range map[string]int{"at once": len(c.bytes), "byte by byte": 1, "by 1000": 1000} {
			if piece == 1 && len(c.bytes) > 1000 {
				continue // would only be slow
			}
			t.Run(c.name+", "+name, func(t *testing.T) {
				h := start(t)
				h.onText = func(*peer, string) {}
				w := h.websocket(4)
				for rest := c.bytes; rest != ""; {
					n := min(piece, len(rest))
					w.write(rest[:n])
					rest = rest[n:]
				}
				w.peer.expectHeard(t, c.heard...)
				w.peer.expectOpen(t)
			})
		}
	}
}

func TestInboundBinaryRevision3(t *testing.T) {
	h := start(t)
	w := h.websocket(3)
	w.write(binaryOf("\x04\x01\x02") + textOf("b4AQI="))
	w.peer.expectHeard(t, "bin:\x01\x02", "bin:\x01\x02")
}

// Frames right behind the handshake are in net/http's buffer when the connection is taken.
func TestInboundBehindTheHandshake(t *testing.T) {
	frames := textOf("4early") + textOf("4second")
	long := textOf("4" + strings.Repeat("x", 9000))
	for name, c := range map[string]struct{ early, later string }{
		"whole":              {frames, ""},
		"long":               {frames + long, ""},
		"split in a header":  {frames[:len(frames)-9], frames[len(frames)-9:]},
		"split in a payload": {frames[:len(frames)-3], frames[len(frames)-3:]},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t)
			w := h.upgrade("EIO=4&transport=websocket", c.early)
			openSID(t, w.text())
			w.expectText("4early")
			w.write(c.later)
			w.expectText("4second")
		})
	}
}

// Breaches of RFC 6455 end the session with a close frame that says which.
func TestInboundBreaches(t *testing.T) {
	const tooBig, badText, broken = "88 02 03 f1", "88 02 03 ef", "88 02 03 ea"
	const limit = 1000
	atLimit := strings.Repeat("4", limit)
	for _, c := range []struct{ name, bytes, answer string }{
		{"one byte too much", textOf(atLimit + "4"), tooBig},
		{"too much in fragments", part(ws.OpText, false, atLimit) + part(ws.OpContinuation, true, "4"), tooBig},
		{"too much, binary", binaryOf(atLimit + "4"), tooBig},
		{"a claim of 2^62", "\x82\xff\x40\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", tooBig},
		{"a length with the top bit", "\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", broken},
		{"invalid UTF-8", textOf("4\xff"), badText},
		{"half a character", textOf("4\xe2\x82"), badText},
		{"a surrogate", textOf("4\xed\xa0\x80"), badText},
		{"unmasked", "\x81\x024a", broken},
		{"unmasked control", "\x89\x00", broken},
		{"RSV1", "\xc1\x82\x00\x00\x00\x004a", broken},
		{"RSV2", "\xa1\x82\x00\x00\x00\x004a", broken},
		{"RSV3", "\x91\x82\x00\x00\x00\x004a", broken},
		{"reserved opcode", "\x83\x80\x00\x00\x00\x00", broken},
		{"reserved control opcode", "\x8b\x80\x00\x00\x00\x00", broken},
		{"fragmented ping", "\x09\x80\x00\x00\x00\x00", broken},
		{"long ping", "\x89\xfe\x00\x7e\x00\x00\x00\x00" + strings.Repeat("x", 126), broken},
		{"continuation of nothing", part(ws.OpContinuation, true, "4a"), broken},
		{"a message within a message", part(ws.OpText, false, "4a") + textOf("4b"), broken},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := start(t, func(o *engineio.Options) { o.MaxPayload = limit })
			w := h.websocket(4)
			w.write(textOf("4before"))
			w.expectText("4before")
			w.write(c.bytes)
			w.expect(c.answer)
			w.expectEnd()
			w.peer.expectClosed(t, engineio.ReasonTransportError)
			w.peer.expectHeard(t, "before")
		})
	}
}

func TestInboundAtTheLimit(t *testing.T) {
	const limit = 1000
	h := start(t, func(o *engineio.Options) { o.MaxPayload = limit })
	h.onText = func(*peer, string) {}
	w := h.websocket(4)
	message := strings.Repeat("x", limit-1)
	w.write(textOf("4"+message) + binaryOf("b"+message))
	w.write(part(ws.OpText, false, "4"+message[:500]) + part(ws.OpContinuation, true, message[500:]))
	w.peer.expectHeard(t, message, "bin:b"+message, message)
}

// The close frame reaches a client that is still sending: a connection closed with bytes
// unread would be reset, and the frame lost.
func TestInboundBreachWhileSending(t *testing.T) {
	h := start(t, func(o *engineio.Options) { o.MaxPayload = 1000 })
	w := h.websocket(4)
	w.write(textOf("4" + strings.Repeat("x", 1<<20)))
	w.expect("88 02 03 f1")
	w.expectEnd()
	w.peer.expectClosed(t, engineio.ReasonTransportError)
}

// A header may claim what it likes: memory follows the bytes that really come.
func TestInboundClaimCostsNothing(t *testing.T) {
	const claim, clients = 64 << 20, 50
	h := start(t, func(o *engineio.Options) { o.MaxPayload = claim })
	header := binary.BigEndian.AppendUint64([]byte{0x82, 0xff}, claim)
	header = append(header, "mask"...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range clients {
		w := h.websocket(4)
		w.write(string(header) + "some of it")
		_ = w.conn.Close()
		w.peer.expectClosed(t, engineio.ReasonTransportError) // in the middle of a frame
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.TotalAlloc - before.TotalAlloc); grown > clients*(1<<20) {
		t.Errorf("%d claims of %d bytes cost %d", clients, claim, grown)
	}
}
