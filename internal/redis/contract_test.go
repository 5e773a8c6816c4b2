package redis_test

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/roomcast/roomcast/internal/redis"
	"github.com/roomcast/roomcast/internal/redis/redistest"
	"github.com/roomcast/roomcast/internal/storetest"
)

func TestMain(m *testing.M) {
	redis.LogClient(quiet())
	goleak.VerifyTestMain(m)
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// open makes a store of the channel on the server at address, closed with the test.
func open(t testing.TB, address, channel string, limits storetest.Limits) *redis.Store {
	t.Helper()
	return openWith(t, address, limits, func(o *redis.Options) { o.Channel = channel })
}

// openWith is open of the usual channel, with changed options.
func openWith(t testing.TB, address string, limits storetest.Limits, changes ...func(*redis.Options)) *redis.Store {
	t.Helper()
	options := redis.Options{
		Server:        redis.Server{Addresses: []string{address}},
		Instance:      "test",
		Channel:       channel,
		HistorySize:   limits.HistorySize,
		HistoryBytes:  limits.HistoryBytes,
		HistoryTTL:    limits.HistoryTTL,
		RoomIndexSize: limits.RoomIndexSize,
		Logger:        quiet(),
	}
	for _, change := range changes {
		change(&options)
	}
	store, err := redis.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func TestContract(t *testing.T) {
	server := redistest.Start(t)
	var channels atomic.Int32
	storetest.Run(t, func(t *testing.T, limits storetest.Limits) storetest.Instance {
		channel := fmt.Sprintf("channel %d", channels.Add(1))
		return func() storetest.Store { return open(t, server.Addr(), channel, limits) }
	})
}
