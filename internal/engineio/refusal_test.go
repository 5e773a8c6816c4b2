package engineio_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/engineio"
)

const (
	transportUnknown = `{"code":0,"message":"Transport unknown"}`
	sessionUnknown   = `{"code":1,"message":"Session ID unknown"}`
	badMethod        = `{"code":2,"message":"Bad handshake method"}`
	badRequest       = `{"code":3,"message":"Bad request"}`
	forbidden        = `{"code":4,"message":"Forbidden"}`
	unsupported      = `{"code":5,"message":"Unsupported protocol version"}`
)

// The error table, in the reference's order of checks.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name, method, query string
		status              int
		body                string
	}{
		{"no transport", "GET", "EIO=4", 400, transportUnknown},
		{"unknown transport", "GET", "EIO=4&transport=tcp", 400, transportUnknown},
		{"webtransport", "GET", "EIO=4&transport=webtransport", 400, transportUnknown},
		{"transport before sid", "GET", "EIO=4&transport=tcp&sid=x", 400, transportUnknown},
		{"unknown sid", "GET", "EIO=4&transport=polling&sid=x", 400, sessionUnknown},
		{"inherited key as sid", "GET", "EIO=4&transport=polling&sid=__proto__", 400, sessionUnknown},
		{"unknown sid, POST", "POST", "EIO=4&transport=polling&sid=x", 400, sessionUnknown},
		{"POST without sid", "POST", "EIO=4&transport=polling", 400, badMethod},
		{"method before revision", "POST", "EIO=9&transport=polling", 400, badMethod},
		{"PUT without sid", "PUT", "EIO=4&transport=polling", 400, badMethod},
		{"OPTIONS without CORS", "OPTIONS", "EIO=4&transport=polling", 400, badMethod},
		{"websocket without Upgrade", "GET", "EIO=4&transport=websocket", 400, badRequest},
		{"websocket before revision", "GET", "EIO=2&transport=websocket", 400, badRequest},
		{"JSONP, revision 4", "GET", "EIO=4&transport=polling&j=0", 400, badRequest},
		{"JSONP, revision 3", "GET", "EIO=3&transport=polling&j=0", 400, badRequest},
		{"revision 3 turned off", "GET", "EIO=3&transport=polling", 400, unsupported},
		{"no revision", "GET", "transport=polling", 400, unsupported},
		{"revision 2", "GET", "EIO=2&transport=polling", 400, unsupported},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := start(t, func(o *engineio.Options) { o.EIO3 = false })
			a := h.do(c.method, c.query, "")
			a.expect(t, c.status, c.body)
			if got := a.header.Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type %q", got)
			}
			if len(h.observer.now().refused) != 1 {
				t.Errorf("counted %q", h.observer.now().refused)
			}
		})
	}
}

func TestRefusalOfHead(t *testing.T) {
	h := start(t)
	h.do("HEAD", "EIO=4&transport=polling", "").expect(t, 400, "")
}

func TestRefusalsOfKnownSession(t *testing.T) {
	for _, c := range []struct {
		name, method string
		query        func(sid string) string
		status       int
		body         string
	}{
		{"another revision", "GET", func(sid string) string { return "EIO=3&transport=polling&sid=" + sid }, 400, badRequest},
		{"no revision", "POST", func(sid string) string { return "transport=polling&sid=" + sid }, 400, badRequest},
		{"another transport", "GET", func(sid string) string { return "EIO=4&transport=websocket&sid=" + sid }, 400, badRequest},
		{"PUT", "PUT", func(sid string) string { return "EIO=4&transport=polling&sid=" + sid }, 500, ""},
		{"DELETE", "DELETE", func(sid string) string { return "EIO=4&transport=polling&sid=" + sid }, 500, ""},
		{"OPTIONS", "OPTIONS", func(sid string) string { return "EIO=4&transport=polling&sid=" + sid }, 500, ""},
		{"HEAD", "HEAD", func(sid string) string { return "EIO=4&transport=polling&sid=" + sid }, 500, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := start(t)
			p := h.poll(4)
			h.do(c.method, c.query(p.sid), "").expect(t, c.status, c.body)
			p.post("4still there").expect(t, 200, "ok")
			p.get().expect(t, 200, "4still there")
		})
	}
}

// An upgrade is refused before the 101, in raw text, with 400 whatever the code, and the
// connection is dropped.
func TestRefusalsOfUpgrades(t *testing.T) {
	for _, c := range []struct {
		name, query, header string
		message             string
	}{
		{"transport", "EIO=4&transport=tcp", "", "Transport unknown"},
		{"sid", "EIO=4&transport=websocket&sid=nobody", "", "Session ID unknown"},
		{"polling", "EIO=4&transport=polling", "", "Bad request"},
		{"revision", "EIO=3&transport=websocket", "", "Unsupported protocol version"},
		{"origin", "EIO=4&transport=websocket", "Origin: http://evil.example\r\n", "Forbidden"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := start(t, func(o *engineio.Options) { o.EIO3 = false })
			status, header, body := h.refusedUpgrade(c.query, c.header)
			if status != "HTTP/1.1 400 Bad Request" || body != c.message {
				t.Errorf("got %q %q", status, body)
			}
			for name, want := range map[string]string{"Connection": "close", "Content-Type": "text/html"} {
				if header.Get(name) != want {
					t.Errorf("%s: %q, want %q", name, header.Get(name), want)
				}
			}
		})
	}
}

// A handshake that RFC 6455 forbids opens no session.
func TestRefusalOfBrokenWebsocketHandshake(t *testing.T) {
	h := start(t)
	conn := h.connect()
	request := strings.Replace(upgradeRequest("EIO=4&transport=websocket"), "Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8", 1)
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	response, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(response), "HTTP/1.1 426 Upgrade Required\r\n") ||
		!strings.Contains(string(response), "Sec-WebSocket-Version: 13\r\n") {
		t.Fatalf("answered %q (%v)", response, err)
	}
	eventually(t, "no session", func() bool { return h.engine.Live() == 0 })
	if len(h.peers) != 0 {
		t.Error("a session was accepted")
	}
}

func TestRefusalWhenFull(t *testing.T) {
	h := start(t, func(o *engineio.Options) { o.MaxSessions = 2 })
	first := h.poll(4)
	h.websocket(4)
	a := h.do("GET", "EIO=4&transport=polling", "")
	a.expect(t, 503, `{"code":4,"message":"Too many sessions"}`)
	if a.header.Get("Retry-After") != "5" {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	if status, _, body := h.refusedUpgrade("EIO=4&transport=websocket", ""); status != "HTTP/1.1 503 Service Unavailable" || body != "Too many sessions" {
		t.Errorf("upgrade answered %q %q", status, body)
	}
	first.post("1").expect(t, 200, "ok")
	first.peer.expectClosed(t, engineio.ReasonTransportClose)
	eventually(t, "a free place", func() bool { return h.engine.Live() == 1 })
	h.poll(4)
	if want := []string{"full", "full"}; !slices.Equal(h.observer.now().refused, want) {
		t.Errorf("counted %q, want %q", h.observer.now().refused, want)
	}
}

// refusedUpgrade sends a websocket handshake and reads the answer to the connection's end.
func (h *harness) refusedUpgrade(query, header string) (status string, fields http.Header, body string) {
	h.Helper()
	conn := h.connect()
	request := strings.Replace(upgradeRequest(query), "\r\n\r\n", "\r\n"+header+"\r\n", 1)
	if _, err := io.WriteString(conn, request); err != nil {
		h.Fatal(err)
	}
	all, err := io.ReadAll(conn)
	if err != nil {
		h.Fatalf("the connection was not dropped cleanly: %v", err)
	}
	head, body, _ := strings.Cut(string(all), "\r\n\r\n")
	status, lines, _ := strings.Cut(head, "\r\n")
	fields = http.Header{}
	for line := range strings.SplitSeq(lines, "\r\n") {
		name, value, _ := strings.Cut(line, ": ")
		fields.Add(name, value)
	}
	return status, fields, body
}
