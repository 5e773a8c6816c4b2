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
func open(t *testing.T, address, channel string, limits storetest.Limits) *redis.Store {
	t.Helper()
	store, err := redis.Open(redis.Options{
		Server:        redis.Server{Addresses: []string{address}},
		Instance:      "test",
		Channel:       channel,
		HistorySize:   limits.HistorySize,
		HistoryBytes:  limits.HistoryBytes,
		HistoryTTL:    limits.HistoryTTL,
		RoomIndexSize: limits.RoomIndexSize,
		Logger:        quiet(),
	})
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
