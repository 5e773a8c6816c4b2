package faults

import (
	"math"
	"testing"
	"time"

	"github.com/roomcast/roomcast/test/harness"
)

// Members of several rooms, whose one offset stands for all of these, lose their connections
// in the middle of deliveries and of the replays that follow.
func TestBurstsAreCutShort(t *testing.T) {
	repeat(t, func(t *testing.T, seed uint64) {
		s := newScene(t, seed, 3)
		seats := make([][]int, sized(30, 60))
		for n := range seats {
			seats[n] = s.random.Perm(rooms)[:2+s.random.IntN(rooms-1)]
		}
		s.seat(4, seats, harness.Swift)
		// From the end of the handshake to a burst, short ones as often as long ones.
		const shortest, longest = 250, 60_000
		s.balancer.CutAfter(func() int64 {
			return int64(shortest * math.Pow(longest/shortest, s.random.Float64()))
		})
		s.balancer.Cut()
		for range sized(3, 20) {
			s.publisher.Burst(500)
			s.crowd.AwaitMarks(t, s.publisher.Mark(t)...)
		}
		s.balancer.CutAfter(nil)
		v := s.verdict()
		if v.Reconnects < len(seats) {
			t.Errorf("%d clients lost their connections %d times: too little was tried", len(seats), v.Reconnects)
		}
		if v.NotRecovered > 0 || v.Resyncs > 0 {
			t.Errorf("of %d reconnects %d were not recovered; %d RESYNCs; want none of these", v.Reconnects, v.NotRecovered, v.Resyncs)
		}
	})
}

// The window counts from the loss of a connection, not from the last word on it.
func TestIdleSessionsOutliveTheWindow(t *testing.T) {
	repeat(t, func(t *testing.T, seed uint64) {
		window, idle := sized(2*time.Second, 5*time.Second), sized(8*time.Second, 30*time.Second)
		s := newScene(t, seed, 3, "ROOMCAST_RECOVERY_WINDOW="+window.String())
		s.gather(30, harness.Swift)
		s.crowd.AwaitMarks(t, s.publisher.Mark(t)...)
		s.play(idle)
		s.servers[0].Kill()
		s.publisher.Burst(50)
		expectContinued(t, s.verdict())
	})
}

// Clients of Socket.IO 2 know nothing of sessions that continue; their applications do it with
// the position.
func TestOldClientsReturnWithAPosition(t *testing.T) {
	repeat(t, func(t *testing.T, seed uint64) {
		s := newScene(t, seed, 2)
		s.seat(2, [][]int{{0, 1}, {1, 2}, {0, 1, 2, 3, 4}, {3}, {4, 0}}, harness.Swift)
		stop := s.publisher.Start(t, 60)
		s.play(sized(3*time.Second, 14*time.Second),
			s.balancer.Offline,
			func() { s.play(sized(2*time.Second, 10*time.Second)) },
			s.balancer.Online,
		)
		stop()
		v := s.verdict()
		if v.Reconnects == 0 || v.Resyncs > 0 || v.Excused > 0 {
			t.Errorf("%d reconnects and %d RESYNCs, want some and none", v.Reconnects, v.Resyncs)
		}
	})
}
