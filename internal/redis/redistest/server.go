// Package redistest runs a real redis-server for tests.
package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// startLimit bounds the time from starting the process to its first answer.
const startLimit = 20 * time.Second

// Server is a redis-server process of one test, on a free port of 127.0.0.1 and with its
// data in a directory of the test. Every write is kept, so that a restart loses nothing
// unless it is told to. Its methods fail the test and are for the test's goroutine.
type Server struct {
	t         testing.TB
	directory string
	port      int
	mode      []string      // further arguments of redis-server, the first of them may be a file
	process   *exec.Cmd     // nil while stopped
	exited    chan struct{} // closed when process has ended
	client    *goredis.Client
}

// Start runs a server, with further arguments such as "--maxmemory-policy", "allkeys-lru",
// until the end of the test. It fails the test where redis-server is not installed.
func Start(t testing.TB, arguments ...string) *Server {
	t.Helper()
	s := Reserve(t)
	s.mode = append(s.mode, arguments...)
	s.start()
	return s
}

// Reserve chooses the port of a server that is to be started by Restart.
func Reserve(t testing.TB) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("this test needs a redis-server of version 6.2 or later in PATH: install redis-server (Debian, Ubuntu) or redis (Alpine, Fedora, Homebrew)")
	}
	s := &Server{t: t, directory: t.TempDir(), port: freePort(t)}
	// The data of a killed process are safe with the kernel; a test needs no fsync.
	// A replica is given the data at once, not when others might have come.
	s.mode = []string{"--save", "", "--appendonly", "yes", "--appendfsync", "no", "--repl-diskless-sync-delay", "0"}
	t.Cleanup(s.Stop)
	return s
}

// start starts the server, on another port if the present one is taken: that may happen
// between finding it free and using it.
func (s *Server) start() {
	s.t.Helper()
	for attempt := 0; !s.tryStart(); attempt++ {
		if attempt == 3 {
			s.t.Fatalf("redis-server does not start:\n%s", s.log())
		}
		s.port = freePort(s.t)
	}
}

// Addr is the server's host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL is the server's address as a redis:// URL.
func (s *Server) URL() string { return "redis://" + s.Addr() }

// Stop kills the server as a crash would. Stopping it twice is fine.
func (s *Server) Stop() {
	if s.client != nil {
		_ = s.client.Close()
		s.client = nil
	}
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill()
	<-s.exited
	s.process = nil
}

// Data says what a restarted server finds.
type Data bool

// Keep is a restart with all data, Wipe one with none.
const (
	Keep Data = true
	Wipe Data = false
)

// Restart stops the server, if it runs, and starts it on the same port.
func (s *Server) Restart(data Data) {
	s.t.Helper()
	s.Stop()
	if data == Wipe {
		if err := os.RemoveAll(filepath.Join(s.directory, "appendonlydir")); err != nil {
			s.t.Fatal(err)
		}
	}
	if !s.tryStart() {
		s.t.Fatalf("redis-server does not start again:\n%s", s.log())
	}
}

// RestartLoading restarts the server with its data, of which it reads a command in each delay. It
// returns while the server is still at it.
func (s *Server) RestartLoading(delay time.Duration) {
	s.t.Helper()
	mode := s.mode
	s.mode = append(slices.Clone(mode), "--key-load-delay", strconv.FormatInt(delay.Microseconds(), 10))
	s.Restart(Keep)
	s.mode = mode
}

// Info is one field of what INFO tells.
func (s *Server) Info(field string) string {
	s.t.Helper()
	_, rest, _ := strings.Cut(s.Do("INFO").(string), "\n"+field+":")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}

// Pause makes the server hang with its connections open; Resume ends that.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(signal syscall.Signal) {
	s.t.Helper()
	if err := s.process.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}

// Client is a plain client of the running server, for what redis-cli would do.
func (s *Server) Client() *goredis.Client {
	if s.client == nil {
		s.client = goredis.NewClient(&goredis.Options{Addr: s.Addr(), Protocol: 2, ClientName: "redistest"})
	}
	return s.client
}

// Do runs one command, such as Do("CONFIG", "SET", "maxmemory", "1"), and returns its
// answer, nil if that is Redis' nil.
func (s *Server) Do(command ...any) any {
	s.t.Helper()
	answer, err := s.Client().Do(context.Background(), command...).Result()
	if err != nil && !errors.Is(err, goredis.Nil) {
		s.t.Fatalf("redis-server: %v: %v", command[0], err)
	}
	return answer
}

// KillFeeds cuts all pub/sub connections and returns how many there were.
func (s *Server) KillFeeds() int {
	s.t.Helper()
	return int(s.Do("CLIENT", "KILL", "TYPE", "pubsub").(int64))
}

// Feeds is the number of subscriptions to channel.
func (s *Server) Feeds(channel string) int {
	s.t.Helper()
	return int(s.Do("PUBSUB", "NUMSUB", channel).([]any)[1].(int64))
}

// tryStart runs the process and waits until it answers; it reports false when the process
// ended instead.
func (s *Server) tryStart() bool {
	s.t.Helper()
	process := exec.Command("redis-server", append(slices.Clone(s.mode),
		"--bind", "127.0.0.1", "--port", strconv.Itoa(s.port), "--dir", s.directory, "--logfile", logFile)...)
	if err := process.Start(); err != nil {
		s.t.Fatalf("start redis-server: %v", err)
	}
	exited := make(chan struct{})
	go func() {
		_ = process.Wait() // Stop kills it, and says so
		close(exited)
	}()
	s.process, s.exited = process, exited
	return s.await()
}

func (s *Server) await() bool {
	s.t.Helper()
	limit := time.After(startLimit)
	for !s.answers() {
		select {
		case <-s.exited:
			s.Stop()
			return false
		case <-limit:
			s.Stop()
			s.t.Fatalf("redis-server does not answer on %s:\n%s", s.Addr(), s.log())
		case <-time.After(5 * time.Millisecond):
		}
	}
	return true
}

const logFile = "redis.log"

func (s *Server) log() string {
	text, err := os.ReadFile(filepath.Join(s.directory, logFile))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// answers reports whether it is this test's server that listens on the port, and whether
// it has read its data.
func (s *Server) answers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	info, err := s.Client().Info(ctx, "server").Result()
	if err != nil {
		_ = s.client.Close()
		s.client = nil
		return false
	}
	return strings.Contains(info, fmt.Sprintf("process_id:%d\r\n", s.process.Process.Pid))
}

func freePort(t testing.TB) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port
}
