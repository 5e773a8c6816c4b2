package faults

import (
	"testing"
	"time"

	"github.com/roomcast/roomcast/test/harness"
)

// Each instance in turn goes down and comes back, as a deployment of a new version does it.
func TestRollingRestart(t *testing.T) {
	repeat(t, func(t *testing.T, seed uint64) {
		clients, drain := sized(150, 3000), sized(4*time.Second, 15*time.Second)
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

		// A machine that stalls for a moment lets clients come in heaps, so what is judged is not
		// a second but a third of the drain.
		heap, limit := s.balancer.PeakHandshakes(begun, drain/3), int(most*2/3)
		t.Logf("seed %d: %.0f sessions of one instance over %v make %.0f a second; at most %d handshakes within a second, %d within %v",
			seed, most, drain, most/drain.Seconds(), s.balancer.PeakHandshakes(begun, time.Second), heap, drain/3)
		if heap > limit {
			t.Errorf("%d handshakes within %v, want at most %d", heap, drain/3, limit)
		}
	})
}
