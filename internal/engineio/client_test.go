package engineio_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// openSID takes the session id from an open packet.
func openSID(t testing.TB, packet string) string {
	t.Helper()
	var o struct {
		SID string `json:"sid"`
	}
	if !strings.HasPrefix(packet, "0") || json.Unmarshal([]byte(packet[1:]), &o) != nil || o.SID == "" {
		t.Fatalf("not an open packet: %q", packet)
	}
	return o.SID
}

// polling is the client's side of a polling session.
type polling struct {
	h     *harness
	query string // EIO, transport and sid
	peer  *peer
	sid   string
}

// poll opens a polling session of the given revision.
func (h *harness) poll(revision int) *polling {
	h.Helper()
	query := fmt.Sprintf("EIO=%d&transport=polling", revision)
	answer := h.do("GET", query, "")
	_, packet, _ := strings.Cut("4:"+answer.body, ":")
	if revision == 3 {
		_, packet, _ = strings.Cut(answer.body, ":")
	}
	sid := openSID(h, packet)
	return &polling{h: h, query: query + "&sid=" + sid, peer: h.peer(sid), sid: sid}
}

func (p *polling) get() answer { p.h.Helper(); return p.h.do("GET", p.query, "") }

func (p *polling) post(body string, header ...string) answer {
	p.h.Helper()
	return p.h.do("POST", p.query, body, header...)
}

// hold starts a GET that the server has nothing for, and returns once the server holds it.
func (p *polling) hold() <-chan answer {
	result := make(chan answer, 1)
	go func() {
		a, err := p.h.try(p.h.Context(), "GET", p.query, "")
		if err != nil {
			a = answer{body: err.Error()}
		}
		result <- a
	}()
	eventually(p.h, "the GET is held", func() bool { return p.peer.session.Held() })
	return result
}

func expectAnswer(t testing.TB, held <-chan answer, status int, body string) {
	t.Helper()
	select {
	case a := <-held:
		a.expect(t, status, body)
	case <-time.After(patience):
		t.Fatalf("the held GET was not answered with %d %q", status, body)
	}
}

// upgradeQuery is the query of this session's websocket.
func (p *polling) upgradeQuery() string {
	return strings.Replace(p.query, "transport=polling", "transport=websocket", 1)
}

// wire is a websocket client down to the bytes.
type wire struct {
	testing.TB
	conn     net.Conn
	reader   *bufio.Reader
	response *http.Response
	peer     *peer
	sid      string
}

// connect opens a TCP (or TLS) connection to the server.
func (h *harness) connect() net.Conn {
	h.Helper()
	conn, err := net.Dial("tcp", h.http.Listener.Addr().String())
	if err != nil {
		h.Fatal(err)
	}
	if h.http.TLS != nil {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	h.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(6 * patience))
	return conn
}

// upgradeRequest is the reference's own example of a websocket handshake.
func upgradeRequest(query string, header ...string) string {
	lines := "GET /socket.io/?" + query + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" +
		"Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for _, line := range header {
		lines += line + "\r\n"
	}
	return lines + "\r\n"
}

// upgrade makes the websocket handshake, which must succeed; early is sent right behind
// it in the same segment.
func (h *harness) upgrade(query, early string, header ...string) *wire {
	h.Helper()
	return h.upgradeOn(h.connect(), query, early, header...)
}

func (h *harness) upgradeOn(conn net.Conn, query, early string, header ...string) *wire {
	h.Helper()
	if _, err := io.WriteString(conn, upgradeRequest(query, header...)+early); err != nil {
		h.Fatal(err)
	}
	w := &wire{TB: h.TB, conn: conn, reader: bufio.NewReader(conn)}
	var err error
	if w.response, err = http.ReadResponse(w.reader, nil); err != nil {
		h.Fatalf("websocket handshake: %v", err)
	}
	if w.response.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(w.response.Body)
		h.Fatalf("websocket handshake: %s %q", w.response.Status, body)
	}
	return w
}

// websocket opens a websocket-only session and takes its open packet.
func (h *harness) websocket(revision int) *wire {
	h.Helper()
	w := h.upgrade(fmt.Sprintf("EIO=%d&transport=websocket", revision), "")
	w.sid = openSID(h, w.text())
	w.peer = h.peer(w.sid)
	return w
}

// masked is a frame as a client sends it.
func masked(frame ws.Frame) string {
	frame = ws.MaskFrame(frame)
	return string(ws.MustCompileFrame(frame))
}

func textOf(s string) string   { return masked(ws.NewTextFrame([]byte(s))) }
func binaryOf(s string) string { return masked(ws.NewBinaryFrame([]byte(s))) }

func (w *wire) write(bytes string) {
	w.Helper()
	if _, err := io.WriteString(w.conn, bytes); err != nil {
		w.Fatalf("write: %v", err)
	}
}

func (w *wire) send(text string) { w.Helper(); w.write(textOf(text)) }

// expect reads the very bytes, written as "81 02 34 30".
func (w *wire) expect(want string) {
	w.Helper()
	got := make([]byte, len(strings.ReplaceAll(want, " ", ""))/2)
	n, err := io.ReadFull(w.reader, got)
	if seen := fmt.Sprintf("% x", got[:n]); seen != want || err != nil {
		w.Fatalf("read %s (%v), want %s", seen, err, want)
	}
}

// expectText reads one unmasked text frame with this payload.
func (w *wire) expectText(want string) {
	w.Helper()
	if got := w.text(); got != want {
		w.Fatalf("read %q, want %q", got, want)
	}
}

func (w *wire) text() string {
	w.Helper()
	frame := w.frame()
	if frame.Header.OpCode != ws.OpText || !frame.Header.Fin || frame.Header.Masked || frame.Header.Rsv != 0 {
		w.Fatalf("not a plain text frame: %+v %q", frame.Header, frame.Payload)
	}
	return string(frame.Payload)
}

func (w *wire) frame() ws.Frame {
	w.Helper()
	frame, err := ws.ReadFrame(w.reader)
	if err != nil {
		w.Fatalf("reading a frame: %v", err)
	}
	return frame
}

// expectEnd reads the proper end of the stream: a reset could have destroyed what came
// before it.
func (w *wire) expectEnd() {
	w.Helper()
	if b, err := w.reader.ReadByte(); !errors.Is(err, io.EOF) {
		w.Fatalf("read %#x (%v), want the end", b, err)
	}
	_ = w.conn.Close()
}
