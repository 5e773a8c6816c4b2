package test

import (
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/test/harness"
)

// nonASCII has characters of one, two, three and four UTF-8 bytes, one and two UTF-16
// units, and the one line separator that JSON allows and JavaScript once did not.
const nonASCII = "Grüße 😀 日本 \u2028"

// matrix is every client generation over every transport, on both paths, on two instances.
type matrix struct {
	cluster    *harness.Cluster
	publisher  *harness.Server // holds none of the clients
	clients    []*harness.Client
	upgrading  []*harness.Client
	app, fence harness.Room
	fences     int
}

func TestEveryClientOverEveryTransport(t *testing.T) {
	t.Parallel()
	m := startMatrix(t)
	// The steps share their connections: what one did must not break what the next needs.
	for _, step := range []struct {
		name string
		run  func(*matrix, *testing.T)
	}{
		{"one update on another instance arrives once, intact", (*matrix).oneUpdate},
		{"a hundred updates of all instances arrive in order", (*matrix).manyUpdates},
		{"what is not served is answered, and the connection stays", (*matrix).politeRefusals},
		{"nothing arrives after UNSUBSCRIBE", (*matrix).nothingAfterUnsubscribe},
		{"no connection was lost", (*matrix).noneLost},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(m, t) }) {
			return
		}
	}
}

func startMatrix(t *testing.T) *matrix {
	t.Helper()
	m := &matrix{
		cluster: harness.StartCluster(t, "one", "two", "three"),
		app:     harness.Room{Workspace: "w-1", App: "app.1"},
		fence:   harness.Room{Workspace: "w-1", App: "fence"},
	}
	m.publisher = m.cluster.Servers[2]
	runner := harness.StartRunner(t)
	for _, server := range m.cluster.Servers[:2] {
		for _, path := range []string{"/socket.io/", "/api/socket/v1/socket.io/"} {
			for version := 1; version <= 4; version++ {
				for _, mode := range []string{"polling", "websocket", "upgrade"} {
					client := runner.Open(t, harness.Dial{Version: version, Mode: mode, URL: server.URL, Path: path})
					m.clients = append(m.clients, client)
					if mode == "upgrade" {
						m.upgrading = append(m.upgrading, client)
					}
				}
			}
		}
	}
	// Not waiting for the connect: the clients then speak while they are upgrading.
	for _, client := range m.clients {
		client.Subscribe(t, m.app)
		client.Subscribe(t, m.fence)
	}
	for _, client := range m.upgrading {
		client.AwaitTransport(t, "websocket")
	}
	return m
}

// settle waits until every client has all that was published before: the updates of all
// rooms of a session arrive in one order, so what is not there before the fence's update
// does not come.
func (m *matrix) settle(t *testing.T) {
	t.Helper()
	m.fences++
	m.publisher.PutApp(t, m.fence, map[string]any{"fence": m.fences})
	for _, client := range m.clients {
		for client.AwaitUpdate(t, m.fence).Payload["fence"] != float64(m.fences) {
		}
	}
}

func (m *matrix) oneUpdate(t *testing.T) {
	fields := map[string]any{
		"displayName": nonASCII,
		"icon":        map[string]any{nonASCII: []any{"<b>&amp;</b>", 1.5, nil, true}},
		"tags":        []any{},
	}
	m.publisher.PutApp(t, m.app, fields)
	m.settle(t)
	payload := map[string]any{"id": m.app.App, "workspaceID": m.app.Workspace}
	maps.Copy(payload, fields)
	for _, client := range m.clients {
		updates := client.Updates(t, m.app)
		if len(updates) != 1 {
			t.Errorf("%s got %d updates, want 1: %+v", client, len(updates), updates)
			continue
		}
		want := harness.Update{
			Event: "UPDATE_APP", WorkspaceID: m.app.Workspace, AppID: m.app.App,
			Payload: payload, UserID: updates[0].UserID, Position: updates[0].Position,
		}
		if !reflect.DeepEqual(updates[0], want) || updates[0].Position == "" {
			t.Errorf("%s got %+v, want %+v with a position", client, updates[0], want)
		}
	}
}

func (m *matrix) manyUpdates(t *testing.T) {
	const updates = 100
	before := len(m.clients[0].Updates(t, m.app))
	for n := range updates {
		server := m.cluster.Servers[n%len(m.cluster.Servers)]
		server.PutApp(t, m.app, map[string]any{"n": n})
	}
	m.settle(t)
	for _, client := range m.clients {
		got := client.Updates(t, m.app)[before:]
		if len(got) != updates {
			t.Errorf("%s got %d updates, want %d", client, len(got), updates)
			continue
		}
		for n, update := range got {
			if update.Payload["n"] != float64(n) {
				t.Errorf("%s got update %v as number %d", client, update.Payload["n"], n)
				break
			}
		}
	}
}

func (m *matrix) politeRefusals(t *testing.T) {
	for _, client := range m.clients {
		for what, reply := range map[string]harness.Reply{
			"binary":             client.AskBinary(t, "AAEC/w=="),
			"an unknown request": client.Ask(t, map[string]any{"event": nonASCII, "payload": map[string]any{}}),
			"a forbidden id": client.Ask(t, map[string]any{
				"event": "SUBSCRIBE", "payload": map[string]any{"workspaceId": "w/../x", "appId": "a"},
			}),
		} {
			if reply.Status != "ERROR" || reply.Error == nil || !strings.HasPrefix(reply.Error.Code, "application/") ||
				reply.Error.Name == "" || reply.Error.Message == "" {
				t.Errorf("%s: %s is answered %+v, want an error with code, name and message", client, what, reply)
			}
		}
	}
	m.settle(t)
}

func (m *matrix) nothingAfterUnsubscribe(t *testing.T) {
	before := make([]int, len(m.clients))
	for n, client := range m.clients {
		client.Unsubscribe(t, m.app)
		before[n] = len(client.Updates(t, m.app))
	}
	m.publisher.PutApp(t, m.app, nil)
	m.settle(t)
	for n, client := range m.clients {
		if got := len(client.Updates(t, m.app)) - before[n]; got != 0 {
			t.Errorf("%s got %d updates of a room it had left", client, got)
		}
	}
}

func (m *matrix) noneLost(t *testing.T) {
	for _, client := range m.clients {
		if client.Disconnected() {
			t.Errorf("%s lost its connection: %s", client, fmt.Sprint(client.Log()))
		}
	}
}
