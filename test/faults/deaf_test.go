package faults

import (
	"net/http"
	"testing"
	"time"

	"github.com/roomcast/roomcast/test/harness"
)

// promised is how soon an instance has to say that it hears nothing, and that it hears again.
const promised = 5 * time.Second

// An instance whose commands work and whose subscription brings nothing looks healthy in every
// other way.
func TestADeafInstance(t *testing.T) {
	for name, deafness := range map[string]harness.Deafness{"cut": harness.Cut, "held": harness.Held} {
		t.Run(name, func(t *testing.T) {
			repeat(t, func(t *testing.T, seed uint64) { deafen(t, seed, deafness) })
		})
	}
}

func deafen(t *testing.T, seed uint64, deafness harness.Deafness) {
	s := newScene(t, seed, 2)
	s.gather(20, harness.Stock)
	stop := s.publisher.Start(t, 60)
	s.play(time.Second)
	s.links[0].Become(deafness)
	toldAfter := s.untilReady(0, http.StatusServiceUnavailable)
	s.play(sized(time.Second, 10*time.Second))
	s.links[0].Become(harness.Hearing)
	healedAfter := s.untilReady(0, http.StatusOK)
	stop()
	v := s.verdict()
	expectUnnoticed(t, v)
	if v.Resyncs > 0 {
		t.Errorf("%d RESYNCs, want none", v.Resyncs)
	}
	t.Logf("seed %d: deaf, and not ready %v later; hearing, and ready %v later", seed, toldAfter, healedAfter)
	// A machine that is busy with other tests may take its time; a soak is alone.
	limit := sized(harness.Patience, promised)
	if toldAfter > limit || healedAfter > limit {
		t.Errorf("want both within %v", limit)
	}
}

// untilReady measures how long it takes /readyz of an instance to answer with a status.
func (s *scene) untilReady(n, status int) time.Duration {
	s.t.Helper()
	begun := time.Now()
	harness.Eventually(s.t, "/readyz answers otherwise", func() bool {
		return s.servers[n].Call(s.t, http.MethodGet, "/readyz", nil).Status == status
	})
	return time.Since(begun).Round(10 * time.Millisecond)
}
