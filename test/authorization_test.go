package test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/golang-jwt/jwt/v5"

	"github.com/roomcast/roomcast/test/harness"
)

const (
	tokenSecret   = "the secret that is signed with today: 32 bytes"
	oldSecret     = "the secret that is being taken over from: 32 bytes"
	retiredSecret = "the secret that nobody is trusted by now: 32 bytes"
	issuer        = "https://id.example"
	audience      = "roomcast"
)

// apiKeys are in the form of ROOMCAST_API_KEYS; the last is by the digest of "digested".
const apiKeys = "ci:s3cret:publish:acme,reader:onlyreads:read:acme,ops:watches:admin:*," +
	"sum:sha256=62f2b4a72d1b5d56ccac2eea669989c3ae07badc27c3022910f5a9fa9c219ab2:publish:*"

// who is somebody with something to show, and what may come of it.
type who struct {
	name, shows string
	reads       []string // "<workspace>/<app>"; what the claims of the token say
	publishes   []string
	admin       bool
	// The codes of refusal, empty where what is shown is good.
	asClient, asCaller string
	subject            string
}

// signed is a token with changes to good claims.
func signed(t *testing.T, method jwt.SigningMethod, key any, change func(jwt.MapClaims)) string {
	t.Helper()
	claims := jwt.MapClaims{"sub": "ann", "exp": time.Now().Add(time.Hour).Unix(), "iss": issuer, "aud": audience, "read": []string{"*/*"}, "publish": []string{"*/*"}}
	if change != nil {
		change(claims)
	}
	token, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// everybody is who comes: each kind of permission, and each thing that can be wrong.
func everybody(t *testing.T) []who {
	t.Helper()
	bySecret := func(change func(jwt.MapClaims)) string {
		return signed(t, jwt.SigningMethodHS256, []byte(tokenSecret), change)
	}
	may := func(name string, reads, publishes []string) who {
		return who{name: name, subject: name, reads: reads, publishes: publishes, shows: bySecret(func(c jwt.MapClaims) {
			c["sub"], c["read"], c["publish"] = name, reads, publishes
		})}
	}
	bad := func(name, code, token string) who {
		return who{name: name, shows: token, asClient: code, asCaller: code}
	}
	good := bySecret(nil)
	head, rest, _ := strings.Cut(good, ".")
	body, signature, _ := strings.Cut(rest, ".")
	others := strings.Split(bySecret(func(c jwt.MapClaims) { c["sub"] = "root" }), ".")
	all := []string{"*/*"}
	return []who{
		may("reads-all", all, nil), may("publishes-all", nil, all), may("may-all", all, all), may("may-nothing", nil, nil),
		may("reads-acme", []string{"acme/*"}, nil), may("publishes-acme", nil, []string{"acme/*"}),
		may("one-board", []string{"acme/board"}, []string{"acme/board"}), may("prefixes", []string{"acm*/bo*"}, []string{"be*/*"}),
		may("two-rooms", []string{"acme/other", "beta/board"}, []string{"beta/board"}),
		{name: "by the former secret", subject: "ann", reads: all, publishes: all, shows: signed(t, jwt.SigningMethodHS384, []byte(oldSecret), nil)},

		bad("by a retired secret", "auth/token-signature", signed(t, jwt.SigningMethodHS256, []byte(retiredSecret), nil)),
		bad("expired", "auth/token-expired", bySecret(func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Hour).Unix() })),
		bad("not yet", "auth/token-not-yet-valid", bySecret(func(c jwt.MapClaims) { c["nbf"] = time.Now().Add(time.Hour).Unix() })),
		bad("without an end", "auth/token-without-expiry", bySecret(func(c jwt.MapClaims) { delete(c, "exp") })),
		bad("of another issuer", "auth/token-issuer", bySecret(func(c jwt.MapClaims) { c["iss"] = "https://evil.example" })),
		bad("for another audience", "auth/token-audience", bySecret(func(c jwt.MapClaims) { c["aud"] = []string{"other"} })),
		bad("without a subject", "auth/token-claims", bySecret(func(c jwt.MapClaims) { delete(c, "sub") })),
		bad("with permissions that are none", "auth/token-claims", bySecret(func(c jwt.MapClaims) { c["read"] = "*/*" })),
		bad("by no algorithm", "auth/token-algorithm", signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil)),
		bad("tampered with", "auth/token-signature", head+"."+others[1]+"."+signature),
		bad("cut short", "auth/token-signature", head+"."+body+"."+signature[:20]),
		bad("rubbish", "auth/token-malformed", "a.b.c"),

		{name: "key that publishes", shows: "s3cret", publishes: []string{"acme/*"}, asClient: "auth/token-malformed"},
		{name: "key by its digest", shows: "digested", publishes: []string{"*/*"}, asClient: "auth/token-malformed"},
		{name: "key that reads", shows: "onlyreads", asClient: "auth/token-malformed"},
		{name: "key of operators", shows: "watches", admin: true, asClient: "auth/token-malformed"},
		{name: "key that was revoked", shows: "r3voked", asClient: "auth/token-malformed", asCaller: "auth/key"},
		{name: "nobody", asClient: "auth/required", asCaller: "auth/required"},
	}
}

// covers is the rule of permissions once more, in the plainest way.
func covers(patterns []string, room harness.Room) bool {
	part := func(pattern, id string) bool {
		prefix, wild := strings.CutSuffix(pattern, "*")
		return wild && strings.HasPrefix(id, prefix) || pattern == id
	}
	for _, pattern := range patterns {
		workspace, app, _ := strings.Cut(pattern, "/")
		if part(workspace, room.Workspace) && part(app, room.App) {
			return true
		}
	}
	return false
}

var matrixRooms = []harness.Room{{Workspace: "acme", App: "board"}, {Workspace: "acme", App: "other"}, {Workspace: "beta", App: "board"}, {Workspace: "acmeX", App: "board"}}

// ways are how a client can show a token.
var ways = []string{"payload", "header", "query", "subscribe"}

func startIdentified(t *testing.T, env ...string) *harness.Server {
	t.Helper()
	return harness.StartServer(t, harness.ServerOptions{ID: "safe", Key: "watches", Env: append([]string{
		"ROOMCAST_AUTH=jwt", "ROOMCAST_JWT_SECRET=" + tokenSecret + "," + oldSecret, "ROOMCAST_JWT_ISSUER=" + issuer, "ROOMCAST_JWT_AUDIENCE=" + audience,
		"ROOMCAST_API_KEYS=" + apiKeys,
	}, env...)})
}

// Who × room × action × the way a token comes × revision: every field of the matrix is made, and
// what is right is worked out from the claims alone.
func TestAuthorizationMatrix(t *testing.T) {
	t.Parallel()
	server := startIdentified(t)
	history := make(map[harness.Room]string) // a position before an update that each room has
	keeper := everybody(t)[2]                // may all
	for _, room := range matrixRooms {
		by := &knocker{t: t, server: server, who: keeper}
		status, body := by.publishes("POST", room, "before")
		by.publishes("POST", room, "missed")
		history[room] = field(t, body, "position")
		if status != http.StatusCreated {
			t.Fatalf("%d %s", status, body)
		}
	}
	fields := 0
	for _, who := range everybody(t) {
		k := &knocker{t: t, server: server, who: who}
		for _, room := range matrixRooms {
			for _, revision := range []string{"3", "4"} {
				for _, way := range ways {
					if way == "payload" && revision == "3" {
						continue // there is none
					}
					k.checkSubscribe(revision, way, room, "")
					k.checkSubscribe(revision, way, room, history[room])
					fields += 2
				}
			}
			k.checkPublish(http.MethodPut, room)
			k.checkPublish(http.MethodPost, room)
			k.checkRecovery(keeper, room)
			fields += 3
		}
		k.checkMetrics()
		fields++
	}
	t.Logf("%d fields", fields)
	if refused := server.Metric(t, "roomcast_requests_refused_total", `code="auth/token-expired"`); refused == 0 {
		t.Error("refusals are not counted")
	}
}

// knocker is somebody at a server's door.
type knocker struct {
	t      *testing.T
	server *harness.Server
	who    who
}

// enter connects with what is shown in a way.
func (k *knocker) enter(revision, way string) (*harness.Raw, string) {
	knock := harness.Knock{Revision: revision}
	if k.who.shows != "" {
		switch way {
		case "payload":
			knock.Payload = fmt.Sprintf(`{"token":%q}`, k.who.shows)
		case "header":
			knock.Header = http.Header{"Authorization": {"Bearer " + k.who.shows}}
		case "query":
			knock.Query = "&token=" + url.QueryEscape(k.who.shows)
		}
	}
	return harness.Enter(k.t, k.server, knock)
}

// subscribes asks for a room and returns the code of the answer, empty for a yes.
func (k *knocker) subscribes(raw *harness.Raw, way string, room harness.Room, since string) (code, answer string) {
	payload := map[string]any{"workspaceId": room.Workspace, "appId": room.App}
	if since != "" {
		payload["since"] = since
	}
	if way == "subscribe" && k.who.shows != "" {
		payload["token"] = k.who.shows
	}
	text, _ := json.Marshal(map[string]any{"event": "SUBSCRIBE", "payload": payload})
	raw.Send(k.t, ws.OpText, `42["application",`+string(text)+`]`)
	answer = raw.AwaitText(k.t, `42["application_response"`)
	return codeIn(answer), answer
}

func codeIn(text string) string {
	_, rest, found := strings.Cut(text, `"code":"`)
	if !found {
		return ""
	}
	code, _, _ := strings.Cut(rest, `"`)
	return code
}

// wantSubscribe is what claims say of a room.
func (k *knocker) wantSubscribe(room harness.Room) string {
	switch {
	case k.who.asClient != "":
		return k.who.asClient
	case !covers(k.who.reads, room):
		return "auth/forbidden"
	}
	return ""
}

func (k *knocker) checkSubscribe(revision, way string, room harness.Room, since string) {
	k.t.Helper()
	raw, answer := k.enter(revision, way)
	defer raw.Connection.Close()
	what := fmt.Sprintf("%s by %s in revision %s for %v, since %q", k.who.name, way, revision, room, since)
	want := k.wantSubscribe(room)
	if strings.HasPrefix(answer, "44") {
		if way == "subscribe" || codeIn(answer) != want {
			k.t.Errorf("%s: CONNECT is answered %s, want %q", what, answer, want)
		}
		return
	}
	if way != "subscribe" && k.who.asClient != "" && k.who.shows != "" {
		k.t.Errorf("%s: let in by %s", what, answer)
	}
	code, answer := k.subscribes(raw, way, room, since)
	if code != want {
		k.t.Errorf("%s: %s, want %q", what, answer, want)
	}
	if strings.Contains(answer, "missed") {
		k.t.Errorf("%s: history in the answer itself", what)
	}
	if code == "" && since != "" {
		raw.AwaitText(k.t, `42["`+room.Name()+`"`)
	}
}

// publishes returns the status and the body of the answer.
func (k *knocker) publishes(method string, room harness.Room, event string) (int, string) {
	k.t.Helper()
	path, body := "/api/v1/apps/", fmt.Sprintf(`{"workspaceId":%q,"appId":%q,"displayName":%q}`, room.Workspace, room.App, event)
	if method == http.MethodPost {
		path, body = fmt.Sprintf("/api/v1/workspaces/%s/apps/%s/updates", room.Workspace, room.App), fmt.Sprintf(`{"event":%q,"data":{}}`, event)
	}
	return k.calls(method, path, body)
}

func (k *knocker) calls(method, path, body string) (int, string) {
	k.t.Helper()
	request, err := http.NewRequestWithContext(k.t.Context(), method, k.server.URL+path, strings.NewReader(body))
	if err != nil {
		k.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if k.who.shows != "" {
		request.Header.Set("Authorization", "Bearer "+k.who.shows)
	}
	return answerTo(k.t, request)
}

func (k *knocker) checkPublish(method string, room harness.Room) {
	k.t.Helper()
	status, body := k.publishes(method, room, "knock")
	want := k.who.asCaller
	if want == "" && !covers(k.who.publishes, room) {
		want = "auth/forbidden"
	}
	if codeIn(body) != want || (status < 300) != (want == "") {
		k.t.Errorf("%s: %s to %v is answered %d %s, want %q", k.who.name, method, room, status, body, want)
	}
	if want != "" && want != "auth/forbidden" && status != http.StatusUnauthorized {
		k.t.Errorf("%s: %s is answered %d, want 401", k.who.name, method, status)
	}
}

func (k *knocker) checkMetrics() {
	k.t.Helper()
	status, body := k.calls(http.MethodGet, "/metrics", "")
	want := k.who.asCaller
	if want == "" && !k.who.admin {
		want = "auth/forbidden"
	}
	if (status == http.StatusOK) != (want == "") || status != http.StatusOK && codeIn(body) != want {
		k.t.Errorf("%s: /metrics is answered %d %.200s, want %q", k.who.name, status, body, want)
	}
}

// checkRecovery lets somebody come with the private id and the offset of another's session.
func (k *knocker) checkRecovery(owner who, room harness.Room) {
	k.t.Helper()
	own := &knocker{t: k.t, server: k.server, who: owner}
	raw, answer := own.enter("4", "payload")
	pid := field(k.t, answer[2:], "pid")
	if code, answer := own.subscribes(raw, "payload", room, ""); code != "" {
		k.t.Fatalf("the owner of a session: %s", answer)
	}
	own.publishes(http.MethodPost, room, "heard")
	var heard []json.RawMessage
	if err := json.Unmarshal([]byte(raw.AwaitText(k.t, `42["`+room.Name()+`"`)[2:]), &heard); err != nil {
		k.t.Fatal(err)
	}
	offset := strings.Trim(string(heard[len(heard)-1]), `"`)
	_ = raw.Connection.Close()
	own.publishes(http.MethodPost, room, "missed by the owner")

	token := k.who.shows
	thief, answer := harness.Enter(k.t, k.server, harness.Knock{Revision: "4", Payload: fmt.Sprintf(`{"token":%q,"pid":%q,"offset":%q}`, token, pid, offset)})
	defer thief.Connection.Close()
	may := k.who.asClient == "" && k.who.subject == owner.subject && covers(k.who.reads, room)
	if strings.Contains(answer, pid) != may {
		k.t.Errorf("%s with the session of %s in %v: %s, want it continued: %t", k.who.name, owner.name, room, answer, may)
		return
	}
	if strings.HasPrefix(answer, "44") {
		return
	}
	// A word of ours behind whatever there would be: nothing of the room may stand before it.
	thief.Send(k.t, ws.OpText, `42["application",{"event":"UNSUBSCRIBE","payload":{"workspaceId":"w","appId":"sentinel"}}]`)
	before := thief.AwaitText(k.t, "42")
	if strings.Contains(before, "missed by the owner") != may {
		k.t.Errorf("%s with the session of %s in %v hears %s", k.who.name, owner.name, room, before)
	}
}

func answerTo(t *testing.T, request *http.Request) (int, string) {
	t.Helper()
	client := http.Client{Timeout: harness.Patience}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func field(t *testing.T, object, name string) string {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(object), &fields); err != nil {
		t.Fatalf("%s: %v", object, err)
	}
	text, _ := fields[name].(string)
	if text == "" {
		t.Fatalf("%s has no %s", object, name)
	}
	return text
}
