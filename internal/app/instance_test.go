package app_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/app"
)

// A REST call on one instance reaches the clients of another, of both revisions and on
// both paths, each once.
func TestUpdateReachesAnotherInstance(t *testing.T) {
	bus := newBus()
	a, b := start(t, bus.Store(), "ROOMCAST_INSTANCE_ID=A"), start(t, bus.Store(), "ROOMCAST_INSTANCE_ID=B")
	var clients []*websocket
	for _, path := range []string{"/socket.io/", "/socket.io", "/api/socket/v1/socket.io/", "/api/socket/v1/socket.io"} {
		for _, revision := range []string{"3", "4"} {
			clients = append(clients, dial(t, a.url, path, revision))
		}
	}
	for _, client := range clients {
		client.subscribe()
	}
	putApp(t, b.url, "first")
	putApp(t, a.url, "second")
	for _, client := range clients {
		client.wantsUpdate("first")
		client.wantsUpdate("second")
	}
}

// A balancer finds the instance of a session by the prefix of its id.
func TestSessionIDNamesTheInstance(t *testing.T) {
	i := start(t, newBus().Store(), "ROOMCAST_INSTANCE_ID=north-1")
	got := call(t, http.MethodGet, i.url+"/socket.io/?EIO=4&transport=polling", "").body
	if !strings.HasPrefix(got, `0{"sid":"north-1.`) {
		t.Errorf("opened with %s", got)
	}
}

func TestRevision3CanBeTurnedOff(t *testing.T) {
	i := start(t, newBus().Store(), "ROOMCAST_EIO3=off")
	got := call(t, http.MethodGet, i.url+"/socket.io/?EIO=3&transport=polling", "")
	if got.status != http.StatusBadRequest || got.body != `{"code":5,"message":"Unsupported protocol version"}` {
		t.Errorf("answered %d %s", got.status, got.body)
	}
}

func TestOrigins(t *testing.T) {
	i := start(t, newBus().Store(), "ROOMCAST_ALLOWED_ORIGINS=https://app.example")
	for origin, want := range map[string]int{
		"https://app.example": http.StatusOK, i.url: http.StatusOK, "https://evil.example": http.StatusForbidden,
	} {
		if got := call(t, http.MethodGet, i.url+"/socket.io/?EIO=4&transport=polling", "", "Origin", origin); got.status != want {
			t.Errorf("origin %s: %d %s", origin, got.status, got.body)
		}
	}
}

const jsonType, problemType, scriptType = "application/json", "application/problem+json", "text/javascript; charset=utf-8"

func TestRoutes(t *testing.T) {
	i := start(t, newBus().Store(), "ROOMCAST_INSTANCE_ID=I")
	for _, c := range []struct {
		method, path string
		status       int
		kind, body   string // Content-Type, and what the body begins with
	}{
		{"GET", "/", 200, "text/html; charset=utf-8", "<!doctype html>"},
		{"GET", "/playground/config.json", 200, jsonType, `{"here":"instance I","panes":[{"label":"instance I","url":""}]}`},
		{"PUT", "/", 405, problemType, `{"type":"/problems/method-not-allowed"`},
		{"POST", "/playground/app.js", 405, problemType, `{"type":"/problems/method-not-allowed"`},
		{"GET", "/nothing", 404, problemType, `{"type":"/problems/not-found"`},
		{"PUT", "/apps/", 404, problemType, `{"type":"/problems/not-found"`},
		{"GET", "/playground/", 404, problemType, `{"type":"/problems/not-found"`},
		{"GET", "/favicon.ico", 404, problemType, `{"type":"/problems/not-found"`},
		{"GET", "/socket.io/socket.io.js", 200, scriptType, "/*!\n * Socket.IO v4."},
		{"GET", "/socket.io/socket.io.min.js", 200, scriptType, "/*!\n * Socket.IO v4."},
		{"GET", "/api/socket/v1/socket.io/socket.io.js", 200, scriptType, "/*!\n * Socket.IO v4."},
		{"GET", "/socket.io/socket.io.esm.min.js", 200, scriptType, "/*!\n * Socket.IO v4."},
		{"GET", "/api/socket/v1/socket.io/socket.io.esm.min.js", 200, scriptType, "/*!\n * Socket.IO v4."},
		{"GET", "/socket.io/socket.io.msgpack.min.js", 404, problemType, `{"type":"/problems/not-found"`},
		{"GET", "/socket.io/socket.io.min.js.map", 404, problemType, `{"type":"/problems/not-found"`},
		{"GET", "/api/socket/v1/socket.io/socket.io.esm.min.js.map", 404, problemType, `{"type":"/problems/not-found"`},
		{"POST", "/socket.io/socket.io.js", 405, problemType, `{"type":"/problems/method-not-allowed"`},
		{"GET", "/socket.io/", 400, jsonType, `{"code":0,"message":"Transport unknown"}`},
		{"GET", "/api/socket/v1/socket.io/x?transport=polling&sid=x", 400, jsonType, `{"code":1,"message":"Session ID unknown"}`},
		{"GET", "/healthz", 200, jsonType, `{"status":"ok"}`},
		{"GET", "/readyz", 200, jsonType, `{"status":"ready"}`},
		{"GET", "/metrics", 200, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", "# HELP "},
		{"GET", "/api/v1/health/", 200, jsonType, `{"status":"SUCCESS","data":{"health":"ok"},"error":null}`},
		{"GET", "/api/v1/health", 200, jsonType, `{"status":"SUCCESS","data":{"health":"ok"},"error":null}`},
		{"PUT", "/api/v1/apps", 400, jsonType, `{"status":"ERROR","data":null,"error":{"code":"app/unmarshalling-failed"`},
		{"POST", "/api/v1/workspaces/w/apps/a/updates", 415, problemType, `{"type":"/problems/unsupported-media-type"`},
		{"GET", "/api/v1/nothing", 404, problemType, `{"type":"/problems/not-found"`},
		{"GET", "/api/", 404, problemType, `{"type":"/problems/not-found"`},
		{"POST", "/healthz", 405, problemType, `{"type":"/problems/method-not-allowed"`},
	} {
		got := call(t, c.method, i.url+c.path, "")
		if got.status != c.status || got.header.Get("Content-Type") != c.kind || !strings.HasPrefix(strings.ToLower(got.body), strings.ToLower(c.body)) {
			t.Errorf("%s %s: %d %s %.100s", c.method, c.path, got.status, got.header.Get("Content-Type"), got.body)
		}
		if (got.status == http.StatusMethodNotAllowed) != (got.header.Get("Allow") == "GET, HEAD") {
			t.Errorf("%s %s: %d, Allow %q", c.method, c.path, got.status, got.header.Get("Allow"))
		}
	}
}

// No path of the API is tidied up by a redirect: a caller that follows one may turn a PUT
// into a GET, and "." and ".." are ids like any other.
func TestNoRedirects(t *testing.T) {
	i := start(t, newBus().Store())
	for path, want := range map[string]int{
		"/api/v1//apps/": http.StatusNotFound, "/api//v1/apps/": http.StatusNotFound, "/api/v1/x/../apps/": http.StatusNotFound,
		"//api/v1/apps/": http.StatusNotFound, "/healthz/": http.StatusNotFound,
	} {
		if got := call(t, http.MethodPut, i.url+path, `{"workspaceId":"w","appId":"a","displayName":"d"}`); got.status != want {
			t.Errorf("%s: %d, to %s", path, got.status, got.header.Get("Location"))
		}
	}
	for _, path := range []string{"/api/v1/workspaces/../apps/./updates", "/api/v1/workspaces/%2E%2E/apps/%2e/updates"} {
		got := call(t, http.MethodPost, i.url+path, `{"event":"X","data":{}}`, "Content-Type", "application/json")
		if got.status != http.StatusCreated {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}

// With an address of their own the operators' routes are there and nowhere else.
func TestAdminAddress(t *testing.T) {
	admin := freeAddress(t)
	i := start(t, newBus().Store(), "ROOMCAST_ADMIN_ADDR="+admin)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200, "/api/v1/health/": 404, "/": 404, "/socket.io/": 404} {
		if got := call(t, http.MethodGet, "http://"+admin+path, "").status; got != want {
			t.Errorf("%s at the operators' address: %d", path, got)
		}
	}
	for path, want := range map[string]int{"/healthz": 404, "/readyz": 404, "/metrics": 404, "/api/v1/health/": 200, "/": 200} {
		if got := call(t, http.MethodGet, i.url+path, "").status; got != want {
			t.Errorf("%s at the public address: %d", path, got)
		}
	}
}

// A balancer that learns at the operators' address that an instance is ready sends clients at
// once. Another starts each time, because what is looked for is a moment.
func TestWhoIsReadyIsThereForClients(t *testing.T) {
	admin, public := freeAddress(t), freeAddress(t)
	_, port, _ := net.SplitHostPort(public)
	for range 50 {
		i := &instance{t: t, Instance: app.New(optionsOf(load(t, "ROOMCAST_HOST=localhost", "PORT="+port, "ROOMCAST_ADMIN_ADDR="+admin), newBus().Store()))}
		refused := make(chan bool, 1)
		go func() {
			for !saysReady(admin) {
			}
			refused <- refuses(public)
		}()
		if err := i.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if <-refused {
			t.Fatal("ready, but clients are refused")
		}
		i.stop()
	}
}

// saysReady asks /readyz with as little ado as possible.
func saysReady(address string) bool {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return false
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /readyz HTTP/1.0\r\n\r\n")
	status, _ := bufio.NewReader(conn).ReadString('\n')
	return strings.Contains(status, " 200 ")
}

func TestMetricsCountSessions(t *testing.T) {
	i := start(t, newBus().Store())
	dial(t, i.url, "/socket.io/", "4").subscribe()
	poll(t, i.url)
	eventually(t, "sessions, rooms and members in the metrics", func() bool {
		metrics := call(t, http.MethodGet, i.url+"/metrics", "").body
		for _, line := range []string{
			`roomcast_sessions{protocol="4",transport="websocket"} 1`, `roomcast_sessions{protocol="4",transport="polling"} 1`,
			"roomcast_rooms 1", "roomcast_members 1", "roomcast_build_info{goversion=",
		} {
			if !strings.Contains(metrics, "\n"+line) {
				return false
			}
		}
		return true
	})
}

// freeAddress is one of this machine that nobody listens on at the moment.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// failing is a listener that breaks down at the first Accept.
type failing struct{ net.Listener }

func (failing) Accept() (net.Conn, error) { return nil, errBroken }

func TestListenerThatBreaksDownIsTold(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	options := optionsOf(load(t), newBus().Store())
	options.Listener = failing{listener}
	i := &instance{t: t, Instance: app.New(options)}
	if err := i.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-i.Failed(); err == nil || err.Error() != "serving: broken" {
		t.Errorf("told of %v", err)
	}
	i.stop()
}
