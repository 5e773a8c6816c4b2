package rest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/roomcast/roomcast/internal/auth"
	"github.com/roomcast/roomcast/internal/rest"
)

// callers are keys, and tokens of one secret.
func callers(t *testing.T) (*auth.Callers, auth.Key) {
	t.Helper()
	secret, err := auth.SecretKey([]byte("a secret of thirty-two bytes or more"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := auth.ParseAPIKeys("ci:publishes-w:publish:w,eyes:reads-w:read:w,ops:administers:admin:*,far:publishes-far:publish:far")
	if err != nil {
		t.Fatal(err)
	}
	return &auth.Callers{Keys: keys, Verifier: auth.NewVerifier(auth.Options{Keys: []auth.Key{secret}})}, secret
}

// Who may do what, by every way to show who one is: each case on all routes.
func TestWhoMayCall(t *testing.T) {
	known, secret := callers(t)
	mint := func(lifetime time.Duration, publish ...string) string {
		token, err := auth.Mint(secret, auth.Grant{Subject: "ann", Read: []string{"*/*"}, Publish: publish, Lifetime: lifetime})
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + token
	}
	const unknown, lacks = "The caller is not identified", "The caller lacks a permission"
	const mayNot = "publishing to w/a is not permitted"
	for name, c := range map[string]struct {
		authorization string
		publish       int // the status of publishing
		code, detail  string
		metrics       int
	}{
		"nobody":            {"", 401, "auth/required", "Authorization: Bearer with a key or a token is required", 401},
		"another scheme":    {"Basic publishes-w", 401, "auth/required", "Authorization: Bearer with a key or a token is required", 401},
		"an unknown key":    {"Bearer publishes", 401, "auth/key", "the key is not known", 401},
		"a key":             {"Bearer publishes-w", 201, "", "", 403},
		"a reader's key":    {"Bearer reads-w", 403, "auth/forbidden", mayNot, 403},
		"an operator's key": {"Bearer administers", 403, "auth/forbidden", mayNot, 200},
		"another's key":     {"Bearer publishes-far", 403, "auth/forbidden", mayNot, 403},
		"a token":           {mint(time.Hour, "w/a"), 201, "", "", 403},
		"a token of all":    {mint(time.Hour, "*/*"), 201, "", "", 403},
		"a reader's token":  {mint(time.Hour), 403, "auth/forbidden", mayNot, 403},
		"another's token":   {mint(time.Hour, "w/b", "far/*"), 403, "auth/forbidden", mayNot, 403},
		"an expired token":  {mint(-time.Minute, "w/a"), 401, "auth/token-expired", "the token has expired", 401},
		"a tampered token":  {mint(time.Hour, "w/a") + "x", 401, "auth/token-signature", "the token's signature is not good", 401},
		"an unsigned token": {"Bearer eyJhbGciOiJub25lIn0.e30.", 401, "auth/token-algorithm", "the token's algorithm is not accepted", 401},
		"what is no token":  {"Bearer a.b.c", 401, "auth/token-malformed", "the token cannot be read", 401},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(func(o *rest.Options) { o.Callers, o.Gatherer = known, prometheus.NewRegistry() })
			do := func(method, path, body string) (status int, text, challenge string) {
				r := httptest.NewRequest(method, path, strings.NewReader(body))
				r.Header.Set("Content-Type", "application/json")
				if c.authorization != "" {
					r.Header.Set("Authorization", c.authorization)
				}
				w := f.do(r)
				return w.Code, w.Body.String(), w.Header().Get("WWW-Authenticate")
			}
			status, body, challenge := do("POST", updatesURL, `{"event":"E"}`)
			if status != c.publish || c.code != "" && (!strings.Contains(body, `"code":"`+c.code+`"`) || !strings.Contains(body, `"detail":"`+c.detail+`"`)) {
				t.Errorf("POST updates: %d %s", status, body)
			}
			if (status == 401) != (challenge == "Bearer") || status == 401 && !strings.Contains(body, unknown) || status == 403 && !strings.Contains(body, lacks) {
				t.Errorf("POST updates: %d %s, challenge %q", status, body, challenge)
			}
			want := c.publish
			if want == 201 {
				want = 200
			}
			if status, body, _ := do("PUT", "/api/v1/apps/", appBody); status != want || c.code != "" && !strings.Contains(body, `"code":"`+c.code+`"`) {
				t.Errorf("PUT apps: %d %s", status, body)
			}
			published := 0
			if c.publish == 201 {
				published = 2
			}
			if n := len(f.channel.published()); n != published {
				t.Errorf("%d publications, want %d", n, published)
			}
			if status, body, _ := do("GET", "/metrics", ""); status != c.metrics {
				t.Errorf("GET /metrics: %d %s", status, body)
			}
			for _, path := range []string{"/healthz", "/readyz", "/api/v1/health/"} {
				if status, body, _ := do("GET", path, ""); status != http.StatusOK {
					t.Errorf("GET %s: %d %s", path, status, body)
				}
			}
		})
	}
}

// A key of idempotency belongs to who sent it: another caller's same key is another one, also
// of a key and a token by one name.
func TestIdempotencyIsPerCaller(t *testing.T) {
	known, secret := callers(t)
	token, err := auth.Mint(secret, auth.Grant{Subject: "ci", Publish: []string{"w/*"}, Lifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(func(o *rest.Options) { o.Callers = known })
	for n, credential := range []string{"publishes-w", token, "publishes-w", token} {
		r := httptest.NewRequest("POST", updatesURL, strings.NewReader(`{"event":"E"}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+credential)
		r.Header.Set("Idempotency-Key", "k")
		if w := f.do(r); w.Code != 201 || (w.Header().Get("Idempotency-Replayed") == "true") != (n >= 2) {
			t.Errorf("request %d: %d %s, replayed %q", n, w.Code, w.Body, w.Header().Get("Idempotency-Replayed"))
		}
	}
	if n := len(f.channel.published()); n != 2 {
		t.Errorf("%d publications, want one of each caller", n)
	}
}
