package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/roomcast/roomcast/internal/event"
)

const secret = "0123456789abcdef0123456789abcdef"

// signer is what signs tokens of one algorithm, and the key that verifies them.
type signer struct {
	method  jwt.SigningMethod
	private any
	key     Key
}

// signers are one of each algorithm. Making RSA keys takes a while, so it is done once.
var signers = sync.OnceValue(func() map[string]signer {
	all := make(map[string]signer)
	add := func(key Key, err error, private any, methods ...jwt.SigningMethod) {
		if err != nil {
			panic(err)
		}
		for _, method := range methods {
			all[method.Alg()] = signer{method, private, key}
		}
	}
	key, err := SecretKey([]byte(secret))
	add(key, err, []byte(secret), jwt.SigningMethodHS256, jwt.SigningMethodHS384, jwt.SigningMethodHS512)
	rsaKey, _ := rsa.GenerateKey(rand.Reader, 2048)
	key, err = PublicKey(rsaKey.Public())
	add(key, err, rsaKey, jwt.SigningMethodRS256, jwt.SigningMethodRS384, jwt.SigningMethodRS512,
		jwt.SigningMethodPS256, jwt.SigningMethodPS384, jwt.SigningMethodPS512)
	for curve, method := range map[elliptic.Curve]jwt.SigningMethod{
		elliptic.P256(): jwt.SigningMethodES256, elliptic.P384(): jwt.SigningMethodES384, elliptic.P521(): jwt.SigningMethodES512,
	} {
		private, _ := ecdsa.GenerateKey(curve, rand.Reader)
		key, err = PublicKey(private.Public())
		add(key, err, private, method)
	}
	public, private, _ := ed25519.GenerateKey(rand.Reader)
	key, err = PublicKey(public)
	add(key, err, private, jwt.SigningMethodEdDSA)
	return all
})

// good is what a token says that is good in every respect.
func good() jwt.MapClaims {
	return jwt.MapClaims{
		"sub": "u1", "exp": time.Now().Add(time.Hour).Unix(), "iss": "https://id.example", "aud": []string{"roomcast", "other"},
		"read": []string{"acme/*"}, "publish": []string{"acme/board-7"},
	}
}

func (s signer) sign(t testing.TB, claims jwt.MapClaims) string {
	t.Helper()
	text, err := jwt.NewWithClaims(s.method, claims).SignedString(s.private)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func verifier(keys ...Key) *Verifier {
	return NewVerifier(Options{Keys: keys, Issuer: "https://id.example", Audience: "roomcast", Leeway: 5 * time.Second})
}

func codeOf(err error) string {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	if err != nil {
		return "no refusal: " + err.Error()
	}
	return ""
}

func TestEveryAlgorithm(t *testing.T) {
	for name, s := range signers() {
		p, err := verifier(s.key).Verify(t.Context(), s.sign(t, good()))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.Subject != "u1" || !p.CanRead(event.Room{Workspace: "acme", App: "x"}) || p.CanRead(event.Room{Workspace: "beta", App: "x"}) ||
			!p.CanPublish(event.Room{Workspace: "acme", App: "board-7"}) || p.CanPublish(event.Room{Workspace: "acme", App: "x"}) ||
			p.IsAdmin() || p.Owner() != "sub:u1" || time.Until(p.Expires) > time.Hour {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// Each token is wrong in one respect, under every algorithm, and is told which.
func TestEachFaultHasItsCode(t *testing.T) {
	change := func(name string, value any) func(jwt.MapClaims) {
		return func(claims jwt.MapClaims) {
			if value == nil {
				delete(claims, name)
				return
			}
			claims[name] = value
		}
	}
	now := time.Now()
	for want, changes := range map[string][]func(jwt.MapClaims){
		CodeExpired:  {change("exp", now.Add(-time.Minute).Unix()), change("exp", 1)},
		CodeNoExpiry: {change("exp", nil)},
		CodeEarly:    {change("nbf", now.Add(time.Minute).Unix())},
		CodeIssuer:   {change("iss", "https://evil.example"), change("iss", nil), change("iss", "")},
		CodeAudience: {change("aud", "others"), change("aud", nil), change("aud", []string{})},
		CodeClaims: {
			change("sub", nil), change("sub", ""), change("sub", strings.Repeat("x", 257)), change("sub", "a\nb"),
			change("read", "acme/*"), change("read", []any{"acme/*", 7}), change("read", []string{"acme"}), change("read", []string{"*a/b"}),
			change("read", map[string]any{}), change("publish", []string{"a/b/c"}), change("publish", []string{"/"}),
			change("publish", make([]string, 257)), change("read", []string{"a/**"}), change("read", []string{"é/x"}),
		},
		CodeMalformed: {change("exp", "tomorrow"), change("aud", 7), change("sub", 7)},
	} {
		for n, apply := range changes {
			for name, s := range signers() {
				claims := good()
				apply(claims)
				if p, err := verifier(s.key).Verify(t.Context(), s.sign(t, claims)); codeOf(err) != want || p != nil {
					t.Errorf("%s, change %d for %s: %v (%+v)", name, n, want, err, p)
				}
			}
		}
	}
}

func TestLeeway(t *testing.T) {
	s := signers()["HS256"]
	claims := good()
	claims["exp"], claims["nbf"] = time.Now().Add(-2*time.Second).Unix(), time.Now().Add(2*time.Second).Unix()
	if _, err := verifier(s.key).Verify(t.Context(), s.sign(t, claims)); err != nil {
		t.Errorf("clocks two seconds apart: %v", err)
	}
}

// Without permissions a token is good, and permits nothing.
func TestNoPermissions(t *testing.T) {
	s := signers()["HS256"]
	for _, none := range []any{nil, []string{}} {
		claims := good()
		delete(claims, "read")
		delete(claims, "publish")
		if none != nil {
			claims["read"], claims["publish"] = none, none
		}
		p, err := verifier(s.key).Verify(t.Context(), s.sign(t, claims))
		if err != nil || p.CanRead(event.Room{Workspace: "a", App: "b"}) || p.CanPublish(event.Room{Workspace: "a", App: "b"}) {
			t.Errorf("%+v, %v", p, err)
		}
	}
}

// Whoever does not have the key makes no token that is taken, whatever the header says.
func TestForgeries(t *testing.T) {
	raw := func(header, claims, signature string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + "." + signature
	}
	const claims = `{"sub":"u1","exp":99999999999,"iss":"https://id.example","aud":"roomcast","read":["*/*"]}`
	for name, s := range signers() {
		genuine := s.sign(t, good())
		parts := strings.Split(genuine, ".")
		tampered := base64.RawURLEncoding.EncodeToString([]byte(claims))
		for token, want := range map[string]string{
			raw(`{"alg":"none","typ":"JWT"}`, claims, ""):       CodeAlgorithm,
			raw(`{"alg":"none","typ":"JWT"}`, claims, parts[2]): CodeAlgorithm,
			raw(`{"alg":"None"}`, claims, ""):                   CodeAlgorithm,
			raw(`{"alg":"NONE"}`, claims, ""):                   CodeAlgorithm,
			raw(`{"alg":""}`, claims, ""):                       CodeAlgorithm,
			raw(`{}`, claims, ""):                               CodeAlgorithm,
			raw(`{"alg":7}`, claims, parts[2]):                  CodeAlgorithm,
			raw(`{"alg":"HS257"}`, claims, parts[2]):            CodeAlgorithm,
			parts[0] + "." + tampered + "." + parts[2]:          CodeSignature,
			parts[0] + "." + parts[1] + ".":                     CodeSignature,
			parts[0] + "." + parts[1] + "." + parts[2][:8]:      CodeSignature,
			parts[0] + "." + parts[1]:                           CodeMalformed,
			genuine + ".":                                       CodeMalformed,
			genuine + "." + parts[2]:                            CodeMalformed,
			"." + parts[1] + "." + parts[2]:                     CodeMalformed,
			parts[0] + ".." + parts[2]:                          CodeMalformed,
			parts[0] + "." + parts[1] + ".!":                    CodeMalformed,
			"Bearer " + genuine:                                 CodeMalformed,
			"":                                                  CodeMalformed,
			"..":                                                CodeMalformed,
			"null":                                              CodeMalformed,
			strings.Repeat("a", MaxToken+1):                     CodeMalformed,
			raw("{", claims, parts[2]):                          CodeMalformed,
			raw(`{"alg":"`+name+`"}`, `[]`, parts[2]):           CodeMalformed,
			raw(`{"alg":"`+name+`"}`, "{\xff", parts[2]):        CodeMalformed,
		} {
			if p, err := verifier(s.key).Verify(t.Context(), token); codeOf(err) != want || p != nil {
				t.Errorf("%s: %.80q: %v, want %s", name, token, err, want)
			}
		}
		for other, stranger := range signers() {
			want := CodeAlgorithm
			if stranger.method.Alg()[:2] == name[:2] && stranger.method.Alg() != name {
				continue // of the same key
			}
			if other == name {
				continue
			}
			if _, err := verifier(s.key).Verify(t.Context(), stranger.sign(t, good())); codeOf(err) != want && codeOf(err) != "" {
				t.Errorf("%s signed, %s configured: %v", other, name, err)
			}
		}
	}
}

// A public key is for everybody to know. None of its forms is taken for the secret of HS256.
func TestAlgorithmConfusion(t *testing.T) {
	for name, s := range signers() {
		public, ok := s.key.key.(crypto.PublicKey)
		if _, isSecret := s.key.key.([]byte); isSecret || !ok {
			continue
		}
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		forms := [][]byte{der, text, text[:len(text)-1]}
		if key, ok := public.(ed25519.PublicKey); ok {
			forms = append(forms, key)
		}
		for _, form := range forms {
			for _, method := range []jwt.SigningMethod{jwt.SigningMethodHS256, jwt.SigningMethodHS384, jwt.SigningMethodHS512} {
				forged := signer{method: method, private: form}.sign(t, good())
				if _, err := verifier(s.key).Verify(t.Context(), forged); codeOf(err) != CodeAlgorithm {
					t.Errorf("%s key as the secret of %s: %v", name, method.Alg(), err)
				}
			}
		}
	}
}

// While one key takes over from another both are good, and a retired one is not.
func TestRotation(t *testing.T) {
	old := signers()["HS256"]
	key, err := SecretKey([]byte("another secret of some thirty-two bytes"))
	if err != nil {
		t.Fatal(err)
	}
	next := signer{jwt.SigningMethodHS256, key.key, key}
	both := verifier(next.key, old.key, signers()["ES256"].key)
	for _, s := range []signer{old, next, signers()["ES256"]} {
		if _, err := both.Verify(t.Context(), s.sign(t, good())); err != nil {
			t.Errorf("%s while both are good: %v", s.method.Alg(), err)
		}
	}
	if _, err := verifier(next.key).Verify(t.Context(), old.sign(t, good())); codeOf(err) != CodeSignature {
		t.Errorf("a token of the retired key: %v", err)
	}
}

func TestWeakKeysAreRefused(t *testing.T) {
	if _, err := SecretKey([]byte("0123456789abcdef0123456789abcde")); err == nil {
		t.Error("a secret of 31 bytes is taken")
	}
	short, err := rsa.GenerateKey(rand.Reader, 1024) // that it is too short is the point
	if err != nil {
		t.Fatal(err)
	}
	if _, err := PublicKey(short.Public()); err == nil {
		t.Error("an RSA key of 1024 bits is taken")
	}
}

func TestPublicKeyFiles(t *testing.T) {
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	rsaPrivate := signers()["RS256"].private.(*rsa.PrivateKey)
	pkix := func(name string) []byte {
		der, err := x509.MarshalPKIXPublicKey(signers()[name].key.key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	two := "comment\n" + block("PUBLIC KEY", pkix("ES256")) + "\n" + block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsaPrivate.PublicKey)) + block("PUBLIC KEY", pkix("EdDSA"))
	keys, err := PublicKeys([]byte(two))
	if err != nil || len(keys) != 3 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	for _, name := range []string{"ES256", "PS384", "EdDSA"} {
		if _, err := verifier(keys...).Verify(t.Context(), signers()[name].sign(t, good())); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for text, want := range map[string]string{
		"":                                      "holds no key in PEM form",
		"not a key":                             "holds no key in PEM form",
		two + block("PRIVATE KEY", []byte("x")): `holds a block of type "PRIVATE KEY", where a PUBLIC KEY is due`,
		block("PUBLIC KEY", []byte("x")):        "holds a public key that cannot be read",
		block("RSA PUBLIC KEY", []byte("x")):    "holds a public key that cannot be read",
		block("CERTIFICATE", []byte("x")):       "holds a public key that cannot be read",
	} {
		if _, err := PublicKeys([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%.60q: %v, want %s", text, err, want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	s := signers()["HS256"]
	v := NewVerifier(Options{Keys: []Key{s.key, signers()["ES256"].key}})
	f.Add(s.sign(f, good()))
	f.Add(signers()["ES256"].sign(f, good()))
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		p, err := v.Verify(t.Context(), token)
		if (err == nil) != (p != nil) || err != nil && !strings.HasPrefix(codeOf(err), "auth/") {
			t.Errorf("%q: %+v, %v", token, p, err)
		}
		if p != nil && (p.Subject == "" || p.Expires.IsZero()) {
			t.Errorf("%q: %+v", token, p)
		}
	})
}
