package app_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/roomcast/roomcast/internal/app"
)

// For the time of the notice the instance says that it is going down and serves on.
func TestNotReadyBeforeItRefuses(t *testing.T) {
	i := start(t, newBus().Store(), "ROOMCAST_DRAIN_NOTICE=2s")
	client := dial(t, i.url, "/socket.io/", "4")
	client.subscribe()
	stopped := i.stopAside()
	eventually(t, "not ready", func() bool { return i.Ready() != nil })
	got := call(t, http.MethodGet, i.url+"/readyz", "")
	if got.status != http.StatusServiceUnavailable ||
		got.body != `{"status":"unavailable","reason":"the channel is unavailable: this instance is going down"}`+"\n" {
		t.Errorf("/readyz: %d %s", got.status, got.body)
	}
	if got := call(t, http.MethodGet, i.url+"/healthz", ""); got.status != http.StatusOK {
		t.Errorf("/healthz: %d %s", got.status, got.body)
	}
	putApp(t, i.url, "meanwhile")
	client.wantsUpdate("meanwhile")
	dial(t, i.url, "/socket.io/", "4").wantsEnd()
	client.wantsEnd()
	<-stopped
}

// Held polls are answered, websockets get a close frame and no DISCONNECT, and by then a
// client that reconnects at once is refused by the kernel.
func TestSessionsEndAfterTheListener(t *testing.T) {
	i := start(t, newBus().Store())
	address := i.Addr().String()
	session := poll(t, i.url)
	var ends sync.WaitGroup
	for _, revision := range []string{"3", "4"} {
		client := dial(t, i.url, "/socket.io/", revision)
		ends.Go(func() {
			client.wantsEnd()
			if !refuses(address) {
				t.Error("a websocket ended while the instance still accepted connections")
			}
		})
	}
	ends.Go(func() {
		got, err := tryCall(t, http.MethodGet, session, "")
		if err != nil || got.body != "1" && got.body != "6\x1e1" {
			t.Errorf("the poll was answered %q, %v", got.body, err)
		}
	})
	eventually(t, "the sessions are counted", func() bool {
		return strings.Contains(call(t, http.MethodGet, i.url+"/metrics", "").body, `roomcast_sessions{protocol="3",transport="websocket"} 1`)
	})
	awaitHandler(t, "engineio.(*Session).servePoll")
	i.stop()
	ends.Wait()
}

// A polling client between two polls learns of the end from the next one: until then the
// instance can be reached.
func TestPollingLearnsOfTheEnd(t *testing.T) {
	i := start(t, newBus().Store())
	session := poll(t, i.url)
	stopped := i.stopAside()
	eventually(t, "the session has ended", func() bool {
		got, err := tryCall(t, http.MethodGet, i.url+"/metrics", "")
		return err != nil || strings.Contains(got.body, `reason="server shutting down"`)
	})
	if got, err := tryCall(t, http.MethodGet, session, ""); err != nil || got.body != "6\x1e1" {
		t.Errorf("the poll was answered %q, %v", got.body, err)
	}
	<-stopped
}

// A handshake that was begun before the listener closed is no matter of luck: nobody is
// refused, also where there is no session to be closed before.
func TestHandshakeUnderWayIsServed(t *testing.T) {
	i := start(t, newBus().Store())
	conn := connect(t, i)
	const request = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	send(t, conn, request[:100])
	call(t, http.MethodGet, i.url+"/healthz", "") // came later, so the other one is accepted
	stopped := i.stopAside()
	eventually(t, "the listener is closed", func() bool { return refuses(i.Addr().String()) })
	send(t, conn, request[100:])
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("answered %+v, %v", response, err)
	}
	client := websocket{t: t, conn: conn, reader: reader}
	client.wants(`^0\{"sid":"`)
	client.wantsEnd()
	<-stopped
}

// Connections that proxies keep for later go with the listener, not after the last session.
func TestKeptConnectionsEnd(t *testing.T) {
	i := start(t, newBus().Store())
	conn := connect(t, i)
	reader := bufio.NewReader(conn)
	send(t, conn, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(response.Body); err != nil || response.Close {
		t.Fatalf("the connection is not kept: %q, %v", body, err)
	}
	const clients = 30
	var ended atomic.Int32
	var ends sync.WaitGroup
	for range clients {
		client := dial(t, i.url, "/socket.io/", "4")
		ends.Go(func() {
			client.wantsEnd()
			ended.Add(1)
		})
	}
	stopped := i.stopAside()
	if rest, err := io.ReadAll(reader); err != nil || len(rest) != 0 {
		t.Errorf("at the end came %q, %v", rest, err)
	}
	if ended.Load() == clients {
		t.Error("the connection was kept until all sessions had ended")
	}
	<-stopped
	ends.Wait()
}

// When there is no time for it, nothing is waited for, and everybody is told all the same.
func TestStopWithoutTime(t *testing.T) {
	store := &watched{Store: newBus().Store()}
	i := start(t, store, "ROOMCAST_DRAIN_NOTICE=5m", "ROOMCAST_DRAIN=10m")
	var clients []*websocket
	for range 30 {
		clients = append(clients, dial(t, i.url, "/socket.io/", "4"))
	}
	poll(t, i.url)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := i.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Stop says %v", err)
	}
	for _, client := range clients {
		client.wantsEnd()
	}
	if store.closed != 1 {
		t.Errorf("the store was closed %d times", store.closed)
	}
}

// awaitHandler waits until a request is in the method: nothing tells so from outside.
func awaitHandler(t *testing.T, method string) {
	t.Helper()
	stacks := make([]byte, 1<<20)
	eventually(t, "a request in "+method, func() bool {
		return strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), method)
	})
}

// A request that is here has nowhere else to go: it is served to its end, and its update
// is delivered by the instances that stay.
func TestRequestUnderWayIsServed(t *testing.T) {
	bus := newBus()
	i, staying := start(t, bus.Store()), start(t, bus.Store())
	client := dial(t, staying.url, "/socket.io/", "4")
	client.subscribe()
	finish := beginPut(t, i, "late")
	stopped := i.stopAside()
	eventually(t, "the listener is closed", func() bool { return refuses(i.Addr().String()) })
	finish()
	client.wantsUpdate("late")
	<-stopped
}

// beginPut sends what putApp does but for the end, and waits until it is being served.
func beginPut(t *testing.T, i *instance, displayName string) (finish func()) {
	t.Helper()
	conn := connect(t, i)
	body := `{"workspaceId":"w","appId":"a","displayName":"` + displayName + `"}`
	request := "PUT /api/v1/apps/ HTTP/1.1\r\nHost: h\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
	send(t, conn, request[:len(request)-5])
	awaitHandler(t, "rest.(*server).updateApp")
	return func() {
		t.Helper()
		send(t, conn, request[len(request)-5:])
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("answered %s", response.Status)
		}
	}
}

func connect(t *testing.T, i *instance) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", i.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

// The operators' address goes down last, so that the going down can be watched.
func TestOperatorsWatchTheEnd(t *testing.T) {
	admin := freeAddress(t)
	i := start(t, newBus().Store(), "ROOMCAST_ADMIN_ADDR="+admin)
	finish := beginPut(t, i, "late") // without its end the public side cannot be done
	stopped := i.stopAside()
	eventually(t, "the public listener is closed", func() bool { return refuses(i.Addr().String()) })
	if got, err := tryCall(t, http.MethodGet, "http://"+admin+"/readyz", ""); err != nil || got.status != http.StatusServiceUnavailable {
		t.Errorf("/readyz at the operators' address: %d %s, %v", got.status, got.body, err)
	}
	finish()
	<-stopped
	if !refuses(admin) {
		t.Error("the operators' address is still served")
	}
}

func TestStopTwice(t *testing.T) {
	store := &watched{Store: newBus().Store()}
	const notice = 500 * time.Millisecond
	i := start(t, store, "ROOMCAST_DRAIN_NOTICE="+notice.String())
	dial(t, i.url, "/socket.io/", "4")
	var both sync.WaitGroup
	both.Go(i.stop)
	both.Go(i.stop)
	both.Wait()
	began := time.Now()
	i.stop()
	if took := time.Since(began); took >= notice {
		t.Errorf("the third time took %s: it waited for the notice again", took)
	}
	if store.closed != 1 {
		t.Errorf("the store was closed %d times", store.closed)
	}
}

func TestStopLeavesNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	i := start(t, newBus().Store(), "ROOMCAST_ADMIN_ADDR="+freeAddress(t))
	poll(t, i.url)
	for _, revision := range []string{"3", "4"} {
		dial(t, i.url, "/socket.io/", revision).subscribe()
	}
	i.stop()
	goleak.VerifyNone(t, before)
}

// What Start has begun when it fails, it undoes.
func TestStartFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	admin := freeAddress(t)
	for want, changes := range map[string][]string{
		"listening: listen tcp " + taken.Addr().String():               {"PORT=" + port, "ROOMCAST_ADMIN_ADDR=" + admin},
		"listening for operators: listen tcp " + taken.Addr().String(): {"ROOMCAST_ADMIN_ADDR=" + taken.Addr().String()},
	} {
		variable, _, _ := strings.Cut(changes[0], "=")
		before := goleak.IgnoreCurrent()
		store := &watched{Store: newBus().Store()}
		i := &instance{t: t, Instance: app.New(optionsOf(load(t, changes...), store))}
		err := i.Start(t.Context())
		if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), "address already in use; set "+variable+" to another") {
			t.Errorf("Start says %v, want %s", err, want)
		}
		if store.closed != 1 {
			t.Errorf("the store was closed %d times", store.closed)
		}
		if !refuses(admin) {
			t.Error("the operators' address is still served")
		}
		goleak.VerifyNone(t, before)
		i.stop() // harmless
	}
}
