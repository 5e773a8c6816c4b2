package test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/redis/redistest"
	"github.com/roomcast/roomcast/test/harness"
)

// leastPermissions are those of docs/reliability.md.
func leastPermissions(t *testing.T) []any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.Root(), "docs", "reliability.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n~{socketevent}:*")
	rules, _, ended := strings.Cut(rest, "```")
	if !found || !ended {
		t.Fatal("docs/reliability.md names no permissions")
	}
	var all []any
	for _, rule := range strings.Fields("~{socketevent}:*" + rules) {
		all = append(all, rule)
	}
	return all
}

// Everything encrypted, on both sides: clients by TLS, Redis by rediss:// as a user that may do
// what it must and no more. Official clients of two instances hear each other's updates, and
// what is secret is in no log.
func TestEverythingOverTLS(t *testing.T) {
	t.Parallel()
	const password = "a-password-of-redis"
	certificate := harness.NewCertificate(t)
	port := strconv.Itoa(harness.FreePort(t))
	store := redistest.Start(t, "--tls-port", port, "--tls-cert-file", certificate.CertFile, "--tls-key-file", certificate.KeyFile, "--tls-auth-clients", "no")
	store.Do(append([]any{"ACL", "SETUSER", "roomcast", "on", ">" + password}, leastPermissions(t)...)...)
	store.Do("ACL", "SETUSER", "default", "off")
	var servers []*harness.Server
	for _, id := range []string{"one", "two"} {
		servers = append(servers, harness.StartServer(t, harness.ServerOptions{
			ID: id, TLS: certificate, Key: "s3cret", Redis: "rediss://roomcast:" + password + "@127.0.0.1:" + port,
			Env: []string{
				"SSL_CERT_FILE=" + certificate.CertFile, "ROOMCAST_LOG_LEVEL=debug",
				"ROOMCAST_AUTH=jwt", "ROOMCAST_JWT_SECRET=" + tokenSecret, "ROOMCAST_API_KEYS=" + apiKeys,
			},
		}))
	}
	runner := harness.StartRunner(t)
	room := harness.Room{Workspace: "acme", App: "board"}
	token := lasting(t, time.Hour)
	for version := 1; version <= 4; version++ {
		for _, mode := range []string{"polling", "websocket", "upgrade"} {
			server := servers[version%2]
			client := runner.Connect(t, harness.Dial{Version: version, Mode: mode, URL: server.URL, CA: certificate.PEM, By: "query", Token: token})
			client.Subscribe(t, room)
			servers[(version+1)%2].PutApp(t, room, nil)
			client.AwaitUpdate(t, room)
			client.Disconnect(t)
		}
	}
	health := exec.Command(harness.Binary(t), "health", "-ready")
	_, at, _ := strings.Cut(servers[0].Address, ":")
	health.Env = []string{"PORT=" + at, "ROOMCAST_TLS_CERT_FILE=" + certificate.CertFile, "ROOMCAST_TLS_KEY_FILE=" + certificate.KeyFile}
	if output, err := health.CombinedOutput(); err != nil || string(output) != "ok\n" {
		t.Errorf("roomcast health: %v, %s", err, output)
	}
	metrics := servers[0].Call(t, http.MethodGet, "/metrics", nil)
	if metrics.Status != http.StatusForbidden {
		t.Errorf("/metrics for a key that publishes: %d", metrics.Status)
	}
	for _, server := range servers {
		for name, secret := range map[string]string{"password": password, "key": "s3cret", "secret of tokens": tokenSecret, "token": token} {
			if strings.Contains(server.Output(), secret) {
				t.Errorf("the log of %s has the %s", server.ID, name)
			}
		}
	}
}
