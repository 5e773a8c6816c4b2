package redis_test

import (
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/redis/redistest"
	"github.com/roomcast/roomcast/internal/storetest"
)

// BenchmarkPublish is a publication's way to Redis and back; those that come at a time share
// a trip.
func BenchmarkPublish(b *testing.B) {
	store := open(b, redistest.Start(b).Addr(), channel, storetest.Generous())
	var last atomic.Uint64
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := store.Publish(b.Context(), event.Publication{
				ID: strconv.FormatUint(last.Add(1), 36), Room: event.Room{Workspace: "w", App: "a"},
				Object: `{"event":"E","payload":{}}`,
			}); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
