package redis_test

import (
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

// What instances of different versions must agree on.
func TestMessagesOnTheWire(t *testing.T) {
	server := redistest.Start(t)
	store := open(t, server.Addr(), channel, storetest.Generous())
	raw := server.Client().Subscribe(t.Context(), channel)
	defer func() { _ = raw.Close() }()
	if _, err := raw.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	publisher := storetest.NewPublisher(t, store, "p")
	first := publisher.Publish(room, `{"ż":"\n"}`)
	second := publisher.Publish(room, `{}`)
	if err := store.Beat(t.Context(), "one", 1500*time.Microsecond); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		fmt.Sprintf("P %d 0 %s w/a\n{\"ż\":\"\\n\"}", first.Sequence, first.Epoch),
		fmt.Sprintf("P %d %d %s w/a\n{}", second.Sequence, first.Sequence, second.Epoch),
		fmt.Sprintf("H one 1500 %s %d", second.Epoch, second.Sequence),
	} {
		got, err := raw.ReceiveMessage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got.Payload != want {
			t.Errorf("the channel carries %q, want %q", got.Payload, want)
		}
	}
	if len(first.Epoch) != 8 || strings.Trim(first.Epoch, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		t.Errorf("epoch %q, want 8 characters of a-z and 0-9", first.Epoch)
	}
}

// Nothing may grow for ever in a Redis that others use as well.
func TestKeys(t *testing.T) {
	server := redistest.Start(t)
	limits := storetest.Generous()
	limits.RoomIndexSize = 3
	store := open(t, server.Addr(), channel, limits)
	publisher := storetest.NewPublisher(t, store, "p")
	for n := range 5 {
		publisher.Publish(event.Room{Workspace: "w", App: fmt.Sprint(n)}, "")
	}
	var lasting []string
	for _, key := range server.Do("KEYS", "*").([]any) {
		name := key.(string)
		if !strings.HasPrefix(name, "{"+channel+"}:") {
			t.Errorf("key %s does not carry the channel's hash tag", name)
		}
		left := time.Duration(server.Do("PTTL", name).(int64)) * time.Millisecond
		switch {
		case left < 0:
			lasting = append(lasting, name)
		case left > limits.HistoryTTL:
			t.Errorf("key %s lives for another %v", name, left)
		}
	}
	slices.Sort(lasting)
	if want := []string{"{socketevent}:meta", "{socketevent}:rooms", "{socketevent}:tails"}; !slices.Equal(lasting, want) {
		t.Errorf("keys without expiry are %v, want %v", lasting, want)
	}
	if rooms := server.Do("ZCARD", "{socketevent}:rooms"); rooms != int64(3) {
		t.Errorf("the index holds %v rooms, want 3", rooms)
	}
	if rooms := server.Do("HLEN", "{socketevent}:tails"); rooms != int64(3) {
		t.Errorf("there are tails of %v rooms, want 3", rooms)
	}
}

func TestOpenRefuses(t *testing.T) {
	sound := func() redis.Options {
		return redis.Options{
			Server: redis.Server{Addresses: []string{"127.0.0.1:1"}}, Instance: "i",
			HistorySize: 1, HistoryBytes: 1, HistoryTTL: time.Second, Logger: quiet(),
		}
	}
	for want, spoil := range map[string]func(*redis.Options){
		"redis store: no address of a Redis server":                                    func(o *redis.Options) { o.Server.Addresses = nil },
		"redis store: several addresses need the name of a master that sentinels know": func(o *redis.Options) { o.Server.Addresses = []string{"a:1", "b:1"} },
		"redis store: the channel's name must not hold braces":                         func(o *redis.Options) { o.Channel = "a}b" },
		"redis store: history needs a size, bytes and a time to live":                  func(o *redis.Options) { o.HistoryTTL = time.Microsecond },
		"redis store: the room index needs a size":                                     func(o *redis.Options) { o.RoomIndexSize = -1 },
		"redis store: instance is required":                                            func(o *redis.Options) { o.Instance = "" },
		"redis store: no logger":                                                       func(o *redis.Options) { o.Logger = nil },
	} {
		options := sound()
		spoil(&options)
		if _, err := redis.Open(options); err == nil || err.Error() != want {
			t.Errorf("Open: %v, want %s", err, want)
		}
	}
	store, err := redis.Open(sound()) // nobody listens there
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}
