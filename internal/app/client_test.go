package app_test

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

// websocket is a Socket.IO client in the hands of a test.
type websocket struct {
	t      *testing.T
	conn   net.Conn
	reader io.Reader
}

// dial joins the root namespace over websocket, in an Engine.IO revision.
func dial(t *testing.T, url, path, revision string) *websocket {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, early, _, err := ws.Dial(ctx, strings.Replace(url, "http://", "ws://", 1)+path+"?transport=websocket&EIO="+revision)
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
	w.wants(`^0\{"sid":"`)
	if revision == "4" {
		w.send("40")
	}
	w.wants("^40")
	return w
}

func (w *websocket) send(packet string) {
	w.t.Helper()
	if err := ws.WriteFrame(w.conn, ws.MaskFrameInPlace(ws.NewTextFrame([]byte(packet)))); err != nil {
		w.t.Fatalf("writing a frame: %v", err)
	}
}

// wants reads the next frame, pings aside, which must match, and returns its text.
func (w *websocket) wants(pattern string) string {
	w.t.Helper()
	frame, err := ws.ReadFrame(w.reader)
	for err == nil && string(frame.Payload) == "2" {
		w.send("3")
		frame, err = ws.ReadFrame(w.reader)
	}
	if err != nil {
		w.t.Fatalf("waiting for %s: %v", pattern, err)
	}
	if text := string(frame.Payload); frame.Header.OpCode == ws.OpText && regexp.MustCompile(pattern).MatchString(text) {
		return text
	}
	w.t.Fatalf("got %x %s, want %s", frame.Header.OpCode, frame.Payload, pattern)
	return ""
}

// subscribe joins app a of workspace w.
func (w *websocket) subscribe() {
	w.t.Helper()
	w.send(`42["application",{"event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"a"}}]`)
	w.wants(`^42\["application_response",\{"status":"SUCCESS","event":"SUBSCRIBE",` +
		`"payload":\{"workspaceId":"w","appId":"a"\},"position":"[a-z0-9]+:[0-9]+"\}(,"[a-z0-9]+:[0-9]+\.[0-9]+")?\]$`)
}

// wantsUpdate reads the delivery of what putApp has sent, with its position once more as
// offset for clients of revision 4. The name must be plain text.
func (w *websocket) wantsUpdate(displayName string) {
	w.t.Helper()
	w.wants(`^42\["workspace_w_app_a",\{"event":"UPDATE_APP","workspaceId":"w","appId":"a",` +
		`"payload":\{"id":"a","displayName":"` + regexp.QuoteMeta(displayName) + `","workspaceID":"w"\},"position":"[a-z0-9]+:[0-9]+"\}(,"[a-z0-9]+:[0-9]+")?\]$`)
}

// wantsEnd checks that the next thing is a close frame without a status and nothing
// else: no DISCONNECT, which would stop clients from reconnecting.
func (w *websocket) wantsEnd() {
	w.t.Helper()
	rest, err := io.ReadAll(w.reader)
	_ = w.conn.Close() // as clients do, for whose end the server waits a moment
	if err != nil || !bytes.Equal(rest, []byte{0x88, 0x00}) {
		w.t.Errorf("at the end came % x (%v), want 88 00", rest, err)
	}
}

// poll opens a session over polling, joins the root namespace and returns the session's URL.
func poll(t *testing.T, url string) string {
	t.Helper()
	url += "/socket.io/?EIO=4&transport=polling"
	open := call(t, http.MethodGet, url, "").body
	match := regexp.MustCompile(`^0\{"sid":"([A-Za-z0-9_.-]+)"`).FindStringSubmatch(open)
	if match == nil {
		t.Fatalf("no open packet: %s", open)
	}
	url += "&sid=" + match[1]
	call(t, http.MethodPost, url, "40")
	if got := call(t, http.MethodGet, url, "").body; !strings.HasPrefix(got, `40{"sid":"`) {
		t.Fatalf("CONNECT was answered %s", got)
	}
	return url
}
