package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// StartSentinel runs a sentinel that watches s under the name master and, a quarter of a
// second after s has gone, promotes one of its replicas.
func (s *Server) StartSentinel(t testing.TB, master string) *Server {
	t.Helper()
	sentinel := Reserve(t)
	// Sentinels keep their state in their configuration, so it has to be a file.
	file := filepath.Join(sentinel.directory, "sentinel.conf")
	text := fmt.Sprintf("sentinel monitor %[1]s 127.0.0.1 %[2]d 1\nsentinel down-after-milliseconds %[1]s 250\n", master, s.port)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel.mode = []string{file, "--sentinel"}
	sentinel.start()
	return sentinel
}

// Follow makes s a replica of master and waits until it has its data.
func (s *Server) Follow(master *Server) {
	s.t.Helper()
	s.Do("REPLICAOF", "127.0.0.1", master.port)
	if replicas := master.Do("WAIT", 1, startLimit.Milliseconds()); replicas != int64(1) {
		s.t.Fatalf("%v replicas follow the server on %s, want 1", replicas, master.Addr())
	}
}
