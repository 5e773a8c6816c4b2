package harness

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// Below the kernel's ephemeral range, so that no outgoing connection takes a port between
// our finding it free and its server binding it.
const (
	firstPort = 20000
	lastPort  = 32000
)

// handedOut keeps tests that run side by side from being given the same port.
var handedOut sync.Map

// FreePort is a loopback port that nobody listens on and no other test was given.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if _, taken := handedOut.LoadOrStore(port, true); taken {
			continue
		}
		listener, err := net.Listen("tcp", address(port))
		if err != nil {
			continue
		}
		_ = listener.Close()
		return port
	}
	t.Fatal("no free port found")
	return 0
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
