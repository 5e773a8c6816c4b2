package config_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/auth"
	"github.com/roomcast/roomcast/internal/config"
)

const publicKey = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
`

func TestKeysOfTokens(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("one.pem", []byte(publicKey+publicKey), 0o600); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("s", auth.MinSecret)
	c, err := config.Load([]string{
		"ROOMCAST_JWT_SECRET=" + long + "," + long + "2", "ROOMCAST_JWT_PUBLIC_KEY_FILE=one.pem, one.pem",
		"ROOMCAST_JWKS_URL=https://id.example/keys", "ROOMCAST_JWT_ISSUER=https://id.example", "ROOMCAST_JWT_AUDIENCE=roomcast",
		"ROOMCAST_JWT_LEEWAY=0s", "ROOMCAST_TOKEN_NOTICE=2m", "ROOMCAST_TOKEN_GRACE=1s", "ROOMCAST_API_KEYS=ci:s3cret:publish:*",
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	tokens := c.Access.Tokens
	if c.Access.Auth != config.AuthJWT || len(tokens.Keys) != 6 || tokens.JWKS != "https://id.example/keys" || tokens.Issuer != "https://id.example" ||
		tokens.Audience != "roomcast" || tokens.Leeway != 0 || tokens.Notice != 2*time.Minute || tokens.Grace != time.Second ||
		c.Access.APIKeys.Find("s3cret") == nil {
		t.Errorf("%+v", c.Access)
	}
}

func TestKeysThatAreNone(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("private.pem", []byte(strings.ReplaceAll(publicKey, "PUBLIC", "PRIVATE")), 0o600); err != nil {
		t.Fatal(err)
	}
	for entry, want := range map[string]string{
		"ROOMCAST_JWT_SECRET=hunter2":                                       "ROOMCAST_JWT_SECRET=(hidden): must be secrets of at least 32 bytes with commas between",
		"ROOMCAST_JWT_SECRET=" + strings.Repeat("s", auth.MinSecret) + ",x": "ROOMCAST_JWT_SECRET=(hidden): must be secrets of at least 32 bytes with commas between",
		"ROOMCAST_JWT_PUBLIC_KEY_FILE=absent.pem":                           `ROOMCAST_JWT_PUBLIC_KEY_FILE="absent.pem": cannot be read: open absent.pem: no such file or directory`,
		"ROOMCAST_JWT_PUBLIC_KEY_FILE=private.pem":                          `ROOMCAST_JWT_PUBLIC_KEY_FILE="private.pem": private.pem holds a block of type "PRIVATE KEY", where a PUBLIC KEY is due`,
	} {
		if _, err := config.Load([]string{entry}, ""); err == nil || err.Error() != want {
			t.Errorf("%.60s\n got %v\nwant %s", entry, err, want)
		}
	}
	const secret = "ROOMCAST_JWT_SECRET=0123456789abcdef0123456789abcdef"
	_, err := config.Load([]string{secret, "ROOMCAST_API_KEYS=ci:hunter2:read"}, "")
	if want := "ROOMCAST_API_KEYS=(hidden): the key at place 1: must be <name>:<secret>:<scopes>:<workspaces>"; err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

// Whoever makes a token needs who may come in, and nothing else to be sound.
func TestLoadAccess(t *testing.T) {
	access, err := config.LoadAccess([]string{"ROOMCAST_JWT_SECRET=0123456789abcdef0123456789abcdef", "PORT=http"}, "")
	if err != nil || len(access.Tokens.Keys) != 1 {
		t.Errorf("%+v, %v", access, err)
	}
	if _, err := config.LoadAccess(nil, ""); err == nil || !strings.HasPrefix(err.Error(), "ROOMCAST_AUTH: no key for tokens is set") {
		t.Errorf("without a key: %v", err)
	}
}
