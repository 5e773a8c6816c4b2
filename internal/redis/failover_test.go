package redis_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/redis"
	"github.com/roomcast/roomcast/internal/redis/redistest"
	"github.com/roomcast/roomcast/internal/storetest"
)

// openWatched makes a store of the server that the sentinel knows as main.
func openWatched(t *testing.T, sentinel *redistest.Server) *redis.Store {
	t.Helper()
	return openWith(t, sentinel.Addr(), storetest.Generous(), func(o *redis.Options) { o.Server.Master = "main" })
}

// has waits until the server has counted up to the position.
func has(t *testing.T, server *redistest.Server, position event.Position) {
	t.Helper()
	await(t, "the server to have the publication", func() bool {
		return server.Do("HGET", "{socketevent}:meta", "seq") == strconv.FormatUint(position.Sequence, 10)
	})
}

// A promoted replica counts on in its own process: whatever it did not get must not be
// mistaken for what it publishes next.
func TestFailover(t *testing.T) {
	t.Parallel()
	master, replica := redistest.Start(t), redistest.Start(t)
	replica.Follow(master)
	sentinel := master.StartSentinel(t, "main")
	store, other := openWatched(t, sentinel), openWatched(t, sentinel)
	ears := []*storetest.Ear{listen(t, store), listen(t, other)}
	last := storetest.NewPublisher(t, store, "p").Publish(room, "")
	has(t, replica, last)
	await(t, "the sentinel to know whom to promote", func() bool { return sentinel.Promotable("main", 0) })

	master.Stop()
	first := expectMoved(t, last, ears, store, other)

	// What was the master comes back as a replica, to which nobody may go.
	master.Restart(redistest.Keep)
	await(t, "the sentinel to have a replica again", func() bool { return sentinel.Promotable("main", 0) })
	next, err := publishWithin(20*time.Second, other, "after the return")
	if err != nil || next.Position.Epoch != first.Epoch || next.Position.Sequence != first.Sequence+1 {
		t.Errorf("Publish = %v, %v, want the next one after %v", next, err, first)
	}
	if feeds := replica.Feeds(channel); feeds != 2 {
		t.Errorf("%d feeds are at the new master, want 2", feeds)
	}

	// And back again, by the sentinel's order. The old master lives, and for ten seconds
	// takes whatever comes: nobody may go on hearing it, or publishing there.
	has(t, master, next.Position)
	sentinel.Do("SENTINEL", "FAILOVER", "main")
	await(t, "both feeds to be at the new master", func() bool {
		_, _ = store.Beat(t.Context(), "one", 0), other.Beat(t.Context(), "two", 0)
		return master.Feeds(channel) == 2
	})
	expectMoved(t, next.Position, ears, store, other)
}

func listen(t *testing.T, store *redis.Store) *storetest.Ear {
	t.Helper()
	ear, _ := storetest.Listen(t, store)
	return ear
}

// expectMoved checks that after a failover each store publishes what both hear, in one new
// epoch that continues all that was published up to last.
func expectMoved(t *testing.T, last event.Position, ears []*storetest.Ear, stores ...*redis.Store) event.Position {
	t.Helper()
	receipt, err := publishWithin(30*time.Second, stores[0], "after "+last.String())
	if err != nil {
		t.Fatal(err)
	}
	for i, store := range stores {
		if top := topOf(t, store); top.Epoch == last.Epoch || top.Previous != last || top.Position != receipt.Position || top.Sequence <= last.Sequence {
			t.Errorf("store %d: after %v and a failover: receipt %v, top %v after %v, want a new epoch after the old one", i, last, receipt.Position, top.Position, top.Previous)
		}
	}
	for i, ear := range ears {
		echo := fmt.Sprintf("echo-%d-%d", i, last.Sequence)
		await(t, "the feed to hear the new master", func() bool {
			_ = stores[i].Beat(t.Context(), echo, 0)
			return slices.Contains(ear.Heard().Heartbeats, event.Heartbeat{Instance: echo, Position: receipt.Position})
		})
	}
	return receipt.Position
}

// Redis acknowledges before its replicas have a publication. What they never got is lost
// with the master, which no position may hide.
func TestFailoverLosesTheTail(t *testing.T) {
	t.Parallel()
	master, replica := redistest.Start(t), redistest.Start(t)
	link := redistest.NewLink(t, master.Addr())
	replica.FollowThrough(master, link.Addr())
	sentinel := master.StartSentinel(t, "main")
	store := openWatched(t, sentinel)
	ear := listen(t, store)
	publisher := storetest.NewPublisher(t, store, "p")
	kept := publisher.Publish(room, "")
	has(t, replica, kept)
	await(t, "the sentinel to know whom to promote", func() bool { return sentinel.Promotable("main", 0) })
	link.Break()
	var lost []event.Position
	for range 3 {
		lost = append(lost, publisher.Publish(room, ""))
	}
	ear.AwaitEvents(t, 4) // members here have them

	master.Stop()
	receipt, err := publishWithin(30*time.Second, store, "after")
	if err != nil {
		t.Fatal(err)
	}
	top := topOf(t, store)
	if top.Epoch == kept.Epoch || top.Previous != kept || !top.Continues(kept) || receipt.Position != top.Position {
		t.Errorf("top %v after %v, receipt %v, want a new epoch after %v", top.Position, top.Previous, receipt.Position, kept)
	}
	for _, position := range lost {
		if top.Continues(position) {
			t.Errorf("top %v after %v continues %v, which is lost", top.Position, top.Previous, position)
		}
		if receipt.Position.Sequence <= position.Sequence {
			t.Errorf("%v was given out after %v", receipt.Position, position)
		}
	}
	found, err := store.Range(t.Context(), room, kept.Sequence, 1<<20)
	if err != nil || len(found.Events) != 1 || !found.Proven(kept.Sequence) {
		t.Errorf("Range after %v = %+v, %v, want the one event since, proven", kept, found, err)
	}
}

// Nobody tells a client of a server that became a replica in place. What it hears by
// replication is the channel; what it says there is heard by nobody else.
func TestServerBecomesReplica(t *testing.T) {
	t.Parallel()
	server, other := redistest.Start(t), redistest.Start(t)
	store, log := openLogged(t, server.Addr())
	ear := listen(t, store)
	last := storetest.NewPublisher(t, store, "p").Publish(room, "")
	if err := store.Beat(t.Context(), "before", 0); err != nil {
		t.Fatal(err)
	}
	other.Follow(server)
	other.Do("REPLICAOF", "NO", "ONE")
	elsewhere := openWith(t, other.Addr(), storetest.Generous())
	server.Follow(other)

	for range 2 {
		if err := store.Beat(t.Context(), "replica", 0); err == nil || !strings.Contains(err.Error(), "READONLY") {
			t.Errorf("Beat on a replica: %v, want READONLY", err)
		}
		_, err := publishWithin(300*time.Millisecond, store, "refused")
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "READONLY") {
			t.Errorf("Publish on a replica: %v, want the deadline and READONLY", err)
		}
	}
	if lines := log.Count("level=ERROR", "code=READONLY"); lines != 1 {
		t.Errorf("the refusals are logged as %d lines, want 1:\n%s", lines, log)
	}
	next, err := publishWithin(20*time.Second, elsewhere, "elsewhere")
	if err != nil {
		t.Fatal(err)
	}
	heard := ear.AwaitEvents(t, 2)[1]
	if heard.Position != next.Position {
		t.Errorf("heard %v, published was %v", heard.Position, next.Position)
	}
	has(t, server, next.Position)
	if top := topOf(t, store); top.Position != next.Position { // by a connection that stays open
		t.Errorf("the top is %v, want %v", top, next.Position)
	}

	server.Do("REPLICAOF", "NO", "ONE")
	receipt, err := publishWithin(20*time.Second, store, "refused")
	top := topOf(t, store)
	if err != nil || receipt.Duplicate || receipt.Position != top.Position || top.Previous != next.Position || top.Epoch == last.Epoch {
		t.Errorf("Publish after the return = %+v, %v, top %v after %v, want a new epoch after %v", receipt, err, top.Position, top.Previous, next.Position)
	}
}

// A server that was a replica for a while and is a master again has another's count. Open
// connections do not tell; the next heartbeat or publication does.
func TestAnotherProcessHasCounted(t *testing.T) {
	server := redistest.Start(t)
	store := open(t, server.Addr(), channel, storetest.Generous())
	publisher := storetest.NewPublisher(t, store, "p")
	for name, next := range map[string]func() error{
		"Heartbeat": func() error { return store.Beat(t.Context(), "one", 0) },
		"Publish":   func() error { _, err := publishWithin(20*time.Second, store, "next"); return err },
	} {
		t.Run(name, func(t *testing.T) {
			last := publisher.Publish(room, "")
			server.Do("HSET", "{socketevent}:meta", "run", "of-another-process")
			if err := next(); err != nil {
				t.Fatal(err)
			}
			if top := topOf(t, store); top.Epoch == last.Epoch || top.Previous != last {
				t.Errorf("top %v after %v, want a new epoch after %v", top.Position, top.Previous, last)
			}
		})
	}
}

// An address that moves leaves the feed where it was, and others may go on there.
func TestFeedOfAnotherServer(t *testing.T) {
	t.Parallel()
	server, moved := redistest.Start(t), redistest.Start(t)
	address := newSevering(t, server.Addr())
	store := open(t, address.addr(), channel, storetest.Generous())
	ear := listen(t, store)
	left := open(t, server.Addr(), channel, storetest.Generous())
	address.redirect(moved.Addr())
	server.Do("CLIENT", "KILL", "TYPE", "normal")
	await(t, "the feed to move", func() bool {
		_ = store.Beat(t.Context(), "here", 0)
		_ = left.Beat(t.Context(), "there", 0) // so that the feed never falls silent
		return ear.Heard().Subscribed == 2
	})
	if told := ear.Heard().Interrupted; len(told) != 1 || !strings.Contains(told[0].Error(), "another server") {
		t.Errorf("the feed was given up for %v, want that it is of another server", told)
	}
	ear.AwaitEcho(t, store, "echo")
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	// Sentinels take their time: twenty seconds for a master that comes back.
	for deadline := time.Now().Add(time.Minute); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s in vain", what)
		}
	}
}
