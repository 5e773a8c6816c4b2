package app_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/redis/redistest"
	"github.com/roomcast/roomcast/internal/rest"
)

// Publishers are told at once that Redis is full. Members lose nothing by it, and clients
// are not sent away.
func TestRedisIsFull(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	store, _ := openStore(t, "REDIS_URL="+server.URL())
	i := start(t, store)
	client := dial(t, i.url, "/socket.io/", "4")
	client.subscribe()
	putApp(t, i.url, "before")

	server.Do("CONFIG", "SET", "maxmemory", "1")
	for range 3 {
		began := time.Now()
		expectUnavailable(t, i)
		if took := time.Since(began); took >= rest.DefaultPublishTimeout {
			t.Errorf("it took %v: the deadline and not the refusal", took)
		}
	}
	before := heartbeatsOf(t, i)
	eventually(t, "more heartbeats than may be missed", func() bool { return heartbeatsOf(t, i) > before+3 })
	if err := i.Ready(); err != nil {
		t.Errorf("not ready: %v", err)
	}
	server.Do("CONFIG", "SET", "maxmemory", "0")
	putApp(t, i.url, "after")
	client.wantsUpdate("before")
	client.wantsUpdate("after")
}

func expectUnavailable(t *testing.T, i *instance) {
	t.Helper()
	if got := tryPut(t, i); got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
		t.Errorf("an update was answered %d %s", got.status, got.body)
	}
}

// On a server that has become a replica nothing can be published, so the instance is not
// ready. Its members still get what is published at the new master.
func TestRedisBecomesAReplica(t *testing.T) {
	t.Parallel()
	server, other := redistest.Start(t), redistest.Start(t)
	store, _ := openStore(t, "REDIS_URL="+server.URL())
	i := start(t, store)
	client := dial(t, i.url, "/socket.io/", "4")
	client.subscribe()
	putApp(t, i.url, "before")
	client.wantsUpdate("before")

	other.Follow(server)
	other.Do("REPLICAOF", "NO", "ONE")
	server.Follow(other)
	eventually(t, "the instance is not ready", func() bool { return i.Ready() != nil })
	expectUnavailable(t, i)
	there, _ := openStore(t, "REDIS_URL="+other.URL())
	beside := start(t, there)
	putApp(t, beside.url, "elsewhere")
	client.wantsUpdate("elsewhere")
	beside.stop()

	server.Do("REPLICAOF", "NO", "ONE")
	eventually(t, "the instance is ready again", func() bool { return i.Ready() == nil })
	putApp(t, i.url, "after")
	client.wantsUpdate("after")
}

// heartbeatsOf counts the own heartbeats that the instance has heard.
func heartbeatsOf(t *testing.T, i *instance) int {
	t.Helper()
	return metric(t, i, "roomcast_bus_lag_seconds_count")
}
