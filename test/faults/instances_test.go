package faults

import (
	"testing"
	"time"

	"github.com/roomcast/roomcast/test/harness"
)

// Everything short of losing Redis itself, within seconds.
func TestInstancesAndLinksGo(t *testing.T) {
	repeat(t, func(t *testing.T, seed uint64) {
		s := newScene(t, seed, 3, "ROOMCAST_DRAIN=2s")
		s.gather(40, sized(harness.Swift, harness.Stock))
		stop := s.publisher.Start(t, 60)
		cutFeeds := func() {
			if s.redis.KillFeeds() == 0 {
				t.Error("no feed was there to be cut")
			}
		}
		s.play(sized(9*time.Second, 20*time.Second),
			s.servers[0].Kill,
			cutFeeds,
			cutFeeds,
			func() { s.redis.Do("CLIENT", "KILL", "TYPE", "normal") },
			func() { s.servers[1].Terminate(t) },
		)
		stop()
		expectContinued(t, s.verdict())
	})
}

func TestPublicationsAreLostOnTheWayToAnInstance(t *testing.T) {
	repeat(t, func(t *testing.T, seed uint64) {
		s := newScene(t, seed, 3)
		s.gather(40, harness.Stock)
		s.links[1].LosePublications(.01, seed)
		stop := s.publisher.Start(t, 60)
		s.play(sized(4*time.Second, 20*time.Second))
		harness.Eventually(t, "some publications are lost", func() bool { return s.links[1].Lost() >= 4 })
		stop()
		s.links[1].LosePublications(0, seed)
		v := s.verdict()
		expectUnnoticed(t, v)
		if v.Resyncs > 0 {
			t.Errorf("%d RESYNCs, want none", v.Resyncs)
		}
		lost, repairs := s.links[1].Lost(), s.servers[1].Metric(t, "roomcast_repairs_total")
		t.Logf("seed %d: %d publications lost on the way, %v repairs", seed, lost, repairs)
		if repairs == 0 {
			t.Errorf("no repairs are counted after %d publications were lost", lost)
		}
	})
}
