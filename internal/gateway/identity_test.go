package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/auth"
	"github.com/roomcast/roomcast/internal/gateway"
	"github.com/roomcast/roomcast/internal/hub"
	"github.com/roomcast/roomcast/internal/session"
)

// secretKey signs the tokens of these tests.
func secretKey(t *testing.T) auth.Key {
	t.Helper()
	key, err := auth.SecretKey([]byte("a secret of thirty-two bytes or more"))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// mint makes a token of ann's that holds for an hour unless said otherwise.
func mint(t *testing.T, change ...func(*auth.Grant)) string {
	t.Helper()
	grant := auth.Grant{Subject: "ann", Read: []string{"w/*"}, Lifetime: time.Hour}
	for _, change := range change {
		change(&grant)
	}
	token, err := auth.Mint(secretKey(t), grant)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func ofBob(g *auth.Grant)     { g.Subject = "bob" }
func readsElse(g *auth.Grant) { g.Read = []string{"else/*"} }
func expired(g *auth.Grant)   { g.Lifetime = -time.Minute }

// openIdentified is a house where clients are asked for tokens.
func openIdentified(t *testing.T, change ...func(*gateway.Options)) *house {
	t.Helper()
	h := open(t, nil)
	options := gateway.Options{
		Hub: h.hub, Recovery: true, Logger: h.log.Logger(),
		Verifier:       auth.NewVerifier(auth.Options{Keys: []auth.Key{secretKey(t)}}),
		ConnectTimeout: patience, TokenNotice: time.Minute, TokenGrace: time.Minute,
	}
	for _, change := range change {
		change(&options)
	}
	h.gateway = gateway.New(options)
	return h
}

// ways are how a token may come with a connection.
func ways(token string) map[string]session.Handshake {
	payload, _ := json.Marshal(map[string]string{"token": token})
	return map[string]session.Handshake{
		"payload": {Auth: payload, Opened: time.Now()},
		"header":  {Authorization: "Bearer " + token, Opened: time.Now()},
		"query":   {Query: url.Values{"token": {token}}, Opened: time.Now()},
	}
}

func (h *house) connectWith(handshake session.Handshake) (*client, error) {
	h.t.Helper()
	c := &client{t: h.t, house: h}
	peer, err := h.gateway.Connect(c, handshake)
	if err == nil {
		c.peer = peer
		h.t.Cleanup(func() { peer.Disconnected("transport close") })
	}
	return c, err
}

func subscribeWith(token string) string {
	return `{"event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"a","token":"` + token + `"}}`
}

// roomOf is as much of an answer as repeats the request.
const ofRoomWA = `"event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"a"}`

func unauthorized(code, message string) string {
	return response(`{"status":"ERROR",` + ofRoomWA + `,"error":{"code":"` + code + `","name":"Unauthorized Error","message":"` + message + `"}}`)
}

const forbidden = `{"status":"ERROR",` + ofRoomWA + `,"error":{"code":"auth/forbidden","name":"Forbidden Error","message":"the token does not permit to read w/a"}}`

// A good token opens what it permits, whichever way it comes, and no more.
func TestEveryWayOfAToken(t *testing.T) {
	h := openIdentified(t)
	top := h.publish(elsewhere)
	good := response(`{"status":"SUCCESS",` + ofRoomWA + `,"position":"` + top + `"}`)
	for way, handshake := range ways(mint(t)) {
		c, err := h.connectWith(handshake)
		if err != nil {
			t.Errorf("%s: %v", way, err)
			continue
		}
		c.says("application", subscribeWA)
		c.wants(good)
		c.says("application", strings.ReplaceAll(subscribeWA, `"w"`, `"else"`))
		c.wants(strings.NewReplacer(`"w"`, `"else"`, "w/a", "else/a").Replace(response(forbidden)))
	}
	later, err := h.connectWith(session.Handshake{Opened: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	later.says("application", subscribeWA)
	later.wants(unauthorized("auth/required", "a token is required: as auth.token, as Authorization: Bearer, as ?token=, or as payload.token"))
	later.says("application", subscribeWith(mint(t, readsElse)))
	later.wants(response(forbidden))
	later.says("application", subscribeWith(mint(t)))
	later.wants(good)
	later.says("application", subscribeWA) // the token of the connection from then on
	later.wants(good)
}

// A token that is not good is refused whichever way it comes, with its own code.
func TestBadTokensByEveryWay(t *testing.T) {
	h := openIdentified(t)
	good := mint(t)
	head, signature := good[:strings.LastIndex(good, ".")+1], good[strings.LastIndex(good, ".")+1:]
	for token, want := range map[string]*auth.Refusal{
		mint(t, expired):           {Code: "auth/token-expired", Message: "the token has expired"},
		head + signature[20:40]:    {Code: "auth/token-signature", Message: "the token's signature is not good"},
		"not-a-token":              {Code: "auth/token-malformed", Message: "the token cannot be read"},
		"eyJhbGciOiJub25lIn0.e30.": {Code: "auth/token-algorithm", Message: "the token's algorithm is not accepted"},
	} {
		for way, handshake := range ways(token) {
			var refusal *session.Refusal
			if _, err := h.connectWith(handshake); !errors.As(err, &refusal) || refusal.Code != want.Code || refusal.Message != want.Message {
				t.Errorf("%s by %s: %v, want %s", token, way, err, want)
			}
		}
		late, err := h.connectWith(session.Handshake{Opened: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		late.says("application", subscribeWith(token))
		late.wants(unauthorized(want.Code, want.Message))
	}
}

// Nobody idles without a token: the time to connect runs on until there is one.
func TestWhoShowsNoTokenIsClosed(t *testing.T) {
	h := openIdentified(t, func(o *gateway.Options) { o.ConnectTimeout = 50 * time.Millisecond })
	idle, err := h.connectWith(session.Handshake{Opened: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	known, err := h.connectWith(ways(mint(t))["header"])
	if err != nil {
		t.Fatal(err)
	}
	idle.says("application", subscribeWith(mint(t, expired))) // not an authorised action
	eventually(t, "who has no token is closed", func() bool { return idle.closedFor() == "no authorised action in time" })
	if reason := known.closedFor(); reason != "" {
		t.Errorf("who has a token was closed: %s", reason)
	}
}

func (c *client) closedFor() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// A connection is one subject's. Its rooms are for that one's eyes.
func TestALaterTokenIsOfTheSameSubject(t *testing.T) {
	h := openIdentified(t)
	c, err := h.connectWith(ways(mint(t))["payload"])
	if err != nil {
		t.Fatal(err)
	}
	c.says("application", `{"event":"AUTHENTICATE","payload":{"token":"`+mint(t, ofBob)+`"}}`)
	c.wants(response(`{"status":"ERROR","event":"AUTHENTICATE","error":{"code":"auth/token-subject","name":"Unauthorized Error","message":"the token is of another subject than the connection's first"}}`))
	c.says("application", `{"event":"AUTHENTICATE","payload":{}}`)
	c.wants(response(`{"status":"ERROR","event":"AUTHENTICATE","error":{"code":"application/invalid-field","name":"Bad Request Error","message":"payload.token is required"}}`))
}

// A token that is refreshed in time changes nothing but what it permits: nothing is lost, and
// a room that is not permitted any more is left.
func TestRefresh(t *testing.T) {
	h := openIdentified(t, func(o *gateway.Options) { o.TokenNotice = 2 * time.Hour })
	c, err := h.connectWith(ways(mint(t))["payload"])
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the warning", func() bool { return len(c.received()) == 1 })
	if warning := c.received()[0]; !strings.HasPrefix(warning, `42["application_notice",{"event":"TOKEN_EXPIRING","payload":{"expiresAt":"`) {
		t.Errorf("the warning is %s", warning)
	}
	c.skip(1)
	c.subscribe("w", "a")
	first := h.publish(roomWA)
	c.wants(`42["workspace_w_app_a",{"n":1,"position":"` + first + `"}]`)
	c.authenticates(mint(t, func(g *auth.Grant) { g.Lifetime = 4 * time.Hour }))
	second := h.publish(roomWA)
	c.wants(`42["workspace_w_app_a",{"n":2,"position":"` + second + `"}]`)

	c.authenticates(mint(t, readsElse, func(g *auth.Grant) { g.Lifetime = 4 * time.Hour }))
	c.wants(response(`{"status":"ERROR","event":"UNSUBSCRIBE","payload":{"workspaceId":"w","appId":"a"},"error":{"code":"auth/forbidden","name":"Forbidden Error","message":"the new token does not permit to read this room"}}`))
	h.publish(roomWA)
	c.says("application", subscribeWA)
	c.wants(response(forbidden))
	if members := h.members.Load(); members != 0 {
		t.Errorf("%d seats are taken", members)
	}
}

// A client that is too busy for its rooms to be looked through is closed: it must not keep
// for the life of the new token what only the old one permitted.
func TestNobodyIsTooBusyToLeave(t *testing.T) {
	store := &gated{pass: make(chan struct{})}
	h := open(t, func(s hub.Store) hub.Store { store.Store = s; return store })
	h.gateway = gateway.New(gateway.Options{
		Hub: h.hub, Logger: h.log.Logger(), Verifier: auth.NewVerifier(auth.Options{Keys: []auth.Key{secretKey(t)}}),
	})
	c, err := h.connectWith(ways(mint(t))["payload"])
	if err != nil {
		t.Fatal(err)
	}
	c.subscribe("w", "a")
	store.armed.Store(true)
	defer close(store.pass)
	eventually(t, "the client is too busy", func() bool {
		c.asks(1, strings.ReplaceAll(subscribeWA, `"a"`, `"b"`))
		return len(c.received()) > 0
	})
	c.says("application", `{"event":"AUTHENTICATE","payload":{"token":"`+mint(t, readsElse)+`"}}`)
	if reason := c.closedFor(); reason != "too many requests" {
		t.Errorf("closed for %q", reason)
	}
}

func (c *client) skip(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read += n
}

// authenticates shows a new token and reads the answer, which may stand behind others.
func (c *client) authenticates(token string) {
	c.t.Helper()
	c.says("application", `{"event":"AUTHENTICATE","payload":{"token":"`+token+`"}}`)
	eventually(c.t, "the answer to AUTHENTICATE", func() bool { return len(c.received()) > 0 })
	if answer := c.received()[0]; !strings.HasPrefix(answer, `42["application_response",{"status":"SUCCESS","event":"AUTHENTICATE","payload":{"expiresAt":"`) {
		c.t.Fatalf("AUTHENTICATE was answered %s", answer)
	}
	c.skip(1)
}

// Who does not refresh is closed, without a DISCONNECT: the client comes back, and is told
// why it is not let in.
func TestAnExpiredTokenEndsTheConnection(t *testing.T) {
	h := openIdentified(t, func(o *gateway.Options) { o.TokenGrace = 0 })
	c, err := h.connectWith(ways(mint(t, func(g *auth.Grant) { g.Lifetime = time.Second }))["payload"])
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connection is closed", func() bool { return c.closedFor() == "token expired" })
	c.says("application", subscribeWA)
	eventually(t, "the refusal", func() bool { return len(c.received()) == 2 })
	if refusal := c.received()[1]; refusal != unauthorized("auth/token-expired", "the token has expired") {
		t.Errorf("joining after the end was answered %s", refusal)
	}
}

// A session is continued for its subject, and as far as that may have all of its rooms.
func TestRecoveryChecksIdentity(t *testing.T) {
	h := openIdentified(t)
	for name, c := range map[string]struct {
		token     string
		recovered bool
	}{
		"the same":               {mint(t), true},
		"another of the same":    {mint(t, func(g *auth.Grant) { g.Read = []string{"w/a"} }), true},
		"without the room":       {mint(t, readsElse), false},
		"of another subject":     {mint(t, ofBob), false},
		"none":                   {"", false},
		"of the other, and wide": {mint(t, ofBob, func(g *auth.Grant) { g.Read = []string{"*/*"} }), false},
	} {
		first := h.enter(ways(mint(t))["payload"])
		first.wantsMatch(freshPID)
		first.says("application", subscribeA)
		first.wantsMatch(answerA)
		offset := h.publish(roomWA)
		eventually(t, "the update", func() bool { return len(first.received()) == 1 })
		first.peer.Disconnected("transport close")
		missed := h.publish(roomWA)

		handshake := session.Handshake{Opened: time.Now()}
		if c.token != "" {
			handshake = ways(c.token)["payload"]
		}
		handshake.PID, handshake.Offset = first.pid, offset
		back := h.enter(handshake)
		if c.recovered {
			back.wantsMatch(`40\{"sid":"`+first.sid+`","pid":"`+first.pid+`"\}`,
				`42\["workspace_w_app_a",\{"n":[0-9]+,"position":"`+missed+`"\},"`+missed+`"\]`)
		} else {
			back.wantsMatch(freshPID)
			if back.pid == first.pid {
				t.Errorf("%s: the session was continued", name)
			}
		}
	}
}

// Where nobody is asked, tokens of older clients are not looked at.
func TestTokensWhereNobodyIsAsked(t *testing.T) {
	h := open(t, nil)
	top := h.publish(elsewhere)
	c, err := h.connectWith(ways("rubbish")["query"])
	if err != nil {
		t.Fatal(err)
	}
	c.says("application", subscribeWith("rubbish"))
	c.wants(response(`{"status":"SUCCESS",` + ofRoomWA + `,"position":"` + top + `"}`))
	c.asks(1, `{"event":"AUTHENTICATE","payload":{"token":"rubbish"}}`)
	answer := `{"status":"SUCCESS","event":"AUTHENTICATE"}`
	c.wants(response(answer), `431[`+answer+`]`)
}

// keyless is a Verifier whose keys are out of reach.
type keyless struct{}

func (keyless) Verify(context.Context, string) (*auth.Principal, error) {
	return nil, &auth.Refusal{Code: auth.CodeUnavailable, Message: "the keys for tokens cannot be had at the moment, try again"}
}

// That the keys are away is no fault of the token, and is told apart.
func TestKeysAreAway(t *testing.T) {
	h := openIdentified(t, func(o *gateway.Options) { o.Verifier = keyless{} })
	c, err := h.connectWith(session.Handshake{Opened: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	c.says("application", subscribeWith("t"))
	c.wants(response(`{"status":"ERROR",` + ofRoomWA + `,"error":{"code":"auth/unavailable","name":"Service Unavailable Error","message":"the keys for tokens cannot be had at the moment, try again"}}`))
}

// One subject has so many connections and no more, whichever way its token comes; what it gives
// back it has again. Others are not concerned, nor is who has shown no token yet.
func TestSessionsPerUser(t *testing.T) {
	h := openIdentified(t, func(o *gateway.Options) { o.SessionsPerUser = 2 })
	h.publish(elsewhere)
	handshake := ways(mint(t))["payload"]
	first, err := h.connectWith(handshake)
	if err != nil {
		t.Fatal(err)
	}
	late, err := h.connectWith(session.Handshake{Opened: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	late.says("application", subscribeWith(mint(t)))
	late.skip(1)
	for way, handshake := range ways(mint(t)) {
		var refusal *session.Refusal
		if _, err := h.connectWith(handshake); !errors.As(err, &refusal) || refusal.Code != auth.CodeSessions {
			t.Errorf("one too many by %s: %v", way, err)
		}
	}
	another, err := h.connectWith(session.Handshake{Opened: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	another.says("application", subscribeWith(mint(t)))
	another.wants(response(`{"status":"ERROR",` + ofRoomWA + `,"error":{"code":"auth/too-many-sessions","name":"Limit Error","message":"the token's subject has as many connections as it may"}}`))
	if _, err := h.connectWith(ways(mint(t, ofBob))["payload"]); err != nil {
		t.Errorf("of somebody else: %v", err)
	}
	first.peer.Disconnected("transport close")
	if _, err := h.connectWith(handshake); err != nil {
		t.Errorf("after one has gone: %v", err)
	}
}
