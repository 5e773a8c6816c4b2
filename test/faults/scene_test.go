package faults

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/redis/redistest"
	"github.com/roomcast/roomcast/test/continuity"
	"github.com/roomcast/roomcast/test/harness"
)

// scene is a deployment that something will happen to.
type scene struct {
	t      *testing.T
	seed   uint64
	random *rand.Rand

	redis     *redistest.Server
	links     []*harness.RedisLink // of the instances, in their order
	servers   []*harness.Server
	balancer  *harness.RoundRobin
	rooms     []harness.Room
	crowd     *harness.Crowd
	publisher *harness.Publisher
}

// rooms is how many rooms a scene has.
const rooms = 5

// newScene starts a Redis, instances with their links to it, and a balancer in front.
func newScene(t *testing.T, seed uint64, instances int, env ...string) *scene {
	t.Helper()
	s := &scene{t: t, seed: seed, redis: redistest.Start(t)}
	for n := range instances {
		link := harness.LinkRedis(t, s.redis.Addr())
		s.links = append(s.links, link)
		s.start(n, harness.ServerOptions{Redis: link.URL(), Env: env})
	}
	s.open()
	return s
}

func (s *scene) start(n int, options harness.ServerOptions) {
	s.t.Helper()
	options.ID = fmt.Sprintf("i%d", n)
	s.servers = append(s.servers, harness.StartUnready(s.t, options))
}

// open waits for the instances and puts the rest in front of them.
func (s *scene) open() {
	s.t.Helper()
	s.random = rand.New(rand.NewPCG(s.seed, 1))
	for _, server := range s.servers {
		server.AwaitReady(s.t)
	}
	for n := range rooms {
		s.rooms = append(s.rooms, harness.Room{Workspace: "faults", App: fmt.Sprintf("room-%d", n)})
	}
	s.balancer = harness.StartRoundRobin(s.t, s.servers)
	s.crowd = harness.StartCrowd(s.t, s.rooms)
	s.publisher = harness.NewPublisher(s.t, s.servers, s.rooms)
}

// gather connects clients of Socket.IO 4 that are in one room each, through the balancer.
func (s *scene) gather(clients int, reconnection harness.Reconnection) {
	s.t.Helper()
	seats := make([][]int, clients)
	for n := range seats {
		seats[n] = []int{n % rooms}
	}
	s.seat(4, seats, reconnection)
}

func (s *scene) seat(version int, seats [][]int, reconnection harness.Reconnection) {
	s.t.Helper()
	s.crowd.Open(s.t, harness.Gathering{Version: version, URL: s.balancer.URL(), Seats: seats, Reconnection: reconnection})
}

// play lets things happen in turn, with an equal part of the time before each and after all.
func (s *scene) play(duration time.Duration, happenings ...func()) {
	s.t.Helper()
	pause := duration / time.Duration(len(happenings)+1)
	for _, happen := range happenings {
		time.Sleep(pause)
		happen()
	}
	time.Sleep(pause)
}

// verdict waits until everybody has everything and judges it. Whatever was broken fails the
// test; what else it has to be is for the scenario to say.
func (s *scene) verdict() *continuity.Verdict {
	s.t.Helper()
	s.crowd.AwaitMarks(s.t, s.publisher.Mark(s.t)...)
	v := continuity.Judge(s.publisher.Publications(), s.crowd.Logs(s.t))
	s.t.Logf("seed %d: %v\n\t%v", s.seed, v, s.publisher)
	if v.Broken() {
		s.t.Error("what clients got is not what was published")
	}
	return v
}

// expectContinued fails the test unless every reconnect continued its session, without an
// error that an application would see.
func expectContinued(t *testing.T, v *continuity.Verdict) {
	t.Helper()
	if v.Reconnects == 0 {
		t.Error("nobody lost a connection: nothing was tried")
	}
	if v.NotRecovered > 0 || v.Resyncs > 0 || v.ConnectErrors.Total() > 0 {
		t.Errorf("of %d reconnects %d were not recovered; %d RESYNCs, connect errors: %v; want none of these",
			v.Reconnects, v.NotRecovered, v.Resyncs, v.ConnectErrors)
	}
}

// expectUnnoticed fails the test if any client lost its connection.
func expectUnnoticed(t *testing.T, v *continuity.Verdict) {
	t.Helper()
	if v.Disconnects.Total()+v.Reconnects+v.ConnectErrors.Total() > 0 {
		t.Errorf("clients lost connections: %v; %d reconnects, connect errors: %v", v.Disconnects, v.Reconnects, v.ConnectErrors)
	}
}
