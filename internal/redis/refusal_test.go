package redis_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/redis"
	"github.com/roomcast/roomcast/internal/redis/redistest"
	"github.com/roomcast/roomcast/internal/storetest"
)

// contents is every key of the server with its value, but for the leases, which
// heartbeats renew.
func contents(t *testing.T, server *redistest.Server) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, key := range server.Do("KEYS", "*").([]any) {
		if key != leases {
			all[key.(string)] = server.Do("DUMP", key).(string)
		}
	}
	return all
}

// Each kind of refusal has its own means to bring it about, and to end it.
var refusals = []struct {
	code   string
	begin  func(t *testing.T, server *redistest.Server)
	end    func(t *testing.T, server *redistest.Server)
	passes bool // by itself, maybe: tried until the deadline
}{
	{
		code:  "OOM",
		begin: func(_ *testing.T, server *redistest.Server) { server.Do("CONFIG", "SET", "maxmemory", "1") },
		end:   func(_ *testing.T, server *redistest.Server) { server.Do("CONFIG", "SET", "maxmemory", "0") },
	},
	{code: "MISCONF", begin: failSnapshot, end: repairSnapshot},
	{
		code:   "NOREPLICAS",
		begin:  func(_ *testing.T, server *redistest.Server) { server.Do("CONFIG", "SET", "min-replicas-to-write", "1") },
		end:    func(_ *testing.T, server *redistest.Server) { server.Do("CONFIG", "SET", "min-replicas-to-write", "0") },
		passes: true,
	},
}

// failSnapshot puts something in the place of the snapshot that it cannot replace.
func failSnapshot(t *testing.T, server *redistest.Server) {
	server.Do("CONFIG", "SET", "save", "3600 1000000")
	if err := os.MkdirAll(filepath.Join(snapshot(server), "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	server.Do("BGSAVE")
	await(t, "a snapshot to fail", func() bool { return server.Info("rdb_last_bgsave_status") == "err" })
}

func repairSnapshot(t *testing.T, server *redistest.Server) {
	if err := os.RemoveAll(snapshot(server)); err != nil {
		t.Fatal(err)
	}
	server.Do("BGSAVE")
	await(t, "a snapshot to succeed", func() bool { return server.Info("rdb_last_bgsave_status") == "ok" })
}

func snapshot(server *redistest.Server) string {
	directory := server.Do("CONFIG", "GET", "dir").([]any)[1].(string)
	return filepath.Join(directory, "dump.rdb")
}

// A Redis that takes no writes gets nothing half done: heartbeats go on, since everybody
// hears the channel perfectly well, and it is over when it is over.
func TestRefusedPublications(t *testing.T) {
	for _, refusal := range refusals {
		t.Run(refusal.code, func(t *testing.T) {
			server := redistest.Start(t)
			store, log := openLogged(t, server.Addr())
			ear, _ := storetest.Listen(t, store)
			publisher := storetest.NewPublisher(t, store, "p")
			last := publisher.Publish(room, "")
			ear.AwaitEvents(t, 1)
			before := contents(t, server)

			refusal.begin(t, server)
			const tries = 3
			for range tries {
				limit := time.Minute
				if refusal.passes {
					limit = 200 * time.Millisecond
				}
				_, err := publishWithin(limit, store, "refused")
				if err == nil || !strings.Contains(err.Error(), refusal.code) || errors.Is(err, context.DeadlineExceeded) != refusal.passes {
					t.Errorf("Publish: %v, want %s, and the deadline: %v", err, refusal.code, refusal.passes)
				}
			}
			if heard := ear.AwaitEcho(t, store, "refused"); len(heard.Events) != 1 || heard.Heartbeats[0].Position != last {
				t.Errorf("heard %d events and a heartbeat at %v, want 1 and %v", len(heard.Events), heard.Heartbeats[0].Position, last)
			}
			if after := contents(t, server); !maps.Equal(after, before) {
				t.Errorf("the refused publication has left something: %q became %q", before, after)
			}

			refusal.end(t, server)
			receipt, err := publishWithin(20*time.Second, store, "refused")
			if err != nil || receipt.Duplicate || receipt.Position.Sequence != last.Sequence+1 {
				t.Errorf("Publish afterwards = %+v, %v, want the next sequence after %v", receipt, err, last)
			}
			publisher.Publish(room, "")
			if lines := log.Count("level=ERROR", "Redis refuses commands", "code="+refusal.code); lines != 1 {
				t.Errorf("%d refusals are logged as %d lines, want 1:\n%s", tries, lines, log)
			}
			if lines := log.Count("Redis accepts publications again"); lines != 1 {
				t.Errorf("that it is over is logged as %d lines, want 1:\n%s", lines, log)
			}
		})
	}
}

// A script of somebody else's that takes long makes everybody wait, and fails nobody.
func TestPublishDuringASlowScript(t *testing.T) {
	server := redistest.Start(t)
	store := open(t, server.Addr(), channel, storetest.Generous())
	storetest.NewPublisher(t, store, "p").Publish(room, "")
	server.Do("CONFIG", "SET", "lua-time-limit", "10")
	killer := server.Client().Conn() // later there will be no answer to a new one
	defer func() { _ = killer.Close() }()
	if err := killer.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- server.Client().Eval(context.Background(), "while true do end", nil).Err()
	}()
	await(t, "the script to run", func() bool {
		_, err := publishWithin(100*time.Millisecond, store, "meanwhile")
		return err != nil && strings.Contains(err.Error(), "BUSY")
	})
	published := make(chan error, 1)
	go func() {
		_, err := publishWithin(20*time.Second, store, "meanwhile")
		published <- err
	}()
	if err := killer.ScriptKill(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("the script ended by itself")
	}
	if err := <-published; err != nil {
		t.Error(err)
	}
}

func TestPublishWhileRedisLoads(t *testing.T) {
	server := redistest.Start(t)
	store := open(t, server.Addr(), channel, storetest.Generous())
	last := storetest.NewPublisher(t, store, "p").Publish(room, "")
	server.Do("EVAL", "for n = 1, 40000 do redis.call('SET', KEYS[1] .. n, n) end", 1, "some")
	server.RestartLoading(time.Microsecond)
	if _, err := publishWithin(time.Second, store, "early"); err == nil || !strings.Contains(err.Error(), "LOADING") {
		t.Errorf("Publish while Redis loads: %v, want LOADING", err)
	}
	receipt, err := publishWithin(20*time.Second, store, "early")
	if top := topOf(t, store); err != nil || receipt.Position != top.Position || top.Previous != last {
		t.Errorf("Publish = %+v, %v at %v after %v, want one in a new epoch after %v", receipt, err, top.Position, top.Previous, last)
	}
}

// What only an operator can change is said at once, without what must not be in a log.
func TestRefusedConnections(t *testing.T) {
	const secret = "s3cret-of-roomcast"
	credentials := func(username, password string) func(*redis.Options) {
		return func(o *redis.Options) { o.Server.Username, o.Server.Password = username, password }
	}
	for name, refused := range map[string]struct {
		rules []any // of the user somebody, whose password is secret
		with  func(*redis.Options)
		want  string
	}{
		"NoPassword":    {with: credentials("", ""), want: "NOAUTH"},
		"WrongPassword": {with: credentials("", secret+"!"), want: "WRONGPASS"},
		"UnknownUser":   {with: credentials("nobody", secret), want: "WRONGPASS"},
		"NoScripts":     {rules: []any{"+@all", "-eval", "-evalsha"}, with: credentials("somebody", secret), want: "NOPERM"},
		"NoInfo":        {rules: []any{"+@all", "-info"}, with: credentials("somebody", secret), want: "can't run this command"},
		"NoSuchKeys":    {rules: []any{"+@all", "resetkeys", "~other:*"}, with: credentials("somebody", secret), want: "NOPERM"},
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			rules := append([]any{"ACL", "SETUSER", "somebody", "on", ">" + secret, "~*", "&*"}, refused.rules...)
			server.Do(rules...)
			server.Do("CONFIG", "SET", "requirepass", secret)
			store, log := openLogged(t, server.Addr(), refused.with)
			redis.LogClient(log.Logger())
			defer redis.LogClient(quiet())
			ear, _ := storetest.Follow(t, store)
			_, err := publishWithin(time.Minute, store, "refused")
			if err == nil || errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), refused.want) {
				t.Errorf("Publish: %v, want %s at once", err, refused.want)
			}
			heard := ear.Await(t, "the feed to be refused", func(h storetest.Heard) bool { return len(h.Interrupted) == 1 })
			if !strings.Contains(heard.Interrupted[0].Error(), refused.want) {
				t.Errorf("the feed was refused with %v, want %s", heard.Interrupted[0], refused.want)
			}
			if log.Count("level=ERROR", "Redis refuses commands", refused.want) != 1 {
				t.Errorf("the log does not say %s in one line:\n%s", refused.want, log)
			}
			if text := log.String() + err.Error() + heard.Interrupted[0].Error(); strings.Contains(text, secret) {
				t.Errorf("the password is in the log or in an error:\n%s", text)
			}
		})
	}
}

// The documented permissions are enough, and what is not needed is not asked for.
func TestLeastPermissions(t *testing.T) {
	server := redistest.Start(t)
	user := []any{"ACL", "SETUSER", "roomcast", "on", ">p"}
	for _, rule := range documentedPermissions(t) {
		user = append(user, rule)
	}
	server.Do(user...)
	server.Do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	store, log := openLogged(t, server.Addr(), func(o *redis.Options) { o.Server.Username, o.Server.Password = "roomcast", "p" })
	ear, _ := storetest.Listen(t, store)
	publisher := storetest.NewPublisher(t, store, "p")
	after := publisher.Publish(room, "").Sequence
	publisher.Publish(room, "")
	if found, err := store.Range(t.Context(), room, after, 1<<20); err != nil || len(found.Events) != 1 {
		t.Errorf("Range = %+v, %v, want one event", found, err)
	}
	if changed, err := store.Changed(t.Context(), []event.Room{room}, after); err != nil || len(changed) != 1 {
		t.Errorf("Changed = %v, %v, want the room", changed, err)
	}
	enter(t, store, event.Record{Tenancy: tenancy}, room)
	claimed, err := claim(store)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		store.Leave(t.Context(), claimed.Tenancy, room, 0), store.Restore(t.Context(), claimed),
		store.Part(t.Context(), claimed.Tenancy, false, time.Hour), store.Part(t.Context(), claimed.Tenancy, true, 0),
	); err != nil {
		t.Error(err)
	}
	ear.AwaitEcho(t, store, "echo")
	await(t, "that the policy cannot be seen", func() bool { return log.Count("level=DEBUG", "eviction policy") == 1 })
	if log.Count("level=WARN")+log.Count("level=ERROR") != 0 {
		t.Errorf("the log complains:\n%s", log)
	}
}

// documentedPermissions are the rules in docs/reliability.md, for the usual channel.
func documentedPermissions(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "reliability.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rules, found := strings.Cut(string(text), "```\n~{"+channel+"}")
	rules, _, ended := strings.Cut(rules, "```")
	if !found || !ended {
		t.Fatal("docs/reliability.md has no permissions")
	}
	return strings.Fields("~{" + channel + "}" + rules)
}
