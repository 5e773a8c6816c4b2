package harness

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// StartBalancer runs HAProxy with the configuration that is shipped, in front of the
// instances one, two and three, and returns its URL once all three are in use.
func StartBalancer(t testing.TB, servers []*Server) *Server {
	t.Helper()
	bind := address(FreePort(t))
	command := exec.Command(Program(t, "haproxy"), "-db", "-f", filepath.Join(Root(), "deploy", "haproxy", "haproxy.cfg"))
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "BALANCER_BIND=" + bind}
	for n, name := range []string{"INSTANCE_ONE", "INSTANCE_TWO", "INSTANCE_THREE"} {
		command.Env = append(command.Env, name+"="+servers[n].Address)
	}
	balancer := &Server{ID: "haproxy", Address: bind, URL: "http://" + bind}
	balancer.Process = Run(t, "haproxy", command)
	balancer.AwaitReady(t)
	return balancer
}
