package eio3

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/roomcast/roomcast/internal/engineio"
	"github.com/roomcast/roomcast/internal/event"
)

type unobserved struct{}

func (unobserved) SessionOpened(string, string)         {}
func (unobserved) SessionUpgraded(string)               {}
func (unobserved) SessionClosed(string, string, string) {}
func (unobserved) BacklogChanged(int)                   {}
func (unobserved) Discarded(int)                        {}
func (unobserved) Refused(string)                       {}

// listen serves s behind the real Engine.IO server and returns its address.
func listen(t *testing.T, s *Server) string {
	t.Helper()
	engine := engineio.NewServer(engineio.Options{
		Accept: func(session *engineio.Session, r *http.Request) engineio.Handler {
			return s.Accept(session, r)
		},
		PingInterval:   25 * time.Second,
		PingTimeout:    20 * time.Second,
		UpgradeTimeout: 10 * time.Second,
		MaxPayload:     1_000_000,
		BacklogBytes:   1 << 20,
		MaxSessions:    10,
		EIO3:           true,
		Observer:       unobserved{},
		Logger:         discardLogger(),
	})
	server := httptest.NewServer(engine)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := engine.Close(ctx); err != nil {
			t.Error(err)
		}
		server.Client().CloseIdleConnections()
		server.Close()
	})
	return strings.TrimPrefix(server.URL, "http://")
}

// echo answers every event with its acknowledgement and with an event.
func echo() *gateway {
	return &gateway{onEach: func(p *peer, name string) {
		p.client.Send(event.NewBatch(event.NewAck(1, []byte(`"é"`)), event.NewReply("echo", []byte(`1`))))
	}}
}

func TestOverPolling(t *testing.T) {
	g := echo()
	address := listen(t, newServer(t, g))
	client := &http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	url := "http://" + address + "/socket.io/?EIO=3&transport=polling&b64=1"
	call := func(method, url, body string) string {
		t.Helper()
		request, err := http.NewRequest(method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "text/plain;charset=UTF-8")
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	handshake := call("GET", url, "")
	sid := regexp.MustCompile(`"sid":"([^"]+)"`).FindStringSubmatch(handshake)
	if sid == nil {
		t.Fatalf("handshake %q", handshake)
	}
	url += "&sid=" + sid[1]
	if !strings.HasSuffix(handshake, "2:40") { // with the first answer, as a v2 server does
		t.Fatalf("handshake without CONNECT: %q", handshake)
	}
	packet := `421["application",{}]`
	call("POST", url, strconv.Itoa(len(packet))+":"+packet)
	if got := call("GET", url, ""); got != `13:431["\u00e9"]12:42["echo",1]` {
		t.Errorf("reply %q", got)
	}
	call("POST", url, "8:42[null]")
	wantEnd(t, g.peer(0), "parse error")
}

func TestOverWebsocket(t *testing.T) {
	g := echo()
	address := listen(t, newServer(t, g))
	connection, buffered, _, err := ws.Dial(t.Context(), "ws://"+address+"/socket.io/?EIO=3&transport=websocket")
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	var early io.Reader = bytes.NewReader(nil)
	if buffered != nil {
		early = buffered
	}
	stream := struct {
		io.Reader
		io.Writer
	}{io.MultiReader(early, connection), connection}
	read := func() string {
		t.Helper()
		text, err := wsutil.ReadServerText(stream)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if open := read(); !strings.HasPrefix(open, `0{"sid":"`) {
		t.Fatalf("open packet %q", open)
	}
	if got := read(); got != "40" {
		t.Fatalf("CONNECT %q", got)
	}
	if err := wsutil.WriteClientText(connection, []byte(`451-1["application",{"_placeholder":true,"num":0}]`)); err != nil {
		t.Fatal(err)
	}
	if err := wsutil.WriteClientBinary(connection, []byte{4, 1, 2}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`431["\u00e9"]`, `42["echo",1]`} {
		if got := read(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	wantEvents(t, g.peer(0), `application {"_placeholder":true,"num":0} ack=1 binary`)
	if err := wsutil.WriteClientText(connection, []byte(`45999999999999999999-["nosuch",{}]`)); err != nil {
		t.Fatal(err)
	}
	wantEnd(t, g.peer(0), "parse error")
}
