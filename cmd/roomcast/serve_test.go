package main

import (
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/config"
)

// An open server has to be asked for: without a key nothing starts, and what to set is said.
func TestServeWantsAKey(t *testing.T) {
	environment(t, "PORT", freePort(t))
	code, stdout, stderr := command(t, "serve")
	want := "roomcast serve: the configuration is wrong:\n" +
		"ROOMCAST_AUTH: no key for tokens is set: set ROOMCAST_JWT_SECRET (32 bytes or more, such as from openssl rand -base64 32), ROOMCAST_JWT_PUBLIC_KEY_FILE or ROOMCAST_JWKS_URL; or, if everyone who can reach this server may read and change every app, ROOMCAST_AUTH=none\n"
	if code != 2 || stdout != "" || stderr != want {
		t.Errorf("%d %q\n%s", code, stdout, stderr)
	}
}

func TestServeSaysAllFaultsTogether(t *testing.T) {
	environment(t, "PORT", "http", "ROOMCAST_EIO3", "maybe", "ROOMCAST_PNIG_TIMEOUT", "1s", "REDIS_URL", "redis://:hunter2@")
	file := writeFile(t, "my.env", "ROOMCAST_LOG_LEVEL=loud\nREDIS_PASSWORD=hunter2\n")
	code, stdout, stderr := command(t, "serve", "--env-file", file)
	if code != 2 || stdout != "" || strings.Contains(stderr, "hunter2") {
		t.Errorf("%d %q\n%s", code, stdout, stderr)
	}
	for _, line := range []string{
		`PORT="http": must be `, `ROOMCAST_EIO3="maybe": must be on or off`, `ROOMCAST_LOG_LEVEL="loud" (in ` + file + `): must be `,
		"REDIS_URL=(hidden): must be ", "ROOMCAST_AUTH: no key for tokens is set", "ROOMCAST_PNIG_TIMEOUT: no such variable; did you mean ROOMCAST_PING_TIMEOUT?",
	} {
		if !strings.Contains(stderr, "\n"+line) {
			t.Errorf("%q is not in\n%s", line, stderr)
		}
	}
}

// The .env file of the working directory is read without being asked for; the environment
// wins over it. "roomcast health" finds the instance by the same two.
func TestServeAndHealth(t *testing.T) {
	port := freePort(t)
	environment(t, "PORT", port)
	text := "ROOMCAST_AUTH=none\nPORT=1\nROOMCAST_HOST=127.0.0.1\nROOMCAST_DRAIN_NOTICE=0s\nROOMCAST_INSTANCE_ID=north\n"
	if err := os.WriteFile(".env", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := command(t, "health"); code != 1 || !strings.Contains(stderr, "roomcast health: ") {
		t.Errorf("before the start: %d %s", code, stderr)
	}
	server := launch(t, "serve")
	eventually(t, "the instance is ready", func() bool { return status(t, "http://127.0.0.1:"+port+"/readyz") == http.StatusOK })
	for _, args := range [][]string{{"health"}, {"health", "--ready"}} {
		if code, stdout, stderr := command(t, args...); code != 0 || stdout != "ok\n" || stderr != "" {
			t.Errorf("roomcast %s: %d %q %q", strings.Join(args, " "), code, stdout, stderr)
		}
	}
	server.stop(0)
	if code, stdout, _ := command(t, "health"); code != 1 || stdout != "" {
		t.Errorf("after the end: %d %s", code, stdout)
	}
	if server.stdout.String() != "" {
		t.Errorf("standard output: %s", server.stdout.String())
	}
	for _, said := range []string{"msg=serving address=127.0.0.1:" + port + " instance=north store=embedded page=http://127.0.0.1:" + port + "/\n", `msg="going down" notice=0s drain=15s` + "\n", "msg=down\n", "this instance is alone"} {
		if !strings.Contains(server.stderr.String(), said) {
			t.Errorf("the log does not say %q:\n%s", said, server.stderr.String())
		}
	}
}

func TestServeWithAnotherFileAndAdminAddress(t *testing.T) {
	environment(t)
	port, admin := freePort(t), freePort(t)
	file := writeFile(t, "other.env", "ROOMCAST_AUTH=none\nENVIRONMENT=production\nPORT="+port+
		"\nROOMCAST_HOST=127.0.0.1\nROOMCAST_DRAIN_NOTICE=0s\nROOMCAST_ADMIN_ADDR=127.0.0.1:"+admin+"\n")
	server := launch(t, "serve", "--env-file="+file)
	eventually(t, "health", func() bool {
		code, _, _ := command(t, "health", "--ready", "--env-file", file)
		return code == 0
	})
	if got := status(t, "http://127.0.0.1:"+port+"/healthz"); got != http.StatusNotFound {
		t.Errorf("/healthz at the public address: %d", got)
	}
	server.stop(0)
	for line := range strings.Lines(server.stderr.String()) {
		if !strings.HasPrefix(line, `{"time":`) {
			t.Errorf("outside development the log is JSON, but: %s", line)
		}
	}
}

// Docker must not kill an instance that is going down well.
func TestComposeLetsItGoDown(t *testing.T) {
	text, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load([]string{"ROOMCAST_AUTH=none"}, "")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^ +stop_grace_period: (.+)$`).FindSubmatch(text)
	if found == nil {
		t.Fatal("docker-compose.yml has no stop_grace_period")
	}
	grace, err := time.ParseDuration(string(found[1]))
	if longest := goingDown(cfg.Drain); err != nil || grace <= longest {
		t.Errorf("stop_grace_period is %s (%v), want more than %s", found[1], err, longest)
	}
}

func TestServeOnATakenPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	environment(t, "ROOMCAST_AUTH", "none", "ROOMCAST_HOST", "127.0.0.1", "PORT", port)
	code, _, stderr := command(t, "serve")
	if code != 1 || !strings.Contains(stderr, `level=ERROR msg="cannot start"`) || !strings.Contains(stderr, "address already in use; set PORT to another") {
		t.Errorf("%d %s", code, stderr)
	}
}

// Redis away at the start: the process lives, and is not ready.
func TestServeWithoutItsRedis(t *testing.T) {
	port := freePort(t)
	environment(t, "ROOMCAST_AUTH", "none", "ROOMCAST_HOST", "127.0.0.1", "PORT", port, "ROOMCAST_DRAIN_NOTICE", "0s",
		"REDIS_URL", "redis://:hunter2@127.0.0.1:"+freePort(t))
	server := launch(t, "serve")
	eventually(t, "the process lives", func() bool { return status(t, "http://127.0.0.1:"+port+"/healthz") == http.StatusOK })
	if code, _, _ := command(t, "health"); code != 0 {
		t.Errorf("health: %d", code)
	}
	if code, _, stderr := command(t, "health", "--ready"); code != 1 || !strings.Contains(stderr, "/readyz answers 503 Service Unavailable") {
		t.Errorf("health --ready: %d %s", code, stderr)
	}
	eventually(t, "the log says so", func() bool { return strings.Contains(server.stderr.String(), "cannot reach the store, trying on") })
	server.stop(0)
	if strings.Contains(server.stderr.String(), "hunter2") {
		t.Errorf("the password is in the log:\n%s", server.stderr.String())
	}
}

func TestHealthWithAWrongConfiguration(t *testing.T) {
	environment(t, "ROOMCAST_AUTH", "none", "PORT", "http")
	code, stdout, stderr := command(t, "health")
	if code != 1 || stdout != "" || !strings.HasPrefix(stderr, "roomcast health: the configuration is wrong:\nPORT=\"http\": must be ") {
		t.Errorf("%d %q %q", code, stdout, stderr)
	}
}

// A container's health check must not turn unhealthy over what it does not need.
func TestHealthNeedsTheAddressAlone(t *testing.T) {
	port := freePort(t)
	environment(t, "ROOMCAST_AUTH", "none", "ROOMCAST_HOST", "127.0.0.1", "PORT", port, "ROOMCAST_DRAIN_NOTICE", "0s")
	server := launch(t, "serve")
	eventually(t, "the instance is ready", func() bool { return status(t, "http://127.0.0.1:"+port+"/readyz") == http.StatusOK })
	t.Setenv("ROOMCAST_AUTH", "")
	t.Setenv("ROOMCAST_EIO3", "maybe")
	if code, stdout, stderr := command(t, "health"); code != 0 || stdout != "ok\n" || stderr != "" {
		t.Errorf("%d %q %q", code, stdout, stderr)
	}
	server.stop(0)
}
