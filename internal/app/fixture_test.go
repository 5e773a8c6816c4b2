package app_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/app"
	"github.com/roomcast/roomcast/internal/config"
	"github.com/roomcast/roomcast/internal/hub"
	"github.com/roomcast/roomcast/internal/memory"
	"github.com/roomcast/roomcast/internal/metrics"
)

// patience bounds every wait of these tests; it says nothing about speed.
const patience = 20 * time.Second

// load is the configuration of an instance for tests, changed by NAME=value.
func load(t *testing.T, changes ...string) config.Config {
	t.Helper()
	cfg, err := config.Load(append(changes, // the first of several entries of one name counts
		"ROOMCAST_AUTH=none", "ROOMCAST_HOST=127.0.0.1", "PORT=0", "ROOMCAST_DRAIN_NOTICE=0s"), "")
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func newBus() *memory.Bus {
	return memory.NewBus(memory.Options{HistorySize: 100, HistoryBytes: 1 << 20, HistoryTTL: time.Minute})
}

// instance is one that runs.
type instance struct {
	*app.Instance
	t   *testing.T
	url string
}

// start runs an instance until the end of the test, at the latest.
func start(t *testing.T, store hub.Store, changes ...string) *instance {
	t.Helper()
	i := startUnready(t, store, changes...)
	eventually(t, "the instance is ready", func() bool { return i.Ready() == nil })
	return i
}

func startUnready(t *testing.T, store hub.Store, changes ...string) *instance {
	t.Helper()
	i := &instance{t: t, Instance: app.New(optionsOf(load(t, changes...), store))}
	if err := i.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.stop() })
	i.url = "http://" + i.Addr().String()
	return i
}

func optionsOf(cfg config.Config, store hub.Store) app.Options {
	return app.Options{
		Config: cfg, Store: store, Build: metrics.BuildInfo{Version: "v", Revision: "r"},
		Logger: slog.New(slog.DiscardHandler),
	}
}

func (i *instance) stop() {
	i.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := i.Stop(ctx); err != nil {
		i.t.Errorf("stopping: %v", err)
	}
}

// stopAside begins to stop and returns what to wait on.
func (i *instance) stopAside() <-chan struct{} {
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		i.stop()
	}()
	i.t.Cleanup(func() { <-stopped })
	return stopped
}

// refuses reports that nobody listens at the address any more.
func refuses(address string) bool {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err == nil {
		_ = conn.Close()
	}
	return err != nil
}

// answer is what came back over HTTP.
type answer struct {
	status int
	header http.Header
	body   string
}

// call does one request on a connection of its own. It follows no redirect.
func call(t *testing.T, method, url, body string, header ...string) answer {
	t.Helper()
	got, err := tryCall(t, method, url, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func tryCall(t *testing.T, method, url, body string, header ...string) (answer, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	for n := 0; n < len(header); n += 2 {
		request.Header.Set(header[n], header[n+1])
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(text)}, err
}

// putApp updates app a of workspace w.
func putApp(t *testing.T, url, displayName string) {
	t.Helper()
	got := call(t, http.MethodPut, url+"/api/v1/apps/", `{"workspaceId":"w","appId":"a","displayName":"`+displayName+`"}`)
	want := `{"status":"SUCCESS","data":{"displayName":"` + displayName + `","workspaceId":"w","appId":"a"},"error":null}` + "\n"
	if got.status != http.StatusOK || got.body != want {
		t.Fatalf("PUT was answered %d %s", got.status, got.body)
	}
}

// eventually polls until condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not seen within %s: %s", patience, what)
		}
	}
}

// watched is a store that says whether it was closed.
type watched struct {
	hub.Store
	closed int
}

func (w *watched) Close() error {
	w.closed++
	return w.Store.Close()
}

var errBroken = errors.New("broken")
