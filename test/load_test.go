package test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/roomcast/roomcast/internal/load"
	"github.com/roomcast/roomcast/test/harness"
)

// runLoad runs "roomcast load" to its end; its report goes to standard output as JSON.
func runLoad(t *testing.T, arguments ...string) (report load.Report, stderr string, exitCode int) {
	t.Helper()
	command := exec.Command(harness.Binary(t), append([]string{"load", "-json", "-"}, arguments...)...)
	var out, progress bytes.Buffer
	command.Dir, command.Env, command.Stdout, command.Stderr = t.TempDir(), nil, &out, &progress
	err := command.Run()
	if command.ProcessState == nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatalf("%v\nstdout %s\nstderr %s", err, &out, &progress)
	}
	return report, progress.String(), command.ProcessState.ExitCode()
}

// Whatever clients speak, a run in which all went well says so, and its figures are right.
func TestLoadOverEveryTransport(t *testing.T) {
	t.Parallel()
	cluster := harness.StartCluster(t, "one", "two")
	urls := cluster.Servers[0].URL + "," + cluster.Servers[1].URL
	for _, protocol := range []int{3, 4} {
		for _, transport := range []string{"websocket", "polling", "upgrade"} {
			t.Run(transport+strconv.Itoa(protocol), func(t *testing.T) {
				t.Parallel()
				report, stderr, code := runLoad(t, "-url", urls, "-clients", "12", "-rooms", "4", "-rooms-per-client", "2",
					"-rate", "40", "-duration", "1s", "-ramp", "0", "-transport", transport, "-protocol", strconv.Itoa(protocol))
				d, accepted := report.Delivered, report.Published.Accepted
				// Of 12 clients each is in 2 of 4 rooms, so each room has 6 members.
				if code != 0 || report.Joined != 12 || accepted == 0 || d.Due != 6*accepted || d.Received != d.Due ||
					d.Lost+d.Doubled+d.Disordered+d.Strange+d.Resyncs+report.Connections.Lost != 0 {
					t.Errorf("exit code %d, %+v\n%s", code, report, stderr)
				}
				// Progress in a pipe is plain lines.
				if strings.ContainsAny(stderr, "\r\x1b") || !strings.Contains(stderr, "joining ") || !strings.Contains(stderr, "settling ") {
					t.Errorf("%q", stderr)
				}
			})
		}
	}
}

// awaitJoined waits until publishing begins, which is when the clients are in their rooms.
func awaitJoined(t *testing.T, process *harness.Process) {
	t.Helper()
	harness.Eventually(t, "the clients join", func() bool { return strings.Contains(process.Output(), "joining ") })
}

// A crash costs nobody an update, and the report knows who came back and how.
func TestLoadThroughACrash(t *testing.T) {
	t.Parallel()
	const clients = 40
	cluster := harness.StartCluster(t, "one", "two")
	path := filepath.Join(t.TempDir(), "report.json")
	command := exec.Command(harness.Binary(t), "load", "-clients", strconv.Itoa(clients), "-rate", "50", "-duration", "5s", "-ramp", "0",
		"-url", cluster.Servers[0].URL+","+cluster.Servers[1].URL, "-reconnect-delay", "100ms", "-json", path)
	process := harness.Run(t, "roomcast load", command)
	awaitJoined(t, process)
	cluster.Servers[0].Kill()
	code := process.AwaitEnd(t).ExitCode()

	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var report load.Report
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	d, c := report.Delivered, report.Connections
	if code != 0 || report.Published.Accepted == 0 || d.Received != d.Due ||
		d.Lost+d.Doubled != 0 || c.Recovered != clients/2 || c.Rejoined != 0 {
		t.Errorf("exit code %d, %s\n%s", code, text, process.Output())
	}
}

// What was published before Ctrl-C is still awaited and judged.
func TestLoadIsInterrupted(t *testing.T) {
	t.Parallel()
	server := harness.StartServer(t, harness.ServerOptions{ID: "alone"})
	command := exec.Command(harness.Binary(t), "load", "-url", server.URL, "-clients", "5", "-duration", "10m")
	process := harness.Run(t, "roomcast load", command)
	awaitJoined(t, process)
	process.Signal(t, syscall.SIGINT)
	code, output := process.AwaitEnd(t).ExitCode(), process.Output()
	if code != 0 || !strings.Contains(output, "\nInterrupted") || !strings.Contains(output, " 0 lost,") {
		t.Errorf("exit code %d\n%s", code, output)
	}
}

func TestLoadFailsByItsLimits(t *testing.T) {
	t.Parallel()
	server := harness.StartServer(t, harness.ServerOptions{ID: "alone"})
	for _, c := range []struct {
		name, want string
		arguments  []string
	}{
		{"slow", "failed: p99: ", []string{"-max-p99", "1ns"}},
		{"refused", "failed: publications given up: ", []string{"-publish-url", server.URL + "/nowhere"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			arguments := append([]string{"-url", server.URL, "-clients", "2", "-rate", "20", "-duration", "1s"}, c.arguments...)
			if _, stderr, code := runLoad(t, arguments...); code != 1 || !strings.Contains(stderr, c.want) {
				t.Errorf("exit code %d\n%s", code, stderr)
			}
		})
	}
}

func TestLoadIsAskedWrongly(t *testing.T) {
	t.Parallel()
	output, code := run(t, nil, "load", "-clients", "0", "-transport", "carrier", "-url", "ftp://a", "-max-p99", "-1s", "-rate", "-1")
	if code != 2 {
		t.Errorf("exit code %d", code)
	}
	for _, wanted := range []string{"load: clients: ", "load: transport: ", "load: url: ", "load: max-p99: ", "load: rate: ", "help load"} {
		if !strings.Contains(output, wanted) {
			t.Errorf("%q is not in\n%s", wanted, output)
		}
	}
	if output, code := run(t, nil, "load", "-key", "@gone"); code != 2 || !strings.Contains(output, "-key") {
		t.Errorf("a key's file that is not there: exit code %d\n%s", code, output)
	}
}
