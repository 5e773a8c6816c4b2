package test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/roomcast/roomcast/test/harness"
)

func TestThePostmanCollectionPasses(t *testing.T) {
	t.Parallel()
	cluster := harness.StartCluster(t, "one")
	newman := exec.Command(harness.Program(t, "node"), "node_modules/newman/bin/newman.js", "run",
		filepath.Join(harness.Root(), "postman", "roomcast.postman_collection.json"),
		"--environment", filepath.Join(harness.Root(), "postman", "roomcast.postman_environment.json"),
		"--env-var", "baseUrl="+cluster.Servers[0].URL,
		"--color", "off")
	newman.Dir = filepath.Join(harness.Root(), "test", "clients")
	if output, err := newman.CombinedOutput(); err != nil {
		t.Errorf("newman: %v\n%s", err, output)
	}
}
