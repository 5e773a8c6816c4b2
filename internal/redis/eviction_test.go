package redis_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/redis"
	"github.com/roomcast/roomcast/internal/redis/redistest"
	"github.com/roomcast/roomcast/internal/storetest"
)

// A failover or a restart may bring another policy, a new connection does not.
func TestEvictionPolicyIsWarnedOfOncePerProcess(t *testing.T) {
	for policy, limit := range map[string]string{"allkeys-lru": "100mb", "volatile-ttl": "0"} {
		t.Run(policy, func(t *testing.T) {
			server := redistest.Start(t, "--maxmemory-policy", policy, "--maxmemory", limit)
			store, log := openLogged(t, server.Addr())
			ear, _ := storetest.Listen(t, store)
			warnings := func() int { return log.Count("level=WARN", "maxmemory_policy="+policy, "noeviction") }
			await(t, "a warning", func() bool { return warnings() == 1 })
			for kills := range 3 {
				server.KillFeeds()
				ear.Await(t, "a new subscription", func(h storetest.Heard) bool { return h.Subscribed == kills+2 })
			}
			server.Restart(redistest.Keep)
			await(t, "a warning of the new process", func() bool { return warnings() >= 2 })
			if n := warnings(); n != 2 {
				t.Errorf("two processes are warned of %d times:\n%s", n, log)
			}
			if future := strings.Contains(log.String(), "once maxmemory is set"); future != (limit == "0") {
				t.Errorf("with maxmemory %s the log says:\n%s", limit, log)
			}
		})
	}
}

func TestNoEvictionIsNotWarnedOf(t *testing.T) {
	server := redistest.Start(t, "--maxmemory", "100mb")
	store, log := openLogged(t, server.Addr())
	storetest.Listen(t, store)
	await(t, "the policy to be seen", func() bool { return log.Count("level=DEBUG", "maxmemory_policy=noeviction") == 1 })
	if log.Count("level=WARN") != 0 {
		t.Errorf("the log says:\n%s", log)
	}
}

// What Redis drops is missed or made anew, and never taken for what it was.
func TestDroppedKeys(t *testing.T) {
	const prefix = "{" + channel + "}:"
	for key, check := range map[string]func(t *testing.T, d dropping){
		prefix + "meta": func(t *testing.T, d dropping) {
			top := topOf(t, d.store)
			if top.Continues(d.last) || top.Sequence <= d.last.Sequence {
				t.Errorf("the top is %v after %v, want one that does not continue %v, and is higher", top.Position, top.Previous, d.last)
			}
			next := d.publisher.Publish(room, "")
			found, err := d.store.Range(t.Context(), room, d.last.Sequence, 1<<20)
			if err != nil || len(found.Events) != 1 || found.Events[0].Position != next || next.Epoch != top.Epoch {
				t.Errorf("Range = %+v, %v, want the one publication since, %v", found, err, next)
			}
		},
		prefix + "room:w/a": func(t *testing.T, d dropping) {
			expectUnproven(t, d, "dropped")
			next := d.publisher.Publish(room, "")
			expectUnproven(t, d, "begun again")
			if found, err := d.store.Range(t.Context(), room, d.last.Sequence, 1<<20); err != nil || !found.Proven(d.last.Sequence) || len(found.Events) != 1 {
				t.Errorf("Range of what came since = %+v, %v, want %v, proven", found, err, next)
			}
		},
		// The memory of a publication's id alone is what keeps a repetition from counting.
		prefix + "id:p-2": func(t *testing.T, d dropping) {
			receipt, err := publishWithin(20*time.Second, d.store, "p-2")
			if err != nil || receipt.Duplicate || receipt.Position.Sequence != d.last.Sequence+1 {
				t.Errorf("Publish again = %+v, %v, want another publication", receipt, err)
			}
		},
		record: func(t *testing.T, d dropping) {
			if _, err := claim(d.store); !errors.Is(err, event.ErrNoRecord) {
				t.Errorf("Claim: %v, want ErrNoRecord", err)
			}
		},
		// Until the next heartbeat it is not known that the instance is alive, only when
		// it last wrote the record.
		leases: func(t *testing.T, d dropping) {
			d.server.Do("HSET", record, "at", time.Now().Add(-2*time.Hour).UnixMilli())
			if _, err := claim(d.store); !errors.Is(err, event.ErrNoRecord) {
				t.Errorf("Claim without a lease: %v, want ErrNoRecord", err)
			}
			if err := d.store.Beat(t.Context(), tenancy.Instance, 0); err != nil {
				t.Fatal(err)
			}
			if _, err := claim(d.store); err != nil {
				t.Errorf("Claim after a heartbeat: %v", err)
			}
		},
	} {
		t.Run(key, func(t *testing.T) {
			d := dropping{server: redistest.Start(t)}
			d.store = open(t, d.server.Addr(), channel, storetest.Generous())
			d.publisher = storetest.NewPublisher(t, d.store, "p")
			enter(t, d.store, event.Record{Tenancy: tenancy}, room)
			if err := d.store.Beat(t.Context(), tenancy.Instance, 0); err != nil {
				t.Fatal(err)
			}
			d.first = d.publisher.Publish(room, "")
			d.last = d.publisher.Publish(room, "")
			if n := d.server.Do("DEL", key); n != int64(1) {
				t.Fatalf("there is no key %s", key)
			}
			check(t, d)
		})
	}
}

// dropping is a store with two publications in a room, of which Redis drops a key.
type dropping struct {
	server      *redistest.Server
	store       *redis.Store
	publisher   *storetest.Publisher
	first, last event.Position
}

func expectUnproven(t *testing.T, d dropping, when string) {
	t.Helper()
	found, err := d.store.Range(t.Context(), room, d.first.Sequence, 1<<20)
	if err != nil || found.Proven(d.first.Sequence) {
		t.Errorf("%s: Range after %d = %+v, %v, want it unproven", when, d.first.Sequence, found, err)
	}
}

// Whatever a Redis drops by itself: what is proven is whole.
func TestWhatIsProvenIsWholeUnderEviction(t *testing.T) {
	for _, policy := range []string{"allkeys-random", "allkeys-lru", "volatile-ttl"} {
		t.Run(policy, func(t *testing.T) {
			server := redistest.Start(t, "--maxmemory-policy", policy)
			store := open(t, server.Addr(), channel, storetest.Generous())
			publisher := storetest.NewPublisher(t, store, "p")
			var rooms []event.Room
			for n := range 20 {
				rooms = append(rooms, event.Room{Workspace: "w", App: fmt.Sprint(n)})
			}
			start := topOf(t, store)
			server.Do("CONFIG", "SET", "maxmemory", "16mb") // for 20 MB
			published := make(map[event.Room][]uint64)
			object := `{"text":"` + strings.Repeat("x", 50_000) + `"}`
			for n := range 400 {
				room := rooms[n%len(rooms)]
				published[room] = append(published[room], publisher.Publish(room, object).Sequence)
			}
			proven := 0
			for _, room := range rooms {
				found, err := store.Range(t.Context(), room, start.Sequence, 64<<20)
				if err != nil {
					t.Fatal(err)
				}
				if !found.Top.Continues(start.Position) || !found.Proven(start.Sequence) {
					continue
				}
				proven++
				var sequences []uint64
				for _, e := range found.Events {
					sequences = append(sequences, e.Position.Sequence)
				}
				if !slices.Equal(sequences, published[room]) {
					t.Errorf("%s is proven with %v, published were %v", room, sequences, published[room])
				}
			}
			t.Logf("%s keys dropped, %d of %d rooms still proven", server.Info("evicted_keys"), proven, len(rooms))
			if server.Info("evicted_keys") == "0" || proven == len(rooms) {
				t.Error("nothing that matters was dropped")
			}
		})
	}
}
