package redis_test

import (
	"context"
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

const (
	pid    = "3AhVCfBlbxmPCTh5QhJjPQ"
	digest = "92QNvpzXqYGSz29-GEVzeA"
	record = "{socketevent}:session:" + digest
	leases = "{socketevent}:leases"
)

var tenancy = event.Tenancy{PID: pid, Generation: 1, SID: "s", Subject: "u", Instance: "one"}

func enter(t *testing.T, store *redis.Store, held event.Record, room event.Room) event.Position {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	top, err := store.Enter(ctx, storetest.Vouched(t, store, held), room, 0)
	if err != nil {
		t.Fatal(err)
	}
	return top.Position
}

func claim(store *redis.Store) (event.Record, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	claimed, _, err := store.Claim(ctx, event.Claim{PID: pid, Subject: "u", Instance: "two", Window: time.Hour})
	return claimed, err
}

// Time passes by telling Redis that things happened earlier.
func TestLosses(t *testing.T) {
	server := redistest.Start(t)
	for i, loss := range storetest.Losses() {
		t.Run(loss.Name, func(t *testing.T) {
			channel := fmt.Sprint("losses", i)
			store := open(t, server.Addr(), channel, storetest.Generous())
			session := "{" + channel + "}:session:" + event.DigestPID(storetest.Lost().PID)
			now := time.Now()
			ago := func(age time.Duration) int64 { return now.Add(-age).UnixMilli() }

			if err := store.Restore(t.Context(), storetest.Vouched(t, store, event.Record{Tenancy: storetest.Lost()})); err != nil {
				t.Fatal(err)
			}
			if loss.Parted != storetest.Never {
				if err := store.Part(t.Context(), storetest.Lost(), false, storetest.LongWindow); err != nil {
					t.Fatal(err)
				}
				server.Do("HSET", session, "gone", ago(loss.Parted))
			}
			if loss.Late {
				storetest.ComeLate(t, store)
			}
			server.Do("HSET", session, "at", ago(loss.Written))
			if loss.Renewed != storetest.Never {
				if err := store.Beat(t.Context(), storetest.Lost().Instance, 0); err != nil {
					t.Fatal(err)
				}
				server.Do("ZADD", "{"+channel+"}:leases", "XX", ago(loss.Renewed), storetest.Lost().Instance)
			}
			loss.Check(t, store)
		})
	}
}

// What instances of different versions must agree on, and how long it lives. Nobody who
// reads along may learn a private id.
func TestRecordsInRedis(t *testing.T) {
	server := redistest.Start(t)
	store := open(t, server.Addr(), channel, storetest.Generous())
	raw := server.Client().Subscribe(t.Context(), channel)
	defer func() { _ = raw.Close() }()
	if _, err := raw.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Do("CONFIG", "SET", "slowlog-log-slower-than", "0")

	if err := errors.Join(store.Leave(t.Context(), tenancy, room, 0), store.Part(t.Context(), tenancy, false, time.Hour)); err != nil {
		t.Fatal(err)
	}
	if made := server.Do("EXISTS", record); made != int64(0) {
		t.Error("the end of what never began has made a record")
	}
	joined := enter(t, store, event.Record{Tenancy: tenancy}, room)
	expectFields(t, server, map[string]string{
		"gen": "1", "sid": "s", "subject": "u", "instance": "one", "epoch": joined.Epoch, "r:w/a": joined.String(),
	})
	expectLife(t, server, record, event.RecordLife)
	claimed, err := claim(store)
	if err != nil {
		t.Fatal(err)
	}
	expectFields(t, server, map[string]string{
		"gen": fmt.Sprint(claimed.Generation), "sid": "s", "subject": "u", "instance": "two", "epoch": joined.Epoch, "r:w/a": joined.String(),
	})
	told, err := raw.ReceiveMessage(t.Context())
	if want := fmt.Sprintf("C %s %d", digest, claimed.Generation); err != nil || told.Payload != want {
		t.Errorf("the channel carries %v, %v, want %q", told, err, want)
	}
	if err := store.Part(t.Context(), claimed.Tenancy, false, time.Hour); err != nil {
		t.Fatal(err)
	}
	expectLife(t, server, record, time.Hour+event.RecordGrace)
	enter(t, store, claimed, room)
	expectLife(t, server, record, time.Hour+event.RecordGrace) // late, and no reason to keep it longer

	if _, err := claim(store); err != nil {
		t.Fatal(err)
	}
	expectLife(t, server, record, event.RecordLife)

	if err := store.Beat(t.Context(), "one", 0); err != nil {
		t.Fatal(err)
	}
	expectLife(t, server, leases, event.RecordLife)
	server.Do("ZADD", leases, time.Now().Add(-25*time.Hour).UnixMilli(), "dead")
	if err := store.Beat(t.Context(), "two", 0); err != nil {
		t.Fatal(err)
	}
	if kept := server.Do("ZRANGE", leases, 0, -1); !slices.Equal(kept.([]any), []any{"one", "two"}) {
		t.Errorf("the leases are %v, want those of the last day", kept)
	}
	if log := fmt.Sprint(server.Do("SLOWLOG", "GET", 1000)); !strings.Contains(log, digest) || strings.Contains(log, pid) {
		t.Error("the log of commands does not hold the digest, or holds the private id")
	}
}

// A process that was started anew keeps nobody believing that its predecessor lives.
func TestLeaseOfAPredecessor(t *testing.T) {
	server := redistest.Start(t)
	store := open(t, server.Addr(), channel, storetest.Generous())
	crashed := tenancy
	crashed.Instance = "one.1a2b3c4d"
	enter(t, store, event.Record{Tenancy: crashed}, room)
	if err := store.Beat(t.Context(), crashed.Instance, 0); err != nil {
		t.Fatal(err)
	}
	anHourAgo := time.Now().Add(-time.Hour).UnixMilli()
	server.Do("HSET", record, "at", anHourAgo)
	server.Do("ZADD", leases, anHourAgo, crashed.Instance)
	if err := store.Beat(t.Context(), "one.5e6f7g8h", 0); err != nil {
		t.Fatal(err)
	}
	_, _, err := store.Claim(t.Context(), event.Claim{PID: pid, Subject: "u", Instance: "one.5e6f7g8h", Window: time.Minute})
	if !errors.Is(err, event.ErrNoRecord) {
		t.Errorf("Claim an hour after the crash: %v, want ErrNoRecord", err)
	}
}

func expectFields(t *testing.T, server *redistest.Server, want map[string]string) {
	t.Helper()
	fields, err := server.Client().HGetAll(t.Context(), record).Result()
	if err != nil {
		t.Fatal(err)
	}
	at := fields["at"]
	delete(fields, "at")
	if len(at) != len("1790000000000") || fmt.Sprint(fields) != fmt.Sprint(want) {
		t.Errorf("the record is %v, at %s, want %v at a time in milliseconds", fields, at, want)
	}
}

func expectLife(t *testing.T, server *redistest.Server, key string, want time.Duration) {
	t.Helper()
	left := time.Duration(server.Do("PTTL", key).(int64)) * time.Millisecond
	if left > want || left < want-10*time.Minute {
		t.Errorf("%s lives for another %v, want %v", key, left, want)
	}
}

// The answer is lost after Redis has done what was asked.
func TestChangesOfRecordsAreRepeated(t *testing.T) {
	server := redistest.Start(t)
	severing := newSevering(t, server.Addr())
	store := open(t, severing.addr(), channel, storetest.Generous())
	warm := tenancy // makes Redis know the scripts
	warm.PID = "warm"
	cut := func(t *testing.T, what func() error) {
		t.Helper()
		severing.arm("session:" + digest)
		if err := what(); err != nil {
			t.Fatal(err)
		}
		if severing.isArmed() {
			t.Fatal("the answer was not lost")
		}
	}
	enter(t, store, event.Record{Tenancy: warm}, room)
	if err := store.Leave(t.Context(), warm, room, 0); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Claim(t.Context(), event.Claim{PID: "warm", Subject: "u", Instance: "one", Window: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if err := store.Part(t.Context(), warm, true, 0); err != nil {
		t.Fatal(err)
	}
	ear, _ := storetest.Listen(t, open(t, server.Addr(), channel, storetest.Generous()))

	var joined event.Position
	present := storetest.Vouched(t, store, event.Record{Tenancy: tenancy})
	cut(t, func() error {
		top, err := store.Enter(t.Context(), present, room, 0)
		joined = top.Position
		return err
	})
	var claimed event.Record
	cut(t, func() (err error) { claimed, err = claim(store); return err })
	if want := []event.Stay{{Room: room, Joined: joined}}; !slices.Equal(claimed.Stays, want) {
		t.Errorf("claimed stays %v, want %v", claimed.Stays, want)
	}
	told := ear.AwaitEcho(t, store, "echo").Claimed
	if len(told) != 2 || told[0].Generation >= claimed.Generation || told[1] != (event.Claimed{Digest: digest, Generation: claimed.Generation}) {
		t.Errorf("told of %v, want one claim below and then the one of generation %d", told, claimed.Generation)
	}
	cut(t, func() error { return store.Leave(t.Context(), claimed.Tenancy, room, 0) })
	expectFields(t, server, map[string]string{
		"gen": fmt.Sprint(claimed.Generation), "sid": "s", "subject": "u", "instance": "two", "epoch": joined.Epoch,
	})
	cut(t, func() error { return store.Restore(t.Context(), claimed) })
	cut(t, func() error { return store.Part(t.Context(), claimed.Tenancy, false, time.Hour) })
	cut(t, func() error { return store.Part(t.Context(), claimed.Tenancy, true, 0) })
	if left := server.Do("HGETALL", record); fmt.Sprint(left) != fmt.Sprintf("[gen %d gone 0]", claimed.Generation) {
		t.Errorf("of a session that was left there is %v, want its generation alone", left)
	}
	expectLife(t, server, record, event.RecordGrace)
}

func TestRecordsOverRestarts(t *testing.T) {
	server := redistest.Start(t)
	store := open(t, server.Addr(), channel, storetest.Generous())
	joined := enter(t, store, event.Record{Tenancy: tenancy}, room)

	// Whoever counts on from the data may not have all of it.
	server.Restart(redistest.Keep)
	if _, err := claim(store); !errors.Is(err, event.ErrNoRecord) {
		t.Fatalf("after a restart with data Claim: %v, want ErrNoRecord until the record is written again", err)
	}
	whole := event.Record{Tenancy: tenancy, Vouched: joined.Epoch, Stays: []event.Stay{{Room: room, Joined: joined}}}
	if err := store.Restore(t.Context(), whole); !errors.Is(err, event.ErrUnvouched) {
		t.Fatalf("Restore by who vouches for the epoch before: %v, want ErrUnvouched", err)
	}
	top, err := store.Enter(t.Context(), whole, room, 0)
	if !errors.Is(err, event.ErrUnvouched) || top != topOf(t, store) {
		t.Fatalf("Enter by who vouches for the epoch before: %v, %v, want the top and ErrUnvouched", top, err)
	}
	if _, err := claim(store); !errors.Is(err, event.ErrNoRecord) {
		t.Fatalf("after changes that were refused Claim: %v, want ErrNoRecord", err)
	}
	if err := store.Restore(t.Context(), storetest.Vouched(t, store, whole)); err != nil {
		t.Fatal(err)
	}
	claimed, err := claim(store)
	if err != nil || !slices.Equal(claimed.Stays, whole.Stays) {
		t.Fatalf("restored after a restart with data Claim = %+v, %v, want stays %v", claimed, err, whole.Stays)
	}
	if top := topOf(t, store); top.Epoch == joined.Epoch || !top.Continues(claimed.Stays[0].Joined) {
		t.Errorf("top %v after %v does not continue what was joined at %v", top.Position, top.Previous, joined)
	}

	server.Restart(redistest.Wipe)
	if _, err := claim(store); !errors.Is(err, event.ErrNoRecord) {
		t.Fatalf("after a restart without data Claim: %v, want ErrNoRecord", err)
	}
	other := event.Room{Workspace: "w", App: "b"}
	entered := enter(t, store, claimed, other)                  // before anybody has restored the record
	if err := store.Restore(t.Context(), claimed); err != nil { // which is of this epoch now
		t.Fatal(err)
	}
	again, err := claim(store)
	if want := []event.Stay{{Room: room, Joined: joined}, {Room: other, Joined: entered}}; err != nil || !slices.Equal(again.Stays, want) {
		t.Errorf("restored and claimed: %+v, %v, want stays %v", again, err, want)
	}
	if again.Generation <= claimed.Generation {
		t.Errorf("generation %d follows %d", again.Generation, claimed.Generation)
	}
}

// A claim that a failover took back must not be repeated under the same number, or two
// connections would believe in it.
func TestGenerationsFollowTheClock(t *testing.T) {
	server := redistest.Start(t)
	store := open(t, server.Addr(), channel, storetest.Generous())
	enter(t, store, event.Record{Tenancy: tenancy}, room)
	before := server.Do("DUMP", record)
	lost, err := claim(store)
	if err != nil {
		t.Fatal(err)
	}
	server.Do("RESTORE", record, 0, before, "REPLACE")
	present, err := claim(store)
	if err != nil || present.Generation <= lost.Generation {
		t.Errorf("Claim = generation %d, %v, want one above the lost %d", present.Generation, err, lost.Generation)
	}
	if err := store.Restore(t.Context(), lost); !errors.Is(err, event.ErrStaleTenancy) {
		t.Errorf("Restore by the lost claim: %v, want ErrStaleTenancy", err)
	}
}

// Memory that is full stops sessions from changing, but silences nobody.
func TestRecordsWithoutMemory(t *testing.T) {
	server := redistest.Start(t)
	store := open(t, server.Addr(), channel, storetest.Generous())
	ear, _ := storetest.Listen(t, store)
	enter(t, store, event.Record{Tenancy: tenancy}, room)
	kept := fmt.Sprint(server.Do("HGETALL", record))
	server.Do("CONFIG", "SET", "maxmemory", "1")
	_, entering := store.Enter(t.Context(), event.Record{Tenancy: tenancy}, event.Room{Workspace: "w", App: "b"}, 0)
	_, claiming := claim(store)
	for what, err := range map[string]error{
		"Enter": entering, "Claim": claiming,
		"Part": store.Part(t.Context(), tenancy, false, time.Hour),
	} {
		if err == nil || !strings.Contains(err.Error(), "OOM") {
			t.Errorf("%s without memory: %v, want Redis' OOM", what, err)
		}
	}
	if heard := ear.AwaitEcho(t, store, "full"); len(heard.Claimed) != 0 {
		t.Errorf("a claim that failed was told: %v", heard.Claimed)
	}
	if now := fmt.Sprint(server.Do("HGETALL", record)); now != kept {
		t.Errorf("the record became %s, want %s as before", now, kept)
	}
	if err := store.Part(t.Context(), tenancy, true, 0); err != nil {
		t.Errorf("leaving for good, which frees memory: %v", err)
	}
}
