package redis_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/redis"
	"github.com/roomcast/roomcast/internal/redis/redistest"
	"github.com/roomcast/roomcast/internal/storetest"
)

var room = event.Room{Workspace: "w", App: "a"}

const channel = "socketevent"

// publishWithin publishes with a deadline, which starts over for each call.
func publishWithin(limit time.Duration, store *redis.Store, id string) (event.Receipt, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return store.Publish(ctx, event.Publication{ID: id, Remember: time.Minute, Room: room, Object: `{"id":"` + id + `"}`})
}

func topOf(t *testing.T, store *redis.Store) event.Top {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	top, err := store.Top(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return top
}

func TestStrangersAreHeardOutsideTheSequence(t *testing.T) {
	server := redistest.Start(t)
	store := open(t, server.Addr(), channel, storetest.Generous())
	ear, _ := storetest.Listen(t, store)
	before := topOf(t, store)
	for _, text := range []string{
		`{"appId":"a","workspaceId":"w","payload":{"event":"UPDATE_APP","payload":{"id":"a"},"userId":"u"}}`,
		`{"appId":"a","workspaceId":"w","payload":{"event":`,
		"P 1 0 w/a\n{}",
		`{"appId":"b","workspaceId":"w","payload":{"event":"ż"}}`,
	} {
		server.Do("PUBLISH", channel, text)
	}
	heard := ear.AwaitEcho(t, store, "echo")
	if len(heard.Events) != 2 || len(heard.Rejected) != 2 || len(heard.Interrupted) != 0 {
		t.Fatalf("heard %d events, %d rejections, %d interruptions, want 2, 2, 0", len(heard.Events), len(heard.Rejected), len(heard.Interrupted))
	}
	first, second := heard.Events[0], heard.Events[1]
	if want := `{"event":"UPDATE_APP","workspaceId":"w","appId":"a","payload":{"id":"a"},"userId":"u"}`; first.Object() != want || first.Room != room || !first.Position.IsZero() {
		t.Errorf("heard %s in %v at %v, want %s in %v without a position", first.Object(), first.Room, first.Position, want, room)
	}
	if want := `{"event":"ż","workspaceId":"w","appId":"b"}`; second.Object() != want {
		t.Errorf("heard %s, want %s", second.Object(), want)
	}
	if after := topOf(t, store); after != before {
		t.Errorf("strangers moved the top from %v to %v", before, after)
	}
}

func TestRestartWithData(t *testing.T) {
	server := redistest.Start(t)
	store := open(t, server.Addr(), channel, storetest.Generous())
	ear, _ := storetest.Listen(t, store)
	publisher := storetest.NewPublisher(t, store, "p")
	first := publisher.Publish(room, "")
	last := publisher.Publish(room, "")
	ear.AwaitEvents(t, 2) // a server that dies may not have sent what it published

	server.Restart(redistest.Keep)
	heard := ear.Await(t, "the subscription to the restarted server", func(h storetest.Heard) bool { return h.Subscribed == 2 })
	if len(heard.Interrupted) != 1 {
		t.Errorf("the restart was told as %d interruptions, want 1: %v", len(heard.Interrupted), heard.Interrupted)
	}
	top := topOf(t, store)
	if top.Epoch == last.Epoch || top.Previous != last || top.Sequence <= last.Sequence {
		t.Errorf("top after the restart is %v after %v, want a new epoch after %v, and a higher sequence", top.Position, top.Previous, last)
	}
	unheard := event.Position{Epoch: last.Epoch, Sequence: last.Sequence + 1}
	if !top.Continues(first) || !top.Continues(last) || top.Continues(unheard) {
		t.Errorf("top %v continues %v: %v, %v: %v, %v: %v; want true, true, false", top,
			first, top.Continues(first), last, top.Continues(last), unheard, top.Continues(unheard))
	}
	found, err := store.Range(t.Context(), room, first.Sequence, 1<<20)
	if err != nil || len(found.Events) != 1 || !found.Proven(first.Sequence) || found.Events[0].Position != (event.Position{Epoch: top.Epoch, Sequence: last.Sequence}) {
		t.Errorf("Range over the restart = %+v, %v, want the one event after %v, proven", found, err, first)
	}
	receipt, err := publishWithin(20*time.Second, store, "after")
	if want := (event.Position{Epoch: top.Epoch, Sequence: top.Sequence + 1}); err != nil || receipt.Position != want {
		t.Errorf("Publish after the restart = %v, %v, want %v", receipt, err, want)
	}
	again := ear.AwaitEvents(t, 3)[2]
	if again.Previous != last.Sequence {
		t.Errorf("the first event after the restart names %d as the one before, want %d", again.Previous, last.Sequence)
	}
	if known, err := publishWithin(20*time.Second, store, "p-2"); err != nil || !known.Duplicate || known.Position != last {
		t.Errorf("a publication from before the restart is answered %+v, %v, want a duplicate of %v", known, err, last)
	}
}

func TestRestartWithoutData(t *testing.T) {
	server := redistest.Start(t)
	store := open(t, server.Addr(), channel, storetest.Generous())
	last := storetest.NewPublisher(t, store, "p").Publish(room, "")
	server.Restart(redistest.Wipe)
	top := topOf(t, store)
	if top.Epoch == last.Epoch || !top.Previous.IsZero() || top.Continues(last) || top.Sequence <= last.Sequence {
		t.Errorf("top after %v and a restart without data is %v after %v, want a new epoch with nothing before it", last, top.Position, top.Previous)
	}
}

func TestFlushUnderOpenConnections(t *testing.T) {
	for name, next := range map[string]func(*redis.Store) error{
		"Publish": func(s *redis.Store) error { _, err := publishWithin(20*time.Second, s, "after"); return err },
		"Beat":    func(s *redis.Store) error { return s.Beat(context.Background(), "i", 0) },
		"Range": func(s *redis.Store) error {
			_, err := s.Range(context.Background(), room, 0, 1)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			store := open(t, server.Addr(), channel, storetest.Generous())
			last := storetest.NewPublisher(t, store, "p").Publish(room, "")
			server.Do("FLUSHALL")
			if err := next(store); err != nil {
				t.Fatal(err)
			}
			first := topOf(t, store)
			if first.Epoch == last.Epoch || first.Sequence <= last.Sequence {
				t.Errorf("top after %v and a flush is %v, want a new epoch and a higher sequence", last, first)
			}
			// The flush was the only reason for a new epoch: no second one on connecting.
			if other := topOf(t, open(t, server.Addr(), channel, storetest.Generous())); other != first {
				t.Errorf("a new connection found %v, want %v", other, first)
			}
		})
	}
}

// An index that Redis evicted has forgotten rooms; nothing may be proven by it.
func TestLostRoomIndex(t *testing.T) {
	server := redistest.Start(t)
	store := open(t, server.Addr(), channel, storetest.Generous())
	publisher := storetest.NewPublisher(t, store, "p")
	start := topOf(t, store).Sequence
	last := publisher.Publish(room, "").Sequence
	server.Do("DEL", "{"+channel+"}:rooms")
	check := func(when string) {
		t.Helper()
		changed, err := store.Changed(t.Context(), []event.Room{room}, start)
		if err != nil || len(changed) != 1 {
			t.Errorf("%s: Changed = %v, %v, want the room that was published to", when, changed, err)
		}
		found, err := store.Range(t.Context(), room, start, 1<<20)
		if err != nil || found.Proven(start) || !found.Proven(last) {
			t.Errorf("%s: proven from the start %v, from the top %v (%v), want false, true", when, found.Proven(start), found.Proven(last), err)
		}
	}
	check("lost")
	publisher.Publish(event.Room{Workspace: "w", App: "other"}, "")
	check("begun again")
}

func TestKilledFeed(t *testing.T) {
	server := redistest.Start(t)
	store, log := openLogged(t, server.Addr())
	ear, _ := storetest.Listen(t, store)
	await(t, "the eviction policy to be seen, by a connection of its own maybe", func() bool { return log.Count("maxmemory_policy") == 1 })
	publisher := storetest.NewPublisher(t, store, "p")
	publisher.Publish(room, "")
	ear.AwaitEvents(t, 1)
	before := connections(server)
	for round := 1; round <= 3; round++ {
		if killed := server.KillFeeds(); killed != 1 {
			t.Fatalf("%d feeds were open, want 1", killed)
		}
		heard := ear.Await(t, "a new subscription", func(h storetest.Heard) bool { return h.Subscribed == 1+round })
		if len(heard.Interrupted) != round {
			t.Fatalf("%d interruptions after %d kills", len(heard.Interrupted), round)
		}
		publisher.Publish(room, "")
		ear.AwaitEvents(t, 1+round)
	}
	// go-redis would replace a lost connection by one of its own that nobody hears of.
	if opened := connections(server) - before; opened != 3 {
		t.Errorf("3 kills led to %d connections, want one each", opened)
	}
}

// connections is the number of connections the server ever accepted.
func connections(server *redistest.Server) int {
	_, rest, _ := strings.Cut(server.Do("INFO", "stats").(string), "total_connections_received:")
	count, _, _ := strings.Cut(rest, "\r\n")
	n, _ := strconv.Atoi(count)
	return n
}

// A server that hangs keeps its connections open: only the silence tells.
func TestHangingServer(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	store := open(t, server.Addr(), channel, storetest.Generous())
	ear, _ := storetest.Listen(t, store)
	second, stopSecond := storetest.Listen(t, store)
	_, stopThird := storetest.Listen(t, store)
	server.Pause()
	defer server.Resume()
	stopping := time.Now()
	stopThird() // in the middle of hearing nothing
	if took := time.Since(stopping); took > 2*time.Second {
		t.Errorf("a feed ended %v after its context: not for that, but for the silence of 3 s", took)
	}
	if _, err := publishWithin(50*time.Millisecond, store, "hanging"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Publish to a hanging server: %v, want the deadline", err)
	}
	ear.Await(t, "an interruption for silence", func(h storetest.Heard) bool { return len(h.Interrupted) == 1 })
	second.Await(t, "an interruption for silence", func(h storetest.Heard) bool { return len(h.Interrupted) == 1 })
	stopSecond() // in the middle of connecting to a server that does not answer
	server.Resume()
	ear.Await(t, "a new subscription", func(h storetest.Heard) bool { return h.Subscribed == 2 })
}

func TestServerAwayAtFirst(t *testing.T) {
	server := redistest.Reserve(t)
	store := open(t, server.Addr(), channel, storetest.Generous())
	ear, _ := storetest.Follow(t, store)
	ear.Await(t, "word that the server is away", func(h storetest.Heard) bool { return len(h.Interrupted) == 1 })
	if _, err := publishWithin(100*time.Millisecond, store, "early"); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("Publish without a server: %v, want the deadline and the reason", err)
	}
	if err := store.Ping(t.Context()); err == nil {
		t.Error("Ping without a server succeeded")
	}
	server.Restart(redistest.Keep)
	heard := ear.Await(t, "the subscription", func(h storetest.Heard) bool { return h.Subscribed == 1 })
	if len(heard.Interrupted) != 1 {
		t.Errorf("one absence was told as %d interruptions", len(heard.Interrupted))
	}
	if _, err := publishWithin(20*time.Second, store, "late"); err != nil {
		t.Error(err)
	}
	if events := ear.AwaitEvents(t, 1); len(events) != 1 || events[0].Object() != `{"id":"late"}` {
		t.Errorf("heard %s, want the publication that succeeded alone", events[0].Object())
	}
	if err := store.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// Retrying cannot help when memory is full, and nothing may be left half done.
func TestServerOutOfMemory(t *testing.T) {
	server := redistest.Start(t)
	store := open(t, server.Addr(), channel, storetest.Generous())
	ear, _ := storetest.Listen(t, store)
	publisher := storetest.NewPublisher(t, store, "p")
	last := publisher.Publish(room, "")
	server.Do("CONFIG", "SET", "maxmemory", "1")
	_, err := store.Publish(t.Context(), publisher.Next(room, "{}")) // without a deadline
	if err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Fatalf("Publish without memory: %v, want Redis' OOM", err)
	}
	if heard := ear.AwaitEcho(t, store, "full"); len(heard.Events) != 1 || heard.Heartbeats[0].Position != last {
		t.Errorf("heard %d events and top %v, want 1 and %v", len(heard.Events), heard.Heartbeats[0].Position, last)
	}
	server.Do("CONFIG", "SET", "maxmemory", "0")
	if next := publisher.Publish(room, ""); next.Sequence != last.Sequence+1 {
		t.Errorf("the publication after the failed one has sequence %d, want %d", next.Sequence, last.Sequence+1)
	}
}

func TestPublishIsRetriedUnderItsID(t *testing.T) {
	server := redistest.Start(t)
	severing := newSevering(t, server.Addr())
	store := open(t, severing.addr(), channel, storetest.Generous())
	ear, _ := storetest.Listen(t, open(t, server.Addr(), channel, storetest.Generous()))
	if _, err := publishWithin(20*time.Second, store, "first"); err != nil { // Redis knows the script now
		t.Fatal(err)
	}
	severing.arm(`{"id":"cut"}`)
	receipt, err := publishWithin(20*time.Second, store, "cut")
	if err != nil || !receipt.Duplicate {
		t.Errorf("Publish whose answer was lost = %+v, %v, want the receipt of its first attempt", receipt, err)
	}
	if severing.isArmed() {
		t.Fatal("the answer was not lost")
	}
	heard := ear.AwaitEcho(t, store, "echo")
	if len(heard.Events) != 2 || heard.Events[1].Position != receipt.Position {
		t.Errorf("heard %d events, want the first and %v once", len(heard.Events), receipt.Position)
	}
}
