package main

import (
	"strings"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/auth"
	"github.com/roomcast/roomcast/internal/event"
)

func TestToken(t *testing.T) {
	const secret = "a secret of thirty-two bytes or more"
	environment(t, "ROOMCAST_JWT_SECRET", secret+",another secret of thirty-two bytes", "ROOMCAST_JWT_ISSUER", "dev", "ROOMCAST_JWT_AUDIENCE", "roomcast")
	code, stdout, stderr := command(t, "token", "-sub", "ann", "-name", "Ann", "-read", "acme/*,beta/x", "-read", "c*/y", "-publish", "acme/b", "-for", "10m")
	if code != 0 || stderr != "" {
		t.Fatalf("%d %s", code, stderr)
	}
	key, err := auth.SecretKey([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	verifier := auth.NewVerifier(auth.Options{Keys: []auth.Key{key}, Issuer: "dev", Audience: "roomcast"})
	p, err := verifier.Verify(t.Context(), strings.TrimSuffix(stdout, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{"acme/a": true, "beta/x": true, "car/y": true, "beta/y": false} {
		room, _ := event.ParseRoom(text)
		if p.CanRead(room) != want {
			t.Errorf("reads %s: %t", text, !want)
		}
	}
	if left := time.Until(p.Expires); p.Subject != "ann" || left > 10*time.Minute || left < 9*time.Minute {
		t.Errorf("%+v", p)
	}
}

func TestTokenRefusals(t *testing.T) {
	environment(t)
	const hint = "Try \"roomcast help token\".\n"
	if code, _, stderr := command(t, "token"); code != 2 || !strings.HasPrefix(stderr, "roomcast token: the configuration is wrong:\nROOMCAST_AUTH: no key for tokens is set") {
		t.Errorf("without a key: %d %s", code, stderr)
	}
	t.Setenv("ROOMCAST_AUTH", "none")
	if code, _, stderr := command(t, "token"); code != 2 || stderr != "roomcast token: there is no secret to sign with: set ROOMCAST_JWT_SECRET\n"+hint {
		t.Errorf("where nobody is asked: %d %s", code, stderr)
	}
	t.Setenv("ROOMCAST_AUTH", "jwt")
	t.Setenv("ROOMCAST_JWT_SECRET", "a secret of thirty-two bytes or more")
	for want, args := range map[string][]string{
		`read: "acme": must be a list of "<workspace>/<app>"`: {"-read", "acme"},
		"sub is missing": {"-sub", ""},
		`invalid value "0s" for flag -for: must be from 1s to 720h`:       {"-for", "0s"},
		`invalid value "721h0m0s" for flag -for: must be from 1s to 720h`: {"-for", "721h"},
		`unexpected argument "ann"`:                                       {"ann"},
	} {
		if code, stdout, stderr := command(t, append([]string{"token"}, args...)...); code != 2 || stdout != "" || stderr != "roomcast token: "+want+"\n"+hint {
			t.Errorf("%v: %d %q %s", args, code, stdout, stderr)
		}
	}
}
