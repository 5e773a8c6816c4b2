package app_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/app"
	"github.com/roomcast/roomcast/internal/hub"
	"github.com/roomcast/roomcast/internal/redis/redistest"
)

func openStore(t *testing.T, changes ...string) (store hub.Store, log string) {
	t.Helper()
	var text bytes.Buffer
	store, err := app.OpenStore(load(t, changes...), slog.New(slog.NewTextHandler(&text, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return store, text.String()
}

// Without Redis an instance works and is alone, which its log says.
func TestEmbeddedStore(t *testing.T) {
	store, log := openStore(t)
	if !strings.Contains(log, "level=WARN") || !strings.Contains(log, "this instance is alone") {
		t.Errorf("the log says %q", log)
	}
	i := start(t, store)
	client := dial(t, i.url, "/socket.io/", "4")
	client.subscribe()
	putApp(t, i.url, "alone")
	client.wantsUpdate("alone")
}

// Through one Redis two instances are one.
func TestSharedRedis(t *testing.T) {
	redis := redistest.Start(t)
	var instances []*instance
	for _, id := range []string{"A", "B"} {
		changes := []string{"REDIS_URL=" + redis.URL(), "ROOMCAST_INSTANCE_ID=" + id}
		store, log := openStore(t, changes...)
		if log != "" {
			t.Errorf("the log says %q", log)
		}
		instances = append(instances, start(t, store, changes...))
	}
	client := dial(t, instances[0].url, "/socket.io/", "4")
	client.subscribe()
	putApp(t, instances[1].url, "shared")
	client.wantsUpdate("shared")
}

// Redis need not be there at the start. Until it is, the instance lives, is not ready,
// and says so to whoever publishes.
func TestRedisAwayAtTheStart(t *testing.T) {
	redis := redistest.Reserve(t)
	changes := []string{"REDIS_URL=" + redis.URL()}
	store, _ := openStore(t, changes...)
	i := startUnready(t, store, changes...)
	if got := call(t, http.MethodGet, i.url+"/healthz", ""); got.status != http.StatusOK {
		t.Errorf("/healthz: %d", got.status)
	}
	if got := call(t, http.MethodGet, i.url+"/readyz", ""); got.status != http.StatusServiceUnavailable || strings.Contains(got.body, redis.Addr()) {
		t.Errorf("/readyz: %d %s", got.status, got.body)
	}
	got := call(t, http.MethodPut, i.url+"/api/v1/apps/", `{"workspaceId":"w","appId":"a","displayName":"d"}`)
	if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, `"code":"app/unavailable"`) {
		t.Errorf("PUT: %d %s", got.status, got.body)
	}
	client := dial(t, i.url, "/socket.io/", "4")
	redis.Restart(redistest.Wipe)
	eventually(t, "the instance is ready", func() bool { return i.Ready() == nil })
	client.subscribe()
	putApp(t, i.url, "here again")
	client.wantsUpdate("here again")
}

func TestStoreThatCannotBe(t *testing.T) {
	cfg := load(t, "REDIS_URL=redis://127.0.0.1:1")
	cfg.Channel = "{x}"
	_, err := app.OpenStore(cfg, slog.New(slog.DiscardHandler))
	if err == nil || err.Error() != "opening Redis: redis store: the channel's name must not hold braces" {
		t.Errorf("it says %v", err)
	}
}
