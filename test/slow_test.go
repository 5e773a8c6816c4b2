package test

import (
	"strings"
	"testing"

	"github.com/roomcast/roomcast/test/harness"
)

// A member that stops reading is closed at its backlog limit, and delays nobody.
func TestAMemberThatStopsReadingDelaysNobody(t *testing.T) {
	t.Parallel()
	server := harness.StartServer(t, harness.ServerOptions{ID: "alone", Env: []string{
		"ROOMCAST_MAX_PAYLOAD=200000", "ROOMCAST_BACKLOG_BYTES=200000",
	}})
	room := harness.Room{Workspace: "w", App: "busy"}
	runner := harness.StartRunner(t)
	readers := []*harness.Client{
		runner.Open(t, harness.Dial{Version: 4, Mode: "websocket", URL: server.URL}),
		runner.Open(t, harness.Dial{Version: 4, Mode: "polling", URL: server.URL}),
		runner.Open(t, harness.Dial{Version: 2, Mode: "upgrade", URL: server.URL}),
	}
	for _, reader := range readers {
		reader.Subscribe(t, room)
	}
	var stuck []*harness.Raw
	for _, revision := range []string{"3", "4"} {
		raw := harness.DialNarrow(t, server, revision)
		raw.Subscribe(t, room)
		stuck = append(stuck, raw) // and reads no more
	}

	// 10 MB: more than the backlog and whatever the kernel keeps for a connection.
	const updates = 100
	filling := strings.Repeat("x", 100_000)
	for n := range updates {
		server.PutApp(t, room, map[string]any{"n": n, "filling": filling})
		// A reader's own backlog is bounded too; those that keep up must not be closed.
		for _, reader := range readers {
			if update := reader.AwaitUpdate(t, room); update.Payload["n"] != float64(n) {
				t.Fatalf("%s got update %v as number %d", reader, update.Payload["n"], n)
			}
		}
	}
	for _, reader := range readers {
		if reader.Disconnected() {
			t.Errorf("%s reads and was closed nevertheless", reader)
		}
	}
	harness.Eventually(t, "only the readers' sessions are open", func() bool {
		return server.Metric(t, "roomcast_sessions") == float64(len(readers))
	})
	for _, raw := range stuck {
		raw.AwaitEnd(t)
	}
	if closed := server.Metric(t, "roomcast_sessions_closed_total", `reason="backlog full"`); closed != float64(len(stuck)) {
		t.Errorf("%v sessions are counted as closed for their backlog, want %d", closed, len(stuck))
	}
	if backlog := server.Metric(t, "roomcast_backlog_bytes"); backlog != 0 {
		t.Errorf("%v bytes are waiting for sessions that are closed", backlog)
	}
}
