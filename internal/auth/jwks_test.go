package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// endpoint publishes a set of keys, or fails.
type endpoint struct {
	*httptest.Server

	mu     sync.Mutex
	body   string
	status int
	asked  int
}

func newEndpoint(t *testing.T) *endpoint {
	t.Helper()
	e := &endpoint{status: http.StatusOK}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.asked++
		w.WriteHeader(e.status)
		_, _ = fmt.Fprint(w, e.body)
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) publishes(status int, keys ...jose.JSONWebKey) {
	text, _ := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	e.mu.Lock()
	defer e.mu.Unlock()
	e.body, e.status = string(text), status
}

func (e *endpoint) timesAsked() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked
}

func jwk(algorithm, id string) jose.JSONWebKey {
	return jose.JSONWebKey{Key: signers()[algorithm].key.key, KeyID: id, Use: "sig"}
}

// signAs signs as the key of that id.
func signAs(t *testing.T, algorithm, id string) string {
	t.Helper()
	s := signers()[algorithm]
	token := jwt.NewWithClaims(s.method, good())
	token.Header["kid"] = id
	text, err := token.SignedString(s.private)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// follow runs a source until the end of the test.
func follow(t *testing.T, url string) (*JWKS, *Verifier) {
	t.Helper()
	source := NewJWKS(url, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { source.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return source, NewVerifier(Options{Source: source})
}

// due makes it as if the last fetch were long ago.
func (j *JWKS) due() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.tried = time.Now().Add(-2 * jwksPause)
}

// A token whose key was published a moment ago is good: nobody has to wait for a new key to
// come around.
func TestKeysBehindAURL(t *testing.T) {
	e := newEndpoint(t)
	e.publishes(http.StatusOK, jwk("RS256", "r1"), jwk("ES256", "e1"))
	source, v := follow(t, e.URL)
	for _, token := range []string{signAs(t, "RS256", "r1"), signAs(t, "ES256", "e1"), signAs(t, "PS512", "r1"), signers()["ES256"].sign(t, good())} {
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Errorf("%.40s: %v", token, err)
		}
	}
	for token, want := range map[string]string{
		signAs(t, "ES256", "r1"):           CodeSignature, // the key of that id is of another kind
		signAs(t, "ES384", "e2"):           CodeSignature,
		signers()["HS256"].sign(t, good()): CodeAlgorithm,
	} {
		if _, err := v.Verify(t.Context(), token); codeOf(err) != want {
			t.Errorf("%.40s: %v, want %s", token, err, want)
		}
	}
	if asked := e.timesAsked(); asked != 1 {
		t.Errorf("the keys were fetched %d times within a moment, by ids that anybody can invent", asked)
	}

	e.publishes(http.StatusOK, jwk("ES384", "e2"))
	source.due()
	if _, err := v.Verify(t.Context(), signAs(t, "ES384", "e2")); err != nil {
		t.Errorf("a token of the new key: %v", err)
	}
	if _, err := v.Verify(t.Context(), signAs(t, "RS256", "r1")); codeOf(err) != CodeSignature {
		t.Errorf("a token of the key that was taken back: %v", err)
	}
}

// While the URL fails the keys that were had last go on; before there were any, that is
// said, and not that the token is wrong.
func TestTheURLFails(t *testing.T) {
	e := newEndpoint(t)
	e.publishes(http.StatusServiceUnavailable)
	source, v := follow(t, e.URL)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := v.Verify(ctx, signAs(t, "ES256", "e1")); codeOf(err) != CodeUnavailable {
		t.Errorf("before there were keys: %v", err)
	}
	e.publishes(http.StatusOK, jwk("ES256", "e1"))
	if _, err := v.Verify(t.Context(), signAs(t, "ES256", "e1")); err != nil {
		t.Errorf("once there are keys: %v", err)
	}
	e.publishes(http.StatusInternalServerError)
	source.due()
	asked := e.timesAsked()
	if _, err := v.Verify(t.Context(), signAs(t, "ES384", "e2")); codeOf(err) != CodeSignature {
		t.Errorf("an unknown key while the URL fails: %v", err)
	}
	if e.timesAsked() == asked {
		t.Error("an unknown key was not asked for")
	}
	if _, err := v.Verify(t.Context(), signAs(t, "ES256", "e1")); err != nil {
		t.Errorf("a known key while the URL fails: %v", err)
	}
}

func TestWhatOfASetIsTaken(t *testing.T) {
	secretKey := jose.JSONWebKey{Key: []byte(secret), KeyID: "s", Use: "sig"}
	private := jose.JSONWebKey{Key: signers()["ES256"].private, KeyID: "p", Use: "sig"}
	encryption := jwk("RS256", "x")
	encryption.Use = "enc"
	bound := jwk("RS256", "b")
	bound.Algorithm = "RS512"
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{secretKey, private, encryption, bound}})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := parseJWKS(text)
	if err != nil || len(keys) != 1 || !keys[0].serves("RS512", "b") || keys[0].serves("RS256", "b") || keys[0].serves("RS512", "c") {
		t.Errorf("%+v, %v, want the RSA key for RS512 alone", keys, err)
	}
	for body, want := range map[string]string{
		"":                         "the answer is no set of keys",
		"<html>":                   "the answer is no set of keys",
		`{"keys":7}`:               "the answer is no set of keys",
		`{}`:                       "the answer holds no key that can verify a signature",
		`{"keys":[{"kty":"RSA"}]}`: "the answer holds no key that can verify a signature",
		`{"keys":["x",null,{}]}`:   "the answer holds no key that can verify a signature",
	} {
		if _, err := parseJWKS([]byte(body)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
}

func TestAnAnswerWithoutEnd(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, strings.Repeat(" ", jwksBytes+10))
	}))
	defer server.Close()
	source := NewJWKS(server.URL, slog.New(slog.DiscardHandler))
	if err := source.Fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("Fetch: %v", err)
	}
}

// An https:// URL must not lead to where anybody can answer.
func TestRedirects(t *testing.T) {
	for name, target := range map[string]string{"another scheme": "ftp://127.0.0.1/", "itself": "/"} {
		server := httptest.NewServer(http.RedirectHandler(target, http.StatusFound))
		err := NewJWKS(server.URL, slog.New(slog.DiscardHandler)).Fetch(t.Context())
		server.Close()
		if !errors.Is(err, errRedirect) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseJWKS(f *testing.F) {
	text, _ := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk("RS256", "r"), jwk("ES256", "e"), jwk("EdDSA", "d")}})
	f.Add(text)
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		keys, err := parseJWKS(body)
		for _, key := range keys {
			if key.IsSecret() || len(key.algorithms) == 0 {
				t.Errorf("%q gives %+v", body, key)
			}
		}
		if err == nil && len(keys) == 0 {
			t.Errorf("%q gives neither keys nor an error", body)
		}
	})
}

// After a rotation many tokens of the new key come at a time. Whoever comes while it is being
// fetched waits for that as the first one does, and is not told that its key is unknown.
func TestTokensWaitForTheFetchUnderWay(t *testing.T) {
	e := newEndpoint(t)
	e.publishes(http.StatusOK, jwk("ES256", "e1"))
	source, v := follow(t, e.URL)
	if _, err := v.Verify(t.Context(), signAs(t, "ES256", "e1")); err != nil {
		t.Fatal(err)
	}
	e.publishes(http.StatusOK, jwk("ES384", "e2"))
	e.mu.Lock() // the next fetch is answered when this is let go
	source.due()
	token := signAs(t, "ES384", "e2")
	verdicts := make(chan error, 8)
	verify := func() {
		_, err := v.Verify(t.Context(), token)
		verdicts <- err
	}
	go verify()
	for !source.isAsking() {
		runtime.Gosched()
	}
	for range cap(verdicts) - 1 {
		go verify()
	}
	select {
	case err := <-verdicts:
		t.Errorf("one did not wait: %v", err)
	case <-time.After(20 * time.Millisecond): // time to be wrong in, none that anything depends on
	}
	e.mu.Unlock()
	for range cap(verdicts) {
		if err := <-verdicts; err != nil {
			t.Errorf("a token of the key that was on its way: %v", err)
		}
	}
}

func (j *JWKS) isAsking() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.asking
}
