package redis_test

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
)

// severing forwards connections to a server. Once armed, it cuts the connection that
// sends the marker when the server answers, so that the answer never arrives.
type severing struct {
	listener net.Listener
	group    sync.WaitGroup

	mu     sync.Mutex
	target string
	marker []byte // nil when not armed
	open   map[net.Conn]struct{}
}

func newSevering(t *testing.T, target string) *severing {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &severing{listener: listener, target: target, open: make(map[net.Conn]struct{})}
	s.group.Go(s.accept)
	t.Cleanup(s.close)
	return s
}

func (s *severing) addr() string { return s.listener.Addr().String() }

// redirect sends further connections elsewhere, as when an address moves.
func (s *severing) redirect(target string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.target = target
}

func (s *severing) upstream() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.target
}

func (s *severing) arm(marker string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marker = []byte(marker)
}

func (s *severing) isArmed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.marker != nil
}

// holds reports, once, whether text holds the marker.
func (s *severing) holds(text []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.marker == nil || !bytes.Contains(text, s.marker) {
		return false
	}
	s.marker = nil
	return true
}

func (s *severing) accept() {
	for {
		client, err := s.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", s.upstream())
		if err != nil {
			_ = client.Close()
			continue
		}
		s.mu.Lock()
		s.open[client], s.open[server] = struct{}{}, struct{}{}
		s.mu.Unlock()
		s.group.Go(func() { s.forward(client, server) })
	}
}

// forward carries one connection: a command goes out whole with one write of go-redis,
// and its answer is awaited before the next one.
func (s *severing) forward(client, server net.Conn) {
	var answers sync.WaitGroup
	sever := make(chan struct{})
	answers.Go(func() {
		defer func() { _, _ = client.Close(), server.Close() }()
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			select {
			case <-sever:
				return
			default:
			}
			if err != nil {
				return
			}
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
	})
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			break
		}
		if s.holds(buffer[:n]) {
			close(sever)
		}
		if _, err := io.Copy(server, bytes.NewReader(buffer[:n])); err != nil {
			break
		}
	}
	_ = server.Close()
	answers.Wait()
}

func (s *severing) close() {
	_ = s.listener.Close()
	s.mu.Lock()
	for connection := range s.open {
		_ = connection.Close()
	}
	s.mu.Unlock()
	s.group.Wait()
}
