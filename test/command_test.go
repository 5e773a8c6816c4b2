package test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/test/harness"
)

// run runs the binary to its end.
func run(t *testing.T, env []string, arguments ...string) (output string, exitCode int) {
	t.Helper()
	command := exec.Command(harness.Binary(t), arguments...)
	command.Dir, command.Env = t.TempDir(), env
	text, err := command.CombinedOutput()
	if command.ProcessState == nil {
		t.Fatalf("roomcast %s: %v", strings.Join(arguments, " "), err)
	}
	return string(text), command.ProcessState.ExitCode()
}

// The image has no shell: its HEALTHCHECK is this command.
func TestTheHealthCommand(t *testing.T) {
	t.Parallel()
	server := harness.StartServer(t, harness.ServerOptions{ID: "alone"})
	_, port, _ := strings.Cut(server.Address, ":")
	env := []string{"ROOMCAST_AUTH=none", "PORT=" + port}
	if output, code := run(t, env, "health"); code != 0 {
		t.Errorf("of a running instance: exit code %d, want 0\n%s", code, output)
	}
	server.Terminate(t)
	if output, code := run(t, env, "health"); code != 1 {
		t.Errorf("of none: exit code %d, want 1\n%s", code, output)
	}
}

// An open server has to be asked for, and all that is wrong is said at once.
func TestServeRefusesAConfigurationItCannotVouchFor(t *testing.T) {
	t.Parallel()
	output, code := run(t, []string{"PORT=http", "ROOMCAST_PING_INTERVAL=soon"}, "serve")
	if code == 0 {
		t.Error("exit code 0, want a failure")
	}
	for _, wanted := range []string{"ROOMCAST_AUTH", "none", "PORT", `"http"`, "65535", "ROOMCAST_PING_INTERVAL", `"soon"`} {
		if !strings.Contains(output, wanted) {
			t.Errorf("the refusal does not mention %s:\n%s", wanted, output)
		}
	}
}

func TestEveryCommandExplainsItself(t *testing.T) {
	t.Parallel()
	overview, code := run(t, nil, "--help")
	if code != 0 {
		t.Errorf("--help ends with %d", code)
	}
	for _, command := range []string{"serve", "demo", "load", "health"} {
		if !strings.Contains(overview, "\n  "+command+" ") {
			t.Errorf("--help does not list %s:\n%s", command, overview)
		}
		help, code := run(t, nil, command, "--help")
		if code != 0 || !strings.Contains(help, "Usage: roomcast "+command) {
			t.Errorf("%s --help ends with %d and says:\n%s", command, code, help)
		}
	}
}
