package redis_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/redis"
	"github.com/roomcast/roomcast/internal/redis/redistest"
	"github.com/roomcast/roomcast/internal/storetest"
)

// A promoted replica counts on in its own process: whatever it did not get must not be
// mistaken for what it publishes next.
func TestFailover(t *testing.T) {
	t.Parallel()
	master, replica := redistest.Start(t), redistest.Start(t)
	replica.Follow(master)
	sentinel := master.StartSentinel(t, "main")
	limits := storetest.Generous()
	store, err := redis.Open(redis.Options{
		Server:       redis.Server{Addresses: []string{sentinel.Addr()}, Master: "main"},
		Instance:     "test",
		HistorySize:  limits.HistorySize,
		HistoryBytes: limits.HistoryBytes,
		HistoryTTL:   limits.HistoryTTL,
		Logger:       quiet(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	ear, _ := storetest.Listen(t, store)
	last := storetest.NewPublisher(t, store, "p").Publish(room, "")
	await(t, "the replica to have the publication", func() bool {
		return replica.Do("HGET", "{socketevent}:meta", "seq") == strconv.FormatUint(last.Sequence, 10)
	})
	await(t, "the sentinel to know whom to promote", func() bool { return promotable(sentinel) })

	master.Stop()
	receipt, err := publishWithin(30*time.Second, store, "after")
	if err != nil {
		t.Fatal(err)
	}
	top := topOf(t, store)
	if top.Epoch == last.Epoch || top.Previous != last || receipt.Position != top.Position || top.Sequence <= last.Sequence {
		t.Errorf("after %v and a failover: receipt %v, top %v after %v, want a new epoch after the old one", last, receipt.Position, top.Position, top.Previous)
	}
	ear.Await(t, "the subscription to the promoted replica", func(h storetest.Heard) bool { return h.Subscribed >= 2 })
	ear.AwaitEcho(t, store, "echo")
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s in vain", what)
		}
	}
}

// promotable reports whether the sentinel sees a replica that follows its master.
func promotable(sentinel *redistest.Server) bool {
	replicas, _ := sentinel.Do("SENTINEL", "REPLICAS", "main").([]any)
	if len(replicas) != 1 {
		return false
	}
	fields := replicas[0].([]any)
	state := slices.Index(fields, any("master-link-status"))
	return state >= 0 && fields[state+1] == "ok"
}
