package engineio_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/engineio"
)

// A held GET outlives the HTTP server's own timeouts for headers and answers.
func TestHeldPollOutlivesServerTimeouts(t *testing.T) {
	hasty := func(handler http.Handler) *httptest.Server {
		server := httptest.NewUnstartedServer(handler)
		server.Config.ReadHeaderTimeout = 200 * time.Millisecond
		server.Config.WriteTimeout = 200 * time.Millisecond
		server.Config.IdleTimeout = 200 * time.Millisecond
		server.Start()
		return server
	}
	h := startWith(t, hasty, beat(500*time.Millisecond, patience))
	p := h.poll(4)
	for range 2 {
		expectAnswer(t, p.hold(), 200, "2")
		p.post("3").expect(t, 200, "ok")
	}
	p.peer.expectOpen(t)
}

// A POST whose body does not come ends with its session. Which of its two deadlines comes
// first, the heartbeat's or the body's, is a matter of microseconds.
func TestSlowPostEndsWithTheSession(t *testing.T) {
	h := start(t, beat(200*time.Millisecond, 300*time.Millisecond))
	p := h.poll(4)
	conn := h.connect()
	_, _ = io.WriteString(conn, "POST /?"+p.query+" HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n4half")
	eventually(t, "the POST is being read", p.peer.session.Posting)
	if reason := p.peer.end(t); reason != engineio.ReasonPingTimeout && reason != engineio.ReasonTransportError {
		t.Errorf("closed with %q", reason)
	}
	if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
		t.Errorf("answered %q (%v)", answer, err)
	}
	p.peer.expectHeard(t)
}

// Nor does a refused one hold its connection for ever.
func TestSlowPostWithoutSession(t *testing.T) {
	h := start(t, beat(50*time.Millisecond, 50*time.Millisecond))
	conn := h.connect()
	_, _ = io.WriteString(conn, "POST /?EIO=4&transport=polling&sid=nobody HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n4half")
	if answer, err := io.ReadAll(conn); err != nil || !strings.HasSuffix(string(answer), sessionUnknown) {
		t.Errorf("answered %q (%v)", answer, err)
	}
}

// Closing the server does not wait for a body either.
func TestSlowPostEndsWithTheServer(t *testing.T) {
	h := start(t)
	p := h.poll(4)
	conn := h.connect()
	_, _ = io.WriteString(conn, "POST /?"+p.query+" HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n4half\r\n")
	eventually(t, "the POST is being read", p.peer.session.Posting)
	if err := h.engine.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
		t.Errorf("answered %q (%v)", answer, err)
	}
	p.peer.expectClosed(t, engineio.ReasonShuttingDown)
}
