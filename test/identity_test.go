package test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/roomcast/roomcast/test/harness"
)

// lasting is a token of ann's for everything that ends after a while.
func lasting(t *testing.T, lifetime time.Duration) string {
	t.Helper()
	return signed(t, jwt.SigningMethodHS256, []byte(tokenSecret), func(c jwt.MapClaims) { c["exp"] = time.Now().Add(lifetime).Unix() })
}

// Official clients of every version show their token in every way that they have; a bad one is
// told to them where they look for an error, by its code.
func TestOfficialClientsShowTokens(t *testing.T) {
	t.Parallel()
	server := startIdentified(t)
	runner := harness.StartRunner(t)
	room := harness.Room{Workspace: "acme", App: "board"}
	bad := map[string]string{
		"auth/token-expired":   lasting(t, -time.Hour),
		"auth/token-signature": signed(t, jwt.SigningMethodHS256, []byte(retiredSecret), nil),
		"auth/token-algorithm": signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil),
	}
	for version := 1; version <= 4; version++ {
		by := []string{"query", "header"}
		if version >= 3 {
			by = append(by, "auth")
		}
		for _, by := range by {
			for _, mode := range []string{"polling", "websocket", "upgrade"} {
				dial := harness.Dial{Version: version, Mode: mode, URL: server.URL, By: by, Token: lasting(t, time.Hour)}
				client := runner.Connect(t, dial)
				client.Subscribe(t, room)
				publishAs(t, server, room, 1)
				client.AwaitUpdate(t, room)
				client.Disconnect(t)
				for code, token := range bad {
					dial.Token = token
					refused := runner.Open(t, dial)
					got := refused.Await(t, "a refusal", func(m harness.Message) bool { return m.Type == "connect_error" || m.Type == "connect" })
					if got.Type != "connect_error" || got.Code != code {
						t.Errorf("%s, token by %s: %+v, want %s", refused, by, got, code)
					}
					refused.Disconnect(t)
				}
			}
		}
	}
}

// A token that runs out on a live connection: the client is warned, then closed, then refused.
// One that is refreshed goes on, and gets each update once.
func TestATokenRunsOut(t *testing.T) {
	t.Parallel()
	server := startIdentified(t, "ROOMCAST_TOKEN_NOTICE=6s", "ROOMCAST_TOKEN_GRACE=1s", "ROOMCAST_JWT_LEEWAY=0s")
	runner := harness.StartRunner(t)
	room := harness.Room{Workspace: "acme", App: "board"}
	for _, version := range []int{2, 4} {
		short := lasting(t, 12*time.Second) // half of it before the warning, however busy the machine
		lapsing := runner.Connect(t, harness.Dial{Version: version, Mode: "websocket", URL: server.URL, By: "query", Token: short})
		going := runner.Connect(t, harness.Dial{Version: version, Mode: "websocket", URL: server.URL, By: "query", Token: short})
		lapsing.Subscribe(t, room)
		going.Subscribe(t, room)
		notice := func(m harness.Message) bool { return m.Type == "event" && m.Name == "application_notice" }
		n := 0
		publish := func() {
			n++
			publishAs(t, server, room, n)
			if update := going.AwaitUpdate(t, room); update.Payload["n"] != float64(n) {
				t.Errorf("%s got update %v as number %d", going, update.Payload["n"], n)
			}
		}
		publish()
		var said struct {
			Event   string
			Payload struct{ ExpiresAt, ClosesAt time.Time }
		}
		warning := going.Await(t, "a warning", notice)
		if err := json.Unmarshal(warning.Args[0], &said); err != nil || said.Event != "TOKEN_EXPIRING" || said.Payload.ClosesAt.Sub(said.Payload.ExpiresAt) != time.Second {
			t.Errorf("%s is warned by %s", going, warning.Args[0])
		}
		publish()
		going.Emit(t, "application", map[string]any{"event": "AUTHENTICATE", "payload": map[string]any{"token": lasting(t, time.Hour)}})
		going.Await(t, "an answer", func(m harness.Message) bool { return m.Name == "application_response" })
		publish()
		lapsing.Await(t, "a warning", notice)
		lapsing.AwaitDisconnect(t)
		refusal := lapsing.Await(t, "a refusal", func(m harness.Message) bool { return m.Type == "connect_error" })
		if refusal.Code != "auth/token-expired" {
			t.Errorf("%s is refused by %+v", lapsing, refusal)
		}
		for range 3 {
			publish()
		}
		if going.Disconnected() {
			t.Errorf("%s has refreshed its token and lost its connection all the same", going)
		}
	}
}

// publishAs sends an update with a key that may publish to the workspace.
func publishAs(t *testing.T, server *harness.Server, room harness.Room, n int) {
	t.Helper()
	k := &knocker{t: t, server: server, who: who{shows: "s3cret"}}
	body, _ := json.Marshal(map[string]any{"workspaceId": room.Workspace, "appId": room.App, "displayName": "x", "n": n})
	if status, answer := k.calls(http.MethodPut, "/api/v1/apps/", string(body)); status != http.StatusOK {
		t.Fatalf("publishing: %d %s", status, answer)
	}
}

// Behind a proxy that is believed, each client has its own address; what a client writes into the
// header itself moves it nowhere.
func TestClientsBehindAProxy(t *testing.T) {
	t.Parallel()
	server := harness.StartServer(t, harness.ServerOptions{ID: "alone", Env: []string{
		"ROOMCAST_TRUSTED_PROXIES=127.0.0.0/8", "ROOMCAST_SESSIONS_PER_ADDRESS=2",
	}})
	handshake := func(forwarded string) int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/socket.io/?EIO=4&transport=polling", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Forwarded-For", forwarded)
		status, _ := answerTo(t, request)
		return status
	}
	for i, step := range []struct {
		forwarded string
		want      int
	}{
		{"203.0.113.1", 200}, {"198.51.100.9, 203.0.113.1", 200}, {"198.51.100.10, 203.0.113.1", 429}, {"203.0.113.2", 200}, {"203.0.113.1, 203.0.113.2", 200},
		{"203.0.113.2", 429}, {"2001:db8::1", 200}, {"2001:db8::2", 200}, {"2001:db8::3", 429}, {"2001:db8:0:1::1", 200}, {"rubbish", 200},
	} {
		if status := handshake(step.forwarded); status != step.want {
			t.Errorf("step %d, %s: %d, want %d", i+1, step.forwarded, status, step.want)
		}
	}
}
