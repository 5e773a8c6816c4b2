package rest_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/rest"
)

// dial opens a connection to a server of f that gives up on any read after 10 s.
func dial(t *testing.T, f *fixture) (net.Conn, *bufio.Reader) {
	t.Helper()
	server := httptest.NewServer(f.handler)
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

func exchange(t *testing.T, conn net.Conn, reader *bufio.Reader, request string) (int, string) {
	t.Helper()
	send(t, conn, request)
	return receive(t, reader)
}

func send(t *testing.T, conn net.Conn, request string) {
	t.Helper()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, reader *bufio.Reader) (int, string) {
	t.Helper()
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// A body that never comes is given up, where it is read and where it is refused unread.
func TestStalledBodyIsGivenUp(t *testing.T) {
	impatient := func(o *rest.Options) { o.BodyTimeout = 50 * time.Millisecond }
	for name, test := range map[string]struct {
		request string
		status  int
	}{
		"read":    {"PUT /api/v1/apps/ HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{", 408},
		"refused": {"POST /api/v1/apps/ HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{", 405},
	} {
		t.Run(name, func(t *testing.T) {
			conn, reader := dial(t, newFixture(impatient))
			if status, body := exchange(t, conn, reader, test.request); status != test.status {
				t.Errorf("status %d, want %d: %s", status, test.status, body)
			}
			if _, err := reader.ReadByte(); err != io.EOF {
				t.Errorf("the connection stays open: %v", err)
			}
		})
	}
}

// A caller that declares too much is answered before it sends.
func TestDeclaredSizeIsRefusedUnread(t *testing.T) {
	conn, reader := dial(t, newFixture())
	status, body := exchange(t, conn, reader,
		"PUT /api/v1/apps/ HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000\r\nExpect: 100-continue\r\n\r\n")
	if status != 413 || !strings.Contains(body, `"app/payload-too-large"`) {
		t.Errorf("status %d: %s", status, body)
	}
}

// The deadline of a body is for that body alone: a later request on the connection, and
// a publication that takes longer than a body may, are not cut by it.
func TestDeadlineEndsWithTheBody(t *testing.T) {
	const limit = 50 * time.Millisecond
	f := newFixture()
	slow := &slowChannel{channel: f.channel, delay: 3 * limit}
	f.handler = rest.New(rest.Options{Hub: slow, Metrics: f.ledger, BodyTimeout: limit})
	conn, reader := dial(t, f)
	for range 2 {
		status, body := exchange(t, conn, reader,
			"PUT /api/v1/apps/ HTTP/1.1\r\nHost: h\r\nContent-Length: 49\r\n\r\n"+appBody)
		if status != 200 {
			t.Fatalf("status %d: %s", status, body)
		}
	}
}

// slowChannel takes its time, unless the request is called off.
type slowChannel struct {
	*channel
	delay time.Duration
}

func (s *slowChannel) Publish(ctx context.Context, p event.Publication) (event.Receipt, error) {
	select {
	case <-time.After(s.delay):
		return s.channel.Publish(ctx, p)
	case <-ctx.Done():
		return event.Receipt{}, ctx.Err()
	}
}

func TestBodyThatEndsEarly(t *testing.T) {
	conn, reader := dial(t, newFixture())
	send(t, conn, "PUT /api/v1/apps/ HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{")
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	status, body := receive(t, reader)
	if status != 400 || !strings.Contains(body, `"the body ended early"`) {
		t.Errorf("status %d: %s", status, body)
	}
}

// Who asks for a file and does not read it keeps neither the connection nor what serves it; who
// reads has the connection for more.
func TestWhoDoesNotReadIsGivenUp(t *testing.T) {
	served := make(chan struct{}, 1)
	large := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		defer func() { served <- struct{}{} }()
		_, _ = w.Write(make([]byte, 64<<20)) // more than any kernel keeps for a connection
	})
	small := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	f := newFixture(func(o *rest.Options) {
		o.AnswerTimeout = 50 * time.Millisecond
		o.Pages = map[string]http.Handler{"/large": large, "/small": small}
	})
	conn, reader := dial(t, f)
	for range 3 {
		if status, body := exchange(t, conn, reader, "GET /small HTTP/1.1\r\nHost: h\r\n\r\n"); status != 200 || body != "ok" {
			t.Fatalf("%d %s", status, body)
		}
		<-time.After(60 * time.Millisecond) // a deadline that were still there would be over
	}
	send(t, conn, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n")
	select {
	case <-served:
	case <-time.After(20 * time.Second):
		t.Fatal("the answer is still being written")
	}
}
