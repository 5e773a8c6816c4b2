package engineio_test

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/engineio"
)

const sidPattern = `[A-Za-z0-9_-]{20}`

// openPattern is an open packet, whose keys stand in this order.
func openPattern(upgrades string) string {
	return `0\{"sid":"` + sidPattern + `","upgrades":\[` + upgrades +
		`\],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000\}`
}

func expectMatch(t testing.TB, pattern, got string) {
	t.Helper()
	if !regexp.MustCompile(`\A` + pattern + `\z`).MatchString(got) {
		t.Fatalf("got %q, want %s", got, pattern)
	}
}

func TestHandshakePolling(t *testing.T) {
	for _, c := range []struct{ name, query, body, length string }{
		{"revision 4", "EIO=4&transport=polling&t=abc", openPattern(`"websocket"`), "118"},
		{"empty sid", "EIO=4&transport=polling&sid=", openPattern(`"websocket"`), "118"},
		{"last of repeated keys", "EIO=3&EIO=4&transport=x&transport=polling", openPattern(`"websocket"`), "118"},
		{"b64 is ignored", "EIO=4&transport=polling&b64=1", openPattern(`"websocket"`), "118"},
		{"revision 3", "EIO=3&transport=polling&b64=1", "118:" + openPattern(`"websocket"`), "122"},
		{"revision 3 unsaid", "transport=polling", "118:" + openPattern(`"websocket"`), "122"},
		{"unknown revision means 3", "EIO=5&transport=polling", "118:" + openPattern(`"websocket"`), "122"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := start(t)
			a := h.do("GET", c.query, "")
			if a.status != http.StatusOK {
				t.Fatalf("status %d", a.status)
			}
			expectMatch(t, c.body, a.body)
			for name, want := range map[string]string{
				"Content-Type":                "text/plain; charset=UTF-8",
				"Content-Length":              c.length,
				"Cache-Control":               "no-store",
				"Set-Cookie":                  "",
				"Access-Control-Allow-Origin": "",
			} {
				if got := a.header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		})
	}
}

// What the owner sends while accepting follows the open packet in the same answer, as the
// Socket.IO 2 server's "40" does.
func TestHandshakeCarriesFirstPackets(t *testing.T) {
	h := start(t)
	h.onAccept = func(p *peer) { p.session.SendText([]byte("0")) }
	expectMatch(t, openPattern(`"websocket"`)+"\x1e40", h.do("GET", "EIO=4&transport=polling", "").body)
	expectMatch(t, "118:"+openPattern(`"websocket"`)+"2:40", h.do("GET", "EIO=3&transport=polling", "").body)

	w := h.upgrade("EIO=3&transport=websocket", "")
	expectMatch(t, openPattern(""), w.text())
	w.expect("81 02 34 30")
}

func TestHandshakeWebsocket(t *testing.T) {
	for _, query := range []string{"EIO=4&transport=websocket", "EIO=3&transport=websocket", "transport=websocket&sid="} {
		t.Run(query, func(t *testing.T) {
			h := start(t)
			w := h.upgrade(query, "")
			for name, want := range map[string]string{
				"Upgrade":                  "websocket",
				"Connection":               "Upgrade",
				"Sec-Websocket-Accept":     "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
				"Sec-Websocket-Extensions": "",
				"Sec-Websocket-Protocol":   "",
				"Set-Cookie":               "",
			} {
				if got := w.response.Header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			w.expect("81 6b")
			packet := make([]byte, 0x6b)
			if _, err := io.ReadFull(w.reader, packet); err != nil {
				t.Fatal(err)
			}
			expectMatch(t, openPattern(""), string(packet))
		})
	}
}

func TestHandshakeWebsocketOffers(t *testing.T) {
	h := start(t)
	w := h.upgrade("EIO=4&transport=websocket", "",
		"Sec-WebSocket-Protocol: first, second", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
	if got := w.response.Header.Get("Sec-WebSocket-Protocol"); got != "first" {
		t.Errorf("subprotocol %q, want the first one offered", got)
	}
	if got := w.response.Header.Get("Sec-WebSocket-Extensions"); got != "" {
		t.Errorf("extension %q accepted", got)
	}
	expectMatch(t, openPattern(""), w.text())
}

func TestSessionIDs(t *testing.T) {
	h := start(t, func(o *engineio.Options) { o.IDPrefix = "node7." })
	seen := make(map[string]bool)
	for range 100 {
		p := h.poll(4)
		expectMatch(t, `node7\.`+sidPattern, p.sid)
		if seen[p.sid] {
			t.Fatalf("id %s given twice", p.sid)
		}
		seen[p.sid] = true
		if p.peer.session.ID() != p.sid || p.peer.session.Revision() != engineio.V4 {
			t.Fatal("the session does not know its id or revision")
		}
	}
	if remote := h.websocket(3).peer.session.RemoteAddr(); !strings.HasPrefix(remote, "127.0.0.1:") {
		t.Errorf("remote address %q", remote)
	}
}
