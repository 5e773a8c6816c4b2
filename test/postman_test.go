package test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/roomcast/roomcast/test/harness"
)

func TestThePostmanCollectionPasses(t *testing.T) {
	t.Parallel()
	runCollection(t, harness.StartCluster(t, "one").Servers[0].URL, "")
}

// Where keys are asked for, the collection shows the one it is given.
func TestThePostmanCollectionPassesWithAKey(t *testing.T) {
	t.Parallel()
	server := startIdentified(t, "ROOMCAST_API_KEYS=postman:s3cret:publish+admin:demo")
	runCollection(t, server.URL, "s3cret")
}

func runCollection(t *testing.T, url, key string) {
	t.Helper()
	newman := exec.Command(harness.Program(t, "node"), "node_modules/newman/bin/newman.js", "run",
		filepath.Join(harness.Root(), "postman", "roomcast.postman_collection.json"),
		"--environment", filepath.Join(harness.Root(), "postman", "roomcast.postman_environment.json"),
		"--env-var", "baseUrl="+url, "--env-var", "apiKey="+key,
		"--color", "off")
	newman.Dir = filepath.Join(harness.Root(), "test", "clients")
	if output, err := newman.CombinedOutput(); err != nil {
		t.Errorf("newman: %v\n%s", err, output)
	}
}
