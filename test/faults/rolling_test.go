package faults

import (
	"math"
	"testing"
	"time"

	"github.com/roomcast/roomcast/test/harness"
)

// Each instance in turn goes down and comes back, as a deployment of a new version does it.
func TestRollingRestart(t *testing.T) {
	repeat(t, func(t *testing.T, seed uint64) {
		clients, drain := sized(150, 3000), sized(3*time.Second, 15*time.Second)
		s := newScene(t, seed, 3, "ROOMCAST_DRAIN="+drain.String(), "ROOMCAST_DRAIN_NOTICE=500ms")
		s.gather(clients, harness.Stock)
		stop := s.publisher.Start(t, 20)
		begun, most := time.Now(), 0.0
		for _, server := range s.servers {
			most = max(most, server.Metric(t, "roomcast_sessions"))
			server.Terminate(t)
			s.crowd.AwaitSeated(t)
			server.Restart(t)
		}
		stop()
		v := s.verdict()
		expectContinued(t, v)

		peak, pace := s.balancer.PeakHandshakes(begun), most/drain.Seconds()
		t.Logf("seed %d: at most %d handshakes within a second; %v sessions of one instance over %v make %.0f a second",
			seed, peak, most, drain, pace)
		// Clients wait a second, more or less by a half each, so the pace they come at varies.
		if limit := int(math.Ceil(2 * pace)); peak > limit {
			t.Errorf("%d handshakes within a second, want at most %d", peak, limit)
		}
	})
}
