package test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/test/harness"
)

// The shipped configuration has to keep polling clients of every generation at the
// instance that holds their session, and to bring them to another one when it dies.
func TestTheBalancerKeepsSessionsTogether(t *testing.T) {
	t.Parallel()
	cluster := harness.StartCluster(t, "one", "two", "three")
	balancer := harness.StartBalancer(t, cluster.Servers)
	room := harness.Room{Workspace: "w", App: "a"}
	runner := harness.StartRunner(t)

	homes := map[*harness.Client]string{} // the instance that holds the session
	perInstance := map[string]int{}
	for n := range 12 {
		client := runner.Connect(t, harness.Dial{
			Version: []int{4, 2}[n%2], Mode: []string{"polling", "polling", "upgrade"}[n/2%3], URL: balancer.URL,
		})
		home := homeOf(client)
		homes[client] = home
		perInstance[home]++
		client.Subscribe(t, room)
	}
	for _, server := range cluster.Servers {
		if perInstance[server.ID] == 0 {
			t.Errorf("instance %s got none of the sessions: %v", server.ID, perInstance)
		}
	}
	balancer.PutApp(t, room, map[string]any{"n": 1})
	for client := range homes {
		client.AwaitUpdate(t, room)
		if client.Disconnected() {
			t.Errorf("%s lost its connection", client)
		}
	}

	victim := cluster.Servers[1]
	victim.Kill()
	for client, home := range homes {
		if home != victim.ID {
			continue
		}
		client.AwaitDisconnect(t)
		client.AwaitConnect(t)
		if now := homeOf(client); now == victim.ID {
			t.Errorf("%s is said to be at %s, which is dead", client, now)
		}
		client.Subscribe(t, room)
	}
	balancer.PutApp(t, room, map[string]any{"n": 2})
	for client, home := range homes {
		if update := client.AwaitUpdate(t, room); update.Payload["n"] != 2.0 {
			t.Errorf("%s got %+v", client, update)
		}
		if home != victim.ID && client.Disconnected() {
			t.Errorf("%s, at %s, lost its connection when %s died", client, home, victim.ID)
		}
	}
}

// While Redis is away no instance is ready, and new clients are turned away. Those that are
// there keep their sessions: their requests go on reaching the instance that holds them.
func TestABreakOfRedisCostsNoSession(t *testing.T) {
	t.Parallel()
	cluster := harness.StartCluster(t, "one", "two", "three")
	balancer := harness.StartBalancer(t, cluster.Servers)
	room := harness.Room{Workspace: "w", App: "a"}
	runner := harness.StartRunner(t)
	var clients []*harness.Client
	for n := range 6 {
		client := runner.Open(t, harness.Dial{
			Version: []int{4, 2}[n%2], Mode: []string{"polling", "polling", "websocket"}[n%3], URL: balancer.URL,
		})
		client.Subscribe(t, room)
		clients = append(clients, client)
	}

	cluster.Redis.Pause()
	harness.Eventually(t, "the balancer uses no instance", func() bool {
		// The instances themselves answer this with 200, whatever Redis does.
		return balancer.Call(t, http.MethodGet, "/healthz", nil).Status == http.StatusServiceUnavailable
	})
	for _, client := range clients {
		if reply := client.Ask(t, map[string]any{"event": "ANYTHING"}); reply.Status != "ERROR" {
			t.Errorf("%s is answered %+v", client, reply)
		}
	}
	cluster.Redis.Resume()
	for _, server := range cluster.Servers {
		server.AwaitReady(t)
	}
	balancer.AwaitReady(t)
	balancer.PutApp(t, room, nil)
	for _, client := range clients {
		client.AwaitUpdate(t, room)
		if client.Disconnected() {
			t.Errorf("%s lost its connection", client)
		}
	}
}

// homeOf is the instance that made the session of a client's latest connection.
func homeOf(client *harness.Client) string {
	var home string
	for _, message := range client.Log() {
		if message.Type == "connect" {
			home, _, _ = strings.Cut(message.Engine, ".")
		}
	}
	return home
}
