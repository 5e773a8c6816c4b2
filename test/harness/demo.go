package harness

import (
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Demo is a running `roomcast demo`.
type Demo struct {
	*Process
	URLs []string // of the instances A, B and C
	Curl string   // the command it invites people to try
}

var instanceLine = regexp.MustCompile(`(?m)^\s*instance [A-C]\s+(http://\S+)$`)

// StartDemo runs the demo without any configuration and reads what it prints.
func StartDemo(t testing.TB) *Demo {
	t.Helper()
	command := exec.Command(Binary(t), "demo", "-port", strconv.Itoa(FreePort(t)))
	command.Dir = t.TempDir()
	command.Env = []string{} // it works without: no Redis, no .env
	d := &Demo{Process: Run(t, "roomcast demo", command)}
	t.Cleanup(func() {
		if d.Running() {
			d.Terminate(t)
		}
	})
	Eventually(t, "the demo says what to try", func() bool {
		for line := range strings.Lines(d.Output()) {
			if strings.HasPrefix(line, "curl ") && strings.HasSuffix(line, "\n") {
				d.Curl = strings.TrimSpace(line)
			}
		}
		return d.Curl != ""
	})
	for _, found := range instanceLine.FindAllStringSubmatch(d.Output(), -1) {
		d.URLs = append(d.URLs, found[1])
	}
	if len(d.URLs) != 3 {
		t.Fatalf("the demo names %d instances, want 3:\n%s", len(d.URLs), d.Output())
	}
	return d
}
