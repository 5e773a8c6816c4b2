package test

import (
	"os/exec"
	"testing"

	"github.com/roomcast/roomcast/test/harness"
)

// What the demo prints has to work as it stands: it is the first thing people try.
func TestTheDemosCurlLineReachesTheOtherInstances(t *testing.T) {
	t.Parallel()
	demo := harness.StartDemo(t)
	room := harness.Room{Workspace: "demo", App: "board"}
	runner := harness.StartRunner(t)
	var clients []*harness.Client
	for n, url := range demo.URLs {
		client := runner.Open(t, harness.Dial{Version: []int{4, 2, 3}[n], Mode: "upgrade", URL: url})
		client.Subscribe(t, room)
		clients = append(clients, client)
	}
	harness.Program(t, "curl")
	if output, err := exec.Command("sh", "-c", demo.Curl).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", demo.Curl, err, output)
	}
	for _, client := range clients {
		if update := client.AwaitUpdate(t, room); update.Payload["displayName"] != "Hello from C" {
			t.Errorf("%s got %+v", client, update)
		}
	}
}
