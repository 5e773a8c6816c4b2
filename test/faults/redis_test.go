package faults

import (
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/redis/redistest"
	"github.com/roomcast/roomcast/test/harness"
)

// What was there before is gone with Redis' memory: everybody has to be told, once, and nobody
// may take what comes after for the continuation.
func TestRedisComesBackEmpty(t *testing.T) {
	repeat(t, func(t *testing.T, seed uint64) {
		s := newScene(t, seed, 3)
		s.gather(40, harness.Stock)
		stop := s.publisher.Start(t, 60)
		s.play(sized(6*time.Second, 20*time.Second), func() { s.redis.Restart(redistest.Wipe) })
		stop()
		v := s.verdict()
		expectUnnoticed(t, v)
		if v.FewestResyncs != 1 || v.MostResyncs != 1 {
			t.Errorf("members got from %d to %d RESYNCs in a room, want one each", v.FewestResyncs, v.MostResyncs)
		}
	})
}
