package engineio_test

import (
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/engineio"
)

// A bad payload is answered "ok"; the packets before the bad one count, the session ends,
// and the client learns that from its poll.
func TestMalformedPayloads(t *testing.T) {
	for _, c := range []struct {
		name     string
		revision int
		binary   bool
		body     string
		heard    []string
		reason   string
	}{
		{"4, empty body", 4, false, "", nil, engineio.ReasonParseError},
		{"4, unknown type", 4, false, "abc", nil, engineio.ReasonParseError},
		{"4, type 9", 4, false, "9", nil, engineio.ReasonParseError},
		{"4, type 7", 4, false, "7", nil, engineio.ReasonParseError},
		{"4, trailing separator", 4, false, "4a\x1e", []string{"a"}, engineio.ReasonParseError},
		{"4, doubled separator", 4, false, "4a\x1e\x1e4b", []string{"a"}, engineio.ReasonParseError},
		{"4, leading separator", 4, false, "\x1e4a", nil, engineio.ReasonParseError},
		{"4, bad one in the middle", 4, false, "4a\x1ex\x1e4b", []string{"a"}, engineio.ReasonParseError},
		{"4, bad base64", 4, false, "4a\x1eb*", []string{"a"}, engineio.ReasonParseError},
		{"4, base64 with a line break", 4, false, "bAQ\nID", nil, engineio.ReasonParseError},
		{"4, ping", 4, false, "2", nil, engineio.ReasonTransportError},
		{"4, probe", 4, false, "2probe", nil, engineio.ReasonTransportError},
		{"4, after a close", 4, false, "4a\x1e1\x1e4b", []string{"a"}, engineio.ReasonTransportClose},
		{"3, empty body", 3, false, "", nil, engineio.ReasonParseError},
		{"3, no length", 3, false, "4a", nil, engineio.ReasonParseError},
		{"3, no digits", 3, false, ":4a", nil, engineio.ReasonParseError},
		{"3, leading zeros", 3, false, "2:4a007:4abcdef", []string{"a"}, engineio.ReasonParseError},
		{"3, fraction", 3, false, "2.0:4a", nil, engineio.ReasonParseError},
		{"3, sign", 3, false, "+2:4a", nil, engineio.ReasonParseError},
		{"3, beyond the body", 3, false, "2:4a9:4b", []string{"a"}, engineio.ReasonParseError},
		{"3, enormous", 3, false, "99999999999999999999:4", nil, engineio.ReasonParseError},
		{"3, inside a character", 3, false, "2:4😀", nil, engineio.ReasonParseError},
		{"3, leftover digits", 3, false, "2:4a12", []string{"a"}, engineio.ReasonParseError},
		{"3, separator of revision 4", 3, false, "4a\x1e4b", nil, engineio.ReasonParseError},
		{"3, base64 without a type", 3, false, "5:bAQID", nil, engineio.ReasonParseError},
		{"3, pong", 3, false, "1:3", nil, engineio.ReasonTransportError},
		{"3, binary: empty", 3, true, "", nil, engineio.ReasonParseError},
		{"3, binary: kind", 3, true, "\x02\x01\xff4", nil, engineio.ReasonParseError},
		{"3, binary: no length", 3, true, "\x00\xff4", nil, engineio.ReasonParseError},
		{"3, binary: no end of length", 3, true, "\x00\x01\x02", nil, engineio.ReasonParseError},
		{"3, binary: beyond the body", 3, true, "\x00\x02\xff4a\x01\x09\xff\x04", []string{"a"}, engineio.ReasonParseError},
		{"3, binary: enormous", 3, true, "\x01" + strings.Repeat("\x09", 400) + "\xff\x04", nil, engineio.ReasonParseError},
		{"3, binary: not a message", 3, true, "\x01\x02\xff\x02x", nil, engineio.ReasonParseError},
		{"3, binary: no type byte", 3, true, "\x01\x00\xff", nil, engineio.ReasonParseError},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := start(t)
			h.onText = func(*peer, string) {}
			p := h.poll(c.revision)
			held := p.hold()
			contentType := "text/plain;charset=UTF-8"
			if c.binary {
				contentType = "application/octet-stream"
			}
			p.post(c.body, "Content-Type", contentType).expect(t, 200, "ok")
			p.peer.expectClosed(t, c.reason)
			p.peer.expectHeard(t, c.heard...)
			farewell := "1"
			if c.reason == engineio.ReasonTransportClose {
				farewell = "6"
			}
			if c.revision == 3 {
				farewell = "1:" + farewell
			}
			expectAnswer(t, held, 200, farewell)
			p.get().expect(t, 400, sessionUnknown)
		})
	}
}

// Without a held poll the next one learns of the end, once.
func TestMalformedPayloadBetweenPolls(t *testing.T) {
	h := start(t)
	p := h.poll(4)
	p.post("nonsense").expect(t, 200, "ok")
	p.peer.expectClosed(t, engineio.ReasonParseError)
	p.post("4late").expect(t, 400, sessionUnknown)
	p.get().expect(t, 200, "6\x1e1")
	p.get().expect(t, 400, sessionUnknown)
	p.peer.expectHeard(t)
}

func TestMalformedMessages(t *testing.T) {
	for _, c := range []struct {
		name     string
		revision int
		frame    string
		reason   string
	}{
		{"4, empty text", 4, textOf(""), engineio.ReasonParseError},
		{"4, unknown type", 4, textOf("abc"), engineio.ReasonParseError},
		{"4, type 9", 4, textOf("9"), engineio.ReasonParseError},
		{"4, bad base64", 4, textOf("b*"), engineio.ReasonParseError},
		{"4, ping", 4, textOf("2"), engineio.ReasonTransportError},
		{"4, probe on an established websocket", 4, textOf("2probe"), engineio.ReasonTransportError},
		{"4, close as text", 4, textOf("1"), engineio.ReasonTransportClose},
		{"3, pong", 3, textOf("3"), engineio.ReasonTransportError},
		{"3, empty binary", 3, binaryOf(""), engineio.ReasonParseError},
		{"3, binary without its type byte", 3, binaryOf("\x01\x02"), engineio.ReasonParseError},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := start(t)
			w := h.websocket(c.revision)
			w.write(c.frame + textOf("4late"))
			w.expect("88 00")
			w.expectEnd()
			w.peer.expectClosed(t, c.reason)
			w.peer.expectHeard(t)
		})
	}
}

// What the reference ignores, we ignore.
func TestHarmlessMessages(t *testing.T) {
	for _, c := range []struct {
		revision int
		harmless []string
	}{
		{4, []string{"0", "5", "6", "3", "3abc"}},
		{3, []string{"0", "5", "6"}},
	} {
		h := start(t)
		w := h.websocket(c.revision)
		for _, packet := range c.harmless {
			w.send(packet)
		}
		w.send("4on")
		w.expect("81 03 34 6f 6e")
		w.peer.expectOpen(t)
	}
}
