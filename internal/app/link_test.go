package app_test

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
	"github.com/roomcast/roomcast/internal/redis/redistest"
)

// promise is within which an instance notices that it is deaf, and hears again once it can.
const promise = 5 * time.Second

// apart is a store whose feed takes another way to Redis than its commands.
type apart struct {
	hub.Store
	feed hub.Store
}

func (a *apart) Follow(ctx context.Context, sink event.Sink) error { return a.feed.Follow(ctx, sink) }

func (a *apart) Close() error { return errors.Join(a.Store.Close(), a.feed.Close()) }

// startApart runs an instance with links to the server for its commands and its feed, and
// one beside it that has none.
func startApart(t *testing.T, server *redistest.Server) (i, beside *instance, commands, feed *redistest.Link) {
	t.Helper()
	commands, feed = redistest.NewLink(t, server.Addr()), redistest.NewLink(t, server.Addr())
	store := &apart{}
	store.Store, _ = openStore(t, "REDIS_URL=redis://"+commands.Addr())
	store.feed, _ = openStore(t, "REDIS_URL=redis://"+feed.Addr())
	i = start(t, store)
	direct, _ := openStore(t, "REDIS_URL="+server.URL())
	return i, start(t, direct), commands, feed
}

// A slow way to Redis makes everything slow and nothing fail.
func TestSlowLink(t *testing.T) {
	t.Parallel()
	link := redistest.NewLink(t, redistest.Start(t).Addr())
	link.Slow(300*time.Millisecond, 100)
	changes := []string{"REDIS_URL=redis://" + link.Addr()}
	store, _ := openStore(t, changes...)
	i := start(t, store, changes...)
	client := dial(t, i.url, "/socket.io/", "4")
	client.subscribe()
	for n := range 8 { // longer than a heartbeat may be missing
		putApp(t, i.url, strconv.Itoa(n))
		client.wantsUpdate(strconv.Itoa(n))
		if err := i.Ready(); err != nil {
			t.Errorf("after %d updates: %v", n, err)
		}
	}
}

// A way that swallows everything leaves all connections standing, and those that have met
// it stay dead for ever.
func TestBrokenLinks(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]struct{ commands, feed bool }{
		"Commands": {commands: true}, "Feed": {feed: true}, "Both": {commands: true, feed: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i, beside, commands, feed := startApart(t, redistest.Start(t))
			client := dial(t, i.url, "/socket.io/", "4")
			client.subscribe()
			crowd(t, i, client)

			began := time.Now()
			if broken.commands {
				commands.Break()
			}
			if broken.feed {
				feed.Break()
			}
			for n := range 3 {
				putApp(t, beside.url, strconv.Itoa(n))
			}
			eventually(t, "the instance is not ready", func() bool { return i.Ready() != nil })
			noticed := time.Since(began)
			expectUnavailable(t, i)
			if !broken.feed { // delivery goes on
				for n := range 3 {
					client.wantsUpdate(strconv.Itoa(n))
				}
			}

			// The worst moment is when somebody has just begun another attempt.
			eventually(t, "new attempts are under way", func() bool {
				return (!broken.commands || commands.Victims() > 0) && (!broken.feed || feed.Victims() > 1)
			})
			commands.Restore()
			feed.Restore()
			restored := time.Now()
			eventually(t, "the instance is ready again", func() bool { return i.Ready() == nil })
			healed := time.Since(restored)
			putApp(t, i.url, "after")
			if broken.feed {
				for n := range 3 {
					client.wantsUpdate(strconv.Itoa(n))
				}
			}
			client.wantsUpdate("after")
			t.Logf("noticed after %v, healed after %v; repairs: %v", noticed, healed, repairs(t, i))
			if noticed > promise || healed > promise {
				t.Errorf("noticed after %v and healed after %v, %v are promised for each", noticed, healed, promise)
			}
			if made := repairs(t, i); broken.feed && made != 1 || !broken.feed && made != 0 {
				t.Errorf("%d repairs were made", made)
			}
		})
	}
}

// crowd makes several updates at once, for which several connections are opened and kept.
func crowd(t *testing.T, i *instance, client *websocket) {
	t.Helper()
	const updates = 8
	var group sync.WaitGroup
	for range updates {
		group.Go(func() {
			if got := tryPut(t, i); got.status != http.StatusOK {
				t.Errorf("an update was answered %d %s", got.status, got.body)
			}
		})
	}
	group.Wait()
	for range updates {
		client.wantsUpdate("tried")
	}
}

func tryPut(t *testing.T, i *instance) answer {
	got, err := tryCall(t, http.MethodPut, i.url+"/api/v1/apps/", `{"workspaceId":"w","appId":"a","displayName":"tried"}`)
	if err != nil {
		t.Error(err)
	}
	return got
}

// repairs counts the holes that the instance has filled.
func repairs(t *testing.T, i *instance) int {
	t.Helper()
	return metric(t, i, "roomcast_repairs_total")
}

// metric is the sum of a metric over its labels.
func metric(t *testing.T, i *instance, name string) (sum int) {
	t.Helper()
	text := call(t, http.MethodGet, i.url+"/metrics", "").body
	for _, match := range regexp.MustCompile(`(?m)^`+name+`(?:\{[^}]*\})? (\d+)$`).FindAllStringSubmatch(text, -1) {
		n, _ := strconv.Atoi(match[1]) // digits
		sum += n
	}
	return sum
}
