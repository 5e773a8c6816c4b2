package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/roomcast/roomcast/internal/config"
	"github.com/roomcast/roomcast/internal/logtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests; it says nothing about speed.
const patience = 20 * time.Second

// environment leaves of Roomcast's variables those set that are given as NAME, value, and
// the working directory without a .env file.
func environment(t *testing.T, values ...string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, variable := range config.Variables() {
		t.Setenv(variable.Name, "") // which puts it back at the end
		if err := os.Unsetenv(variable.Name); err != nil {
			t.Fatal(err)
		}
	}
	for n := 0; n < len(values); n += 2 {
		t.Setenv(values[n], values[n+1])
	}
}

// command runs to its end.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, err logtest.Journal
	code = run(ctx, args, &out, &err)
	if ctx.Err() != nil {
		t.Errorf("roomcast %s did not end by itself", strings.Join(args, " "))
	}
	return code, out.String(), err.String()
}

// running is a command that ends when it is told to.
type running struct {
	t              *testing.T
	stdout, stderr logtest.Journal
	end            context.CancelFunc
	code           chan int
}

func launch(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t: t, end: cancel, code: make(chan int, 1)}
	var ended sync.WaitGroup
	ended.Go(func() { r.code <- run(ctx, args, &r.stdout, &r.stderr) })
	t.Cleanup(func() {
		cancel()
		ended.Wait()
	})
	return r
}

// stop is the first signal; the command has to end in time, with this code.
func (r *running) stop(want int) {
	r.t.Helper()
	r.end()
	select {
	case code := <-r.code:
		if code != want {
			r.t.Errorf("ended with %d, want %d:\n%s", code, want, r.stderr.String())
		}
	case <-time.After(patience):
		r.t.Fatal("did not end")
	}
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not seen within %s: %s", patience, what)
		}
	}
}

// freePort is one of 127.0.0.1 that nobody listens on at the moment.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

// status is 0 while nobody answers.
func status(t *testing.T, url string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	return response.StatusCode
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
