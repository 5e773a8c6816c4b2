package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/event"
)

func TestAPIKeys(t *testing.T) {
	digest := sha256.Sum256([]byte("hashed secret"))
	keys, err := ParseAPIKeys("ci:s3cret:publish+read:acme+beta,ops:sha256=" + hex.EncodeToString(digest[:]) + ":admin:*,pre:p-r-e:publish:acme-*")
	if err != nil || keys.Len() != 3 {
		t.Fatalf("%d keys, %v", keys.Len(), err)
	}
	type may struct{ read, publish, admin bool }
	for _, c := range []struct {
		secret, workspace string
		may               may
	}{
		{"s3cret", "acme", may{read: true, publish: true}}, {"s3cret", "beta", may{read: true, publish: true}}, {"s3cret", "gamma", may{}},
		{"hashed secret", "acme", may{admin: true}},
		{"p-r-e", "acme-1", may{publish: true}}, {"p-r-e", "acme", may{}},
	} {
		p, room := keys.Find(c.secret), event.Room{Workspace: c.workspace, App: "any"}
		if p == nil {
			t.Errorf("%s is nobody's", c.secret)
			continue
		}
		if got := (may{p.CanRead(room), p.CanPublish(room), p.IsAdmin()}); got != c.may {
			t.Errorf("%s in %s: %+v, want %+v", p.Subject, c.workspace, got, c.may)
		}
	}
	if owner := keys.Find("s3cret").Owner(); owner != "key:ci" {
		t.Errorf("owner %q", owner)
	}
	for _, wrong := range []string{"", "S3cret", "s3cret ", "s3cre", "sha256=" + hex.EncodeToString(digest[:]), hex.EncodeToString(digest[:]), "ci:s3cret"} {
		if p := keys.Find(wrong); p != nil {
			t.Errorf("%q is %s's", wrong, p.Subject)
		}
	}
}

// What is wrong is said without the secret.
func TestAPIKeysRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "the key at place 1: must be <name>:<secret>:<scopes>:<workspaces>",
		"ci:hunter2:publish":                "the key at place 1: must be <name>:<secret>:<scopes>:<workspaces>",
		"ci:hunter2:publish:acme:x":         "the key at place 1: must be <name>:<secret>:<scopes>:<workspaces>",
		"ci:hunter2:publish:acme,":          "the key at place 2: must be <name>:<secret>:<scopes>:<workspaces>",
		":hunter2:publish:acme":             "the key at place 1: its name must be 1 to 64 characters of A-Z a-z 0-9 . _ -",
		"c i:hunter2:publish:acme":          "the key at place 1: its name must be 1 to 64 characters of A-Z a-z 0-9 . _ -",
		"ci::publish:acme":                  "the key at place 1: its secret is empty",
		"ci:sha256=hunter2:publish:acme":    "the key at place 1: sha256= must be followed by 64 hexadecimal digits",
		"ci:hunter2:write:acme":             "the key at place 1: its scopes must be of publish, read and admin, joined by +",
		"ci:hunter2::acme":                  "the key at place 1: its scopes must be of publish, read and admin, joined by +",
		"ci:hunter2:publish:":               "the key at place 1: its workspace is required",
		"ci:hunter2:publish:a b":            "the key at place 1: its workspace may hold only A-Z a-z 0-9 . _ ~ -",
		"ci:hunter2:publish:*a":             "the key at place 1: its workspace may hold only A-Z a-z 0-9 . _ ~ -",
		"ci:a:read:x,ci:hunter2:read:x":     "the key at place 2: the name ci is another's",
		"a:hunter2:read:x,b:hunter2:r:x":    "the key at place 2: its scopes must be of publish, read and admin, joined by +",
		"a:hunter2:read:x,b:hunter2:read:x": "the key at place 2: the secret is another's",
	} {
		_, err := ParseAPIKeys(text)
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the secret is in %v", text, err)
		}
	}
}

func TestBearer(t *testing.T) {
	for header, want := range map[string]string{
		"Bearer abc": "abc", "bearer abc": "abc", "BEARER  abc ": "abc", "Bearer ": "", "Bearer": "", "": "", "Basic abc": "", "Bearerabc": "",
	} {
		if got, ok := Bearer(header); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %t, want %q", header, got, ok, want)
		}
	}
}

func FuzzParseAPIKeys(f *testing.F) {
	f.Add("ci:s3cret:publish+read:acme+beta,ops:sha256=00:admin:*")
	f.Add(":::,")
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := ParseAPIKeys(text)
		if err == nil && keys.Len() != strings.Count(text, ",")+1 {
			t.Errorf("%q: %d keys", text, keys.Len())
		}
	})
}
