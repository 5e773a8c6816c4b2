package test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roomcast/roomcast/test/harness"
)

// A visitor of the demo's page sees one update arrive at two instances.
func TestThePageInABrowser(t *testing.T) {
	t.Parallel()
	demo := harness.StartDemo(t)
	var saw struct {
		DisplayName string
		Panes       []struct {
			Label, State, Socket, Deliveries, Text string
			Markup                                 int
		}
		Blunders struct {
			Stale   bool
			SendsTo string
		}
		Errors   []string
		Overflow int
	}
	visit(t, &saw, "page.js", demo.URLs[0], harness.Artefacts(t))
	if len(saw.Panes) != 2 || saw.Panes[0].Label == saw.Panes[1].Label || saw.Panes[0].Socket == saw.Panes[1].Socket {
		t.Fatalf("the page shows %+v, want two clients on two instances", saw.Panes)
	}
	for _, pane := range saw.Panes {
		if pane.State != "connected" || pane.Deliveries != "1" || !strings.Contains(pane.Text, saw.DisplayName) {
			t.Errorf("a pane shows %+v, want it connected with one delivery of %q", pane, saw.DisplayName)
		}
		if pane.Markup != 0 {
			t.Errorf("pane %s took text of an update for markup", pane.Label)
		}
	}
	if saw.Blunders.Stale {
		t.Error("the last answer stands beside fields that cannot be sent")
	}
	if saw.Blunders.SendsTo != "Send to instance A" {
		t.Errorf("the button says %q", saw.Blunders.SendsTo)
	}
	if len(saw.Errors) != 0 {
		t.Errorf("the browser complained: %q", saw.Errors)
	}
	if saw.Overflow > 0 {
		t.Errorf("on a phone the page is %d pixels too wide", saw.Overflow)
	}
}

// Where tokens are asked for, the page has fields for them, and keeps what is typed to itself.
func TestThePageShowsATokenInABrowser(t *testing.T) {
	t.Parallel()
	server := startIdentified(t, "ROOMCAST_API_KEYS=page:s3cret:publish:demo")
	token := lasting(t, time.Hour)
	var saw struct {
		Errors       []string
		Curl, Stored string
	}
	visit(t, &saw, "page_identity.js", server.URL, token, "s3cret")
	if len(saw.Errors) != 0 {
		t.Errorf("the browser complained: %q", saw.Errors)
	}
	for where, text := range map[string]string{"the curl line": saw.Curl, "what is stored": saw.Stored} {
		if strings.Contains(text, "s3cret") || strings.Contains(text, token) {
			t.Errorf("%s holds a secret: %s", where, text)
		}
	}
	if !strings.Contains(saw.Curl, `-H "Authorization: Bearer $KEY"`) {
		t.Errorf("the curl line has no key: %s", saw.Curl)
	}
}

// visit runs a visitor's script in headless Chromium and reads what it saw.
func visit(t *testing.T, saw any, script string, arguments ...string) {
	t.Helper()
	command := exec.Command(harness.Program(t, "node"), append([]string{script, harness.Program(t, "chromium")}, arguments...)...)
	command.Dir = filepath.Join(harness.Root(), "test", "clients")
	var complaints strings.Builder
	command.Stderr = &complaints
	output, err := command.Output()
	if err != nil {
		t.Fatalf("the visit failed: %v\n%s", err, complaints.String())
	}
	if err := json.Unmarshal(output, saw); err != nil {
		t.Fatalf("%v in %s", err, output)
	}
}
