package engineio

import (
	"time"

	"github.com/roomcast/roomcast/internal/limit"
)

// inflow is how much a client has sent of late, guarded by its session's mu.
type inflow struct{ packets, bytes limit.Bucket }

// takeIn counts a packet from the client, of whatever kind; false means that it has sent more
// than it may, and the session is over. Nothing is held back instead: a reader that waits would
// keep what the kernel has for it, and the client would be none the wiser.
func (s *Session) takeIn(bytes int) bool {
	packets, volume := s.server.options.Packets, s.server.options.Bytes
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	within := func(bucket *limit.Bucket, rate limit.Rate, n int) bool {
		if rate.PerSecond == 0 {
			return true
		}
		ok, _ := bucket.Take(rate, float64(n), now)
		return ok
	}
	if within(&s.inflow.packets, packets, 1) && within(&s.inflow.bytes, volume, bytes) {
		return true
	}
	s.endLocked(ReasonRate, gently)
	return false
}
