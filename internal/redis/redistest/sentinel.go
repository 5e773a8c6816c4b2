package redistest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// StartSentinel runs a sentinel that watches s under the name master and, a quarter of a
// second after s has gone, promotes one of its replicas.
func (s *Server) StartSentinel(t testing.TB, master string) *Server {
	t.Helper()
	return s.StartSentinels(t, master, 1, 1)[0]
}

// StartSentinels runs so many sentinels, of which a quorum has to agree that s has gone. They
// need a moment to find each other and the replicas: see Promotable.
func (s *Server) StartSentinels(t testing.TB, master string, count, quorum int) []*Server {
	t.Helper()
	sentinels := make([]*Server, count)
	for n := range sentinels {
		sentinel := Reserve(t)
		// Sentinels keep their state in their configuration, so it has to be a file.
		file := filepath.Join(sentinel.directory, "sentinel.conf")
		text := fmt.Sprintf("sentinel monitor %[1]s 127.0.0.1 %[2]d %[3]d\nsentinel down-after-milliseconds %[1]s 250\n", master, s.port, quorum)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		sentinel.mode = []string{file, "--sentinel"}
		sentinel.start()
		sentinels[n] = sentinel
	}
	return sentinels
}

// Promotable reports whether s, a sentinel, sees a replica that follows the master, and so
// many other sentinels.
func (s *Server) Promotable(master string, others int) bool {
	s.t.Helper()
	replicas, _ := s.Do("SENTINEL", "REPLICAS", master).([]any)
	watched, _ := s.Do("SENTINEL", "MASTER", master).([]any)
	return len(replicas) == 1 && field(replicas[0], "master-link-status") == "ok" &&
		field(watched, "num-other-sentinels") == strconv.Itoa(others)
}

// field finds the value of a field in an answer that alternates the two.
func field(answer any, name string) any {
	fields, _ := answer.([]any)
	at := slices.Index(fields, any(name))
	if at < 0 {
		return nil
	}
	return fields[at+1]
}

// Follow makes s a replica of master and waits until it has its data.
func (s *Server) Follow(master *Server) {
	s.t.Helper()
	s.FollowThrough(master, master.Addr())
}

// FollowThrough is Follow by way of another address (host:port), such as a proxy's.
func (s *Server) FollowThrough(master *Server, address string) {
	s.t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Do("REPLICAOF", host, port)
	if replicas := master.Do("WAIT", 1, startLimit.Milliseconds()); replicas != int64(1) {
		s.t.Fatalf("%v replicas follow the server on %s, want 1", replicas, master.Addr())
	}
}
