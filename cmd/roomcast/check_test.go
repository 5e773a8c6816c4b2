package main

import (
	"strings"
	"testing"
)

func TestCheckOfAGoodConfiguration(t *testing.T) {
	environment(t, "PORT", "9000", "ROOMCAST_HOST", "127.0.0.1", "ROOMCAST_JWT_SECRET", "hunter2 hunter2 hunter2 hunter2 hunter2",
		"ROOMCAST_API_KEYS", "ci:hunter2:publish+read:acme+beta-*,ops:hunter3:admin:*", "ROOMCAST_ALLOWED_ORIGINS", "https://app.example")
	code, stdout, stderr := command(t, "check")
	const want = `ok    listens   on 127.0.0.1, port 9000, in the clear: a proxy in front has to end TLS
ok    tokens    by HS256 HS384 HS512
ok    tokens    issuer any, audience any
ok    key       ci publishes to acme/* beta-*/*, reads acme/* beta-*/*
ok    key       ops sees /metrics
ok    pages     may connect: those of this server's own origin and https://app.example
ok    open      to everyone: the page, /api/v1/health/, /healthz, /readyz
ok    store     embedded: this instance is alone
`
	if code != 0 || stdout != want || stderr != "" {
		t.Errorf("%d\n%s\n%s", code, stdout, stderr)
	}
}

func TestCheckOfAnOpenServer(t *testing.T) {
	environment(t, "ROOMCAST_AUTH", "none")
	if code, stdout, _ := command(t, "check"); code != 0 || !strings.Contains(stdout, "identity  none: everyone who can reach this server may read and change every app\n") {
		t.Errorf("%d\n%s", code, stdout)
	}
}

// What a configuration names but does not answer is a failure of its own.
func TestCheckOfWhatDoesNotAnswer(t *testing.T) {
	away := "127.0.0.1:" + freePort(t)
	environment(t, "REDIS_URL", "redis://:hunter2@"+away, "ROOMCAST_JWKS_URL", "http://"+away+"/keys")
	code, stdout, stderr := command(t, "check")
	if code != 1 || stderr != "" || strings.Contains(stdout, "hunter2") {
		t.Errorf("%d\n%s\n%s", code, stdout, stderr)
	}
	for _, line := range []string{"FAIL  tokens    by the keys at ROOMCAST_JWKS_URL: ", "FAIL  store     redis at " + away + ": "} {
		if !strings.Contains(stdout, "\n"+line) {
			t.Errorf("%q is not in\n%s", line, stdout)
		}
	}
}

func TestCheckOfABadConfiguration(t *testing.T) {
	environment(t, "PORT", "http", "ROOMCAST_JWT_SECRET", "hunter2")
	code, stdout, stderr := command(t, "check")
	if code != 2 || stdout != "" || strings.Contains(stderr, "hunter2") ||
		!strings.HasPrefix(stderr, "roomcast check: the configuration is wrong:\nPORT=\"http\": must be ") || !strings.Contains(stderr, "\nROOMCAST_JWT_SECRET=(hidden): must be ") {
		t.Errorf("%d %q\n%s", code, stdout, stderr)
	}
}
