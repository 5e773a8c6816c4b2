package socketio_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// websocket is a client that says and reads whole frames.
type websocket struct {
	t      *testing.T
	conn   net.Conn
	reader io.Reader
}

// dial opens an Engine.IO 4 session over websocket and reads the open packet.
func dial(t *testing.T, s *server) *websocket {
	t.Helper()
	w := upgrade(t, s, "", http.Header{})
	if open := w.read(); !strings.HasPrefix(open, `0{"sid":"`) {
		t.Fatalf("the first frame is %q", open)
	}
	return w
}

// upgrade opens a websocket with further query and header.
func upgrade(t *testing.T, s *server, query string, header http.Header) *websocket {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dialer := ws.Dialer{Header: ws.HandshakeHeaderHTTP(header)}
	conn, early, _, err := dialer.Dial(ctx, "ws://"+s.address+"/socket.io/?EIO=4&transport=websocket"+query)
	if err != nil {
		t.Fatalf("dialling: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	w := &websocket{t: t, conn: conn, reader: conn}
	if early != nil { // frames that came with the handshake's answer
		w.reader = io.MultiReader(io.LimitReader(early, int64(early.Buffered())), conn)
	}
	return w
}

// join opens a session and joins the root namespace; sid is the public socket id.
func join(t *testing.T, s *server) (w *websocket, sid string) {
	t.Helper()
	w = dial(t, s)
	return w, w.connect()
}

func (w *websocket) send(packets ...string) {
	w.t.Helper()
	for _, packet := range packets {
		w.write(ws.NewTextFrame([]byte(packet)))
	}
}

func (w *websocket) sendBinary(data string) {
	w.t.Helper()
	w.write(ws.NewBinaryFrame([]byte(data)))
}

func (w *websocket) write(frame ws.Frame) {
	w.t.Helper()
	if err := ws.WriteFrame(w.conn, ws.MaskFrameInPlace(frame)); err != nil {
		w.t.Fatalf("writing a frame: %v", err)
	}
}

// read returns the next text frame.
func (w *websocket) read() string {
	w.t.Helper()
	frame, err := ws.ReadFrame(w.reader)
	if err != nil {
		w.t.Fatalf("reading a frame: %v", err)
	}
	if frame.Header.OpCode != ws.OpText || !frame.Header.Fin {
		w.t.Fatalf("a frame that is not one whole text: %+v %q", frame.Header, frame.Payload)
	}
	return string(frame.Payload)
}

// wants reads the next frames.
func (w *websocket) wants(packets ...string) {
	w.t.Helper()
	for _, want := range packets {
		if got := w.read(); got != want {
			w.t.Fatalf("frame\n got %s\nwant %s", got, want)
		}
	}
}

var accepted = regexp.MustCompile(`^40\{"sid":"([A-Za-z0-9_-]{20})"\}$`)

// connect joins the root namespace. The answer has the key sid and no other.
func (w *websocket) connect() (sid string) {
	w.t.Helper()
	w.send("40")
	return sidOf(w.t, w.read())
}

func sidOf(t *testing.T, packet string) string {
	t.Helper()
	match := accepted.FindStringSubmatch(packet)
	if match == nil {
		t.Fatalf("%q does not accept a CONNECT", packet)
	}
	return match[1]
}

// The refusal of an unknown namespace is the fence of these tests: it leaves the state
// as it is, and is answered at once and in order.
const (
	fence       = "40/fence,"
	fenceAnswer = `44/fence,{"message":"Invalid namespace"}`
)

// wantsSilence checks that the connection is open and that everything written up to now
// has been read.
func (w *websocket) wantsSilence() {
	w.t.Helper()
	w.send(fence)
	w.wants(fenceAnswer)
}

// wantsEnd checks that the next thing is a close frame without a status, the reference's
// 88 00, and nothing else: no DISCONNECT, which would stop clients from reconnecting.
func (w *websocket) wantsEnd() {
	w.t.Helper()
	rest, err := io.ReadAll(w.reader)
	_ = w.conn.Close() // as clients do, for whose end the server waits a moment
	if err != nil || !bytes.Equal(rest, []byte{0x88, 0x00}) {
		w.t.Fatalf("at the end came % x (%v), want 88 00", rest, err)
	}
}

// polling is a client that says and reads whole payloads.
type polling struct {
	t   *testing.T
	url string
}

var opened = regexp.MustCompile(`^0\{"sid":"([A-Za-z0-9_-]{20})","upgrades":\["websocket"\],`)

// poll opens an Engine.IO 4 session over polling.
func poll(t *testing.T, s *server) *polling {
	t.Helper()
	p := &polling{t: t, url: "http://" + s.address + "/socket.io/?EIO=4&transport=polling"}
	match := opened.FindStringSubmatch(p.get())
	if match == nil {
		t.Fatal("no open packet")
	}
	p.url += "&sid=" + match[1]
	return p
}

// id is the session's, for the query of an upgrade.
func (p *polling) id() string { return p.url[strings.Index(p.url, "&sid="):] }

func (p *polling) get() string {
	p.t.Helper()
	return p.do(http.MethodGet, "")
}

// post sends a payload, which is answered ok whatever is in it.
func (p *polling) post(payload string) {
	p.t.Helper()
	if answer := p.do(http.MethodPost, payload); answer != "ok" {
		p.t.Fatalf("a POST was answered %q", answer)
	}
}

func (p *polling) wants(payload string) {
	p.t.Helper()
	if got := p.get(); got != payload {
		p.t.Fatalf("payload\n got %q\nwant %q", got, payload)
	}
}

func (p *polling) do(method, body string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, p.url, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	request.Close = true // no connection outlives its test
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}
