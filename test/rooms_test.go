package test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/redis/redistest"
	"github.com/roomcast/roomcast/test/harness"
)

// A room is a pair; its name on the wire is not unique. Whoever is in one of two rooms that
// share a name must not see the other's updates: they may belong to another customer.
func TestRoomsThatShareANameShareNoUpdates(t *testing.T) {
	t.Parallel()
	cluster := harness.StartCluster(t, "one", "two")
	runner := harness.StartRunner(t)
	rooms := []harness.Room{{Workspace: "a_app_b", App: "c"}, {Workspace: "a", App: "b_app_c"}}
	fence := harness.Room{Workspace: "w", App: "fence"}
	if rooms[0].Name() != rooms[1].Name() {
		t.Fatalf("%q and %q are no pair that shares a name", rooms[0].Name(), rooms[1].Name())
	}

	members := map[*harness.Client]harness.Room{}
	for _, version := range []int{2, 4} {
		for _, room := range rooms {
			client := runner.Open(t, harness.Dial{Version: version, Mode: "websocket", URL: cluster.Servers[0].URL})
			client.Subscribe(t, room)
			client.Subscribe(t, fence)
			members[client] = room
		}
	}
	publisher := cluster.Servers[1]
	for _, room := range append(rooms, fence) {
		publisher.PutApp(t, room, nil)
	}
	for client, room := range members {
		client.AwaitUpdate(t, fence)
		updates := client.Updates(t, room)
		if len(updates) != 1 || updates[0].WorkspaceID != room.Workspace || updates[0].AppID != room.App {
			t.Errorf("%s, a member of %+v alone, got %+v", client, room, updates)
		}
	}
}

func TestAnUnknownNamespaceIsRefused(t *testing.T) {
	t.Parallel()
	server := harness.StartServer(t, harness.ServerOptions{ID: "alone"})
	runner := harness.StartRunner(t)
	for version := 1; version <= 4; version++ {
		client := runner.Open(t, harness.Dial{Version: version, Mode: "websocket", URL: server.URL, Namespace: "/nowhere"})
		refusal := client.Await(t, "connect_error", func(m harness.Message) bool { return m.Type == "connect_error" })
		if refusal.Text != "Invalid namespace" {
			t.Errorf("%s was refused with %q, want %q", client, refusal.Text, "Invalid namespace")
		}
	}
}

// Backends that know Redis and not Roomcast publish plain JSON on the channel.
func TestAForeignPublicationIsDelivered(t *testing.T) {
	t.Parallel()
	cluster := harness.StartCluster(t, "one")
	server, room := cluster.Servers[0], harness.Room{Workspace: "w", App: "a"}
	runner := harness.StartRunner(t)
	var clients []*harness.Client
	for version := 1; version <= 4; version++ {
		client := runner.Open(t, harness.Dial{Version: version, Mode: "polling", URL: server.URL})
		client.Subscribe(t, room)
		clients = append(clients, client)
	}

	malformed := []string{
		"", "null", "{", `"text"`, "[]", "\xff\xfe", `{"appId":"a"}`,
		`{"appId":"a/b","workspaceId":"w","payload":{"event":"UPDATE_APP","payload":{}}}`,
		`{"appId":"a","workspaceId":"w","payload":7}`,
	}
	for _, message := range malformed {
		cluster.Redis.Do("PUBLISH", "socketevent", message)
	}
	cluster.Redis.Do("PUBLISH", "socketevent",
		`{"appId":"a","workspaceId":"w","payload":{"event":"UPDATE_APP","payload":{"id":"a","name":"`+nonASCII+`"},"userId":"u"}}`)

	for _, client := range clients {
		update := client.AwaitUpdate(t, room)
		if update.Event != "UPDATE_APP" || update.UserID != "u" || update.Payload["id"] != "a" || update.Payload["name"] != nonASCII ||
			update.WorkspaceID != "w" || update.AppID != "a" {
			t.Errorf("%s got %+v", client, update)
		}
		if update.Position != "" {
			t.Errorf("%s got the position %q with a publication that has none", client, update.Position)
		}
	}
	if got := server.Metric(t, "roomcast_publications_heard_total", `origin="malformed"`); got != float64(len(malformed)) {
		t.Errorf("%v publications were counted as malformed, want %d", got, len(malformed))
	}
	if got := server.Metric(t, "roomcast_publications_heard_total", `origin="foreign"`); got != 1 {
		t.Errorf("%v publications were counted as foreign, want 1", got)
	}
}

func TestRedisMayBeLate(t *testing.T) {
	t.Parallel()
	redis := redistest.Reserve(t)
	server := harness.StartUnready(t, harness.ServerOptions{ID: "early", Redis: redis.URL()})
	room := harness.Room{Workspace: "w", App: "a"}
	put := func() harness.Answer {
		return server.Call(t, http.MethodPut, "/api/v1/apps/", map[string]any{
			"workspaceId": room.Workspace, "appId": room.App, "displayName": "an app",
		})
	}

	if ready := server.Call(t, http.MethodGet, "/readyz", nil); ready.Status != http.StatusServiceUnavailable {
		t.Errorf("/readyz without Redis: %d, want 503", ready.Status)
	}
	if health := server.Call(t, http.MethodGet, "/healthz", nil); health.Status != http.StatusOK {
		t.Errorf("/healthz without Redis: %d, want 200", health.Status)
	}
	refused := put()
	if refused.Status != http.StatusServiceUnavailable || refused.Header.Get("Retry-After") == "" ||
		!strings.HasPrefix(refused.Body, `{"status":"ERROR","data":null,"error":{"code":"app/`) {
		t.Errorf("PUT without Redis: status %d, Retry-After %q, body %s", refused.Status, refused.Header.Get("Retry-After"), refused.Body)
	}
	harness.Eventually(t, "the log speaks of Redis", func() bool {
		return strings.Contains(strings.ToLower(server.Output()), "redis")
	})

	redis.Restart(redistest.Wipe)
	server.AwaitReady(t)
	client := harness.StartRunner(t).Open(t, harness.Dial{Version: 4, Mode: "upgrade", URL: server.URL})
	client.Subscribe(t, room)
	if accepted := put(); accepted.Status != http.StatusOK {
		t.Errorf("PUT with Redis: status %d, body %s", accepted.Status, accepted.Body)
	}
	client.AwaitUpdate(t, room)
}
