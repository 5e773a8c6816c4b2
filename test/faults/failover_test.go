package faults

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/redis/redistest"
	"github.com/roomcast/roomcast/test/harness"
)

// pair is a Redis that is replicated, and the sentinels that watch it.
type pair struct {
	master, replica *redistest.Server
	replication     *harness.Link // of the two
	sentinels       []*redistest.Server
}

// watched is the name by which the sentinels know the pair.
const watched = "main"

func startPair(t testing.TB) *pair {
	t.Helper()
	p := &pair{master: redistest.Start(t), replica: redistest.Start(t)}
	p.replication = harness.StartLink(t, p.master.Addr())
	p.replica.FollowThrough(p.master, p.replication.Address())
	p.sentinels = p.master.StartSentinels(t, watched, 3, 2)
	for _, sentinel := range p.sentinels {
		harness.Eventually(t, "the sentinels know each other and the replica", func() bool {
			return sentinel.Promotable(watched, 2)
		})
	}
	return p
}

func (p *pair) env() []string {
	var addresses []string
	for _, sentinel := range p.sentinels {
		addresses = append(addresses, sentinel.Addr())
	}
	return []string{"REDIS_SENTINELS=" + strings.Join(addresses, ","), "REDIS_MASTER=" + watched}
}

// fail loses the master, and with it what the replica has not got.
func (p *pair) fail() {
	p.master.Stop()
	p.replication.Stop()
}

// Replication is asynchronous, so a failover loses what the replica had not got yet. The link
// between the two is cut first here, or there would hardly ever be such a thing on one machine.
func TestSentinelsPromoteAReplica(t *testing.T) {
	for name, replicasToWrite := range map[string]int{"asynchronous": 0, "one replica has to follow": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of the time goes by with waiting for sentinels
			repeat(t, func(t *testing.T, seed uint64) { failOver(t, seed, replicasToWrite) })
		})
	}
}

func failOver(t *testing.T, seed uint64, replicasToWrite int) {
	p := startPair(t)
	p.master.Do("CONFIG", "SET", "min-replicas-to-write", replicasToWrite)
	p.master.Do("CONFIG", "SET", "min-replicas-max-lag", 1) // seconds, the least there is
	s := &scene{t: t, seed: seed}
	for n := range 3 {
		s.start(n, harness.ServerOptions{Env: p.env()})
	}
	s.open()
	s.gather(40, harness.Stock)
	stop := s.publisher.Start(t, 60)
	s.play(sized(7*time.Second, 16*time.Second),
		func() { p.replication.Partition(t) },
		p.fail,
	)
	for _, server := range s.servers {
		server.AwaitReady(t)
	}
	stop()
	v := s.verdict()
	expectUnnoticed(t, v)
	forgotten := p.forgotten(s)
	t.Logf("seed %d: %d publications were acknowledged, and Redis forgot %d of them", seed, v.Acknowledged, forgotten)
	if forgotten > 0 && v.FewestResyncs == 0 {
		t.Errorf("Redis forgot %d publications, and some members were not told", forgotten)
	}
}

// forgotten is how many acknowledged publications the promoted replica does not know.
func (p *pair) forgotten(s *scene) int {
	s.t.Helper()
	known := make(map[string]bool)
	for _, room := range s.rooms {
		key := fmt.Sprintf("{socketevent}:room:%s/%s", room.Workspace, room.App)
		for _, entry := range p.replica.Do("XRANGE", key, "-", "+").([]any) {
			id, _, _ := strings.Cut(entry.([]any)[0].(string), "-")
			known[id] = true
		}
	}
	forgotten := 0
	for _, publication := range s.publisher.Publications() {
		if publication.Sequence != 0 && !known[strconv.FormatUint(publication.Sequence, 10)] {
			forgotten++
		}
	}
	return forgotten
}
