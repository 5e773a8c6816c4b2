package engineio_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/engineio"
)

// servers are a bare TCP server and one whose connections are wrapped, so that writes go
// through the drain.
var servers = map[string]func(http.Handler) *httptest.Server{
	"tcp": httptest.NewServer,
	"tls": httptest.NewTLSServer,
}

func TestWrappedSession(t *testing.T) {
	h := startWith(t, httptest.NewTLSServer)
	w := h.websocket(4)
	for _, message := range []string{"a", strings.Repeat("b", 300_000), "c"} {
		w.send("4" + message)
		w.expectText("4" + message)
	}
	w.write("\x89\x82\x00\x00\x00\x00hi")
	w.expect("8a 02 68 69")
	w.peer.expectOpen(t)
}

func TestWrappedUpgrade(t *testing.T) {
	h := startWith(t, httptest.NewTLSServer)
	p := h.poll(4)
	held := p.hold()
	w := p.probe()
	w.write("\x89\x81\x00\x00\x00\x00?")
	w.expect("8a 01 3f")
	expectAnswer(t, held, 200, "6")
	p.peer.session.SendText([]byte("queued"))
	w.send("5")
	w.expectText("4queued")
	w.send("4hello")
	w.expectText("4hello")
}

// The close frame and the end of the stream reach the client here too.
func TestWrappedClose(t *testing.T) {
	for _, c := range []struct {
		name   string
		end    func(w *wire)
		frame  string
		reason string
	}{
		{"by the server", func(w *wire) {
			w.peer.session.SendText([]byte("x")) // still on its way when the session ends
			w.peer.session.Close("enough")
		}, "81 02 34 78 88 00", "enough"},
		{"by the client", func(w *wire) { w.write("\x88\x80\x00\x00\x00\x00") }, "88 00", engineio.ReasonTransportClose},
		{"close packet", func(w *wire) { w.send("1") }, "88 00", engineio.ReasonTransportClose},
		{"parse error", func(w *wire) { w.send("nonsense") }, "88 00", engineio.ReasonParseError},
		{"breach", func(w *wire) { w.write("\x81\x024a") }, "88 02 03 ea", engineio.ReasonTransportError},
		{"oversize", func(w *wire) { w.write(textOf("4" + strings.Repeat("x", 1<<20))) }, "88 02 03 f1", engineio.ReasonTransportError},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := startWith(t, httptest.NewTLSServer)
			w := h.websocket(4)
			c.end(w)
			w.expect(c.frame)
			w.expectEnd()
			w.peer.expectClosed(t, c.reason)
		})
	}
}

func TestWrappedFailedProbe(t *testing.T) {
	h := startWith(t, httptest.NewTLSServer)
	p := h.poll(4)
	w := p.probe()
	w.send("4too early")
	w.expect("88 00")
	p.upgrade()
}

// A session closed while its client does not read ends all the same.
func TestWrappedCloseOfStalledClient(t *testing.T) {
	h := startWith(t, httptest.NewTLSServer, func(o *engineio.Options) { o.BacklogBytes = 64 << 20 })
	w := h.stalled()
	w.peer.session.Send(outbound(strings.Repeat("x", 8<<20)))
	w.peer.session.Close("enough")
	w.peer.expectClosed(t, "enough")
	eventually(t, "an empty backlog", func() bool { return h.observer.now().backlog == 0 })
}
