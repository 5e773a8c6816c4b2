package harness

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"testing"
)

// Runner is the Node process in which official clients live (test/clients/runner.js).
type Runner struct {
	mu      sync.Mutex
	stdin   io.WriteCloser // guarded by mu: a command is one line
	clients map[string]*Client
}

// StartRunner starts one; its clients end with the test.
func StartRunner(t testing.TB) *Runner {
	t.Helper()
	r := &Runner{clients: make(map[string]*Client)}
	r.stdin = runScript(t, "runner.js", r.read)
	return r
}

func (r *Runner) read(stdout io.Reader) {
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var message Message
		if err := json.Unmarshal(line, &message); err != nil {
			panic("runner.js wrote " + string(line))
		}
		r.mu.Lock()
		client := r.clients[message.Client]
		r.mu.Unlock()
		client.receive(message)
	}
}

func (r *Runner) command(t testing.TB, fields map[string]any) {
	t.Helper()
	line, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.stdin.Write(append(line, '\n')); err != nil {
		t.Fatalf("commanding runner.js: %v", err)
	}
}

// Dial says which client to connect to where.
type Dial struct {
	Version   int    // of socket.io-client: 1, 2, 3 or 4
	Mode      string // polling, websocket or upgrade (the clients' default)
	URL       string // http://host:port
	Path      string // default /socket.io/
	Namespace string // default /
	Token     string // shown to the server, none if empty
	By        string // auth (from 3.x on), query or header
	CA        string // PEM of the authority of an https:// server
}

// Open starts connecting a client and does not wait for it.
func (r *Runner) Open(t testing.TB, dial Dial) *Client {
	t.Helper()
	if dial.Path == "" {
		dial.Path = "/socket.io/"
	}
	if dial.Namespace == "" {
		dial.Namespace = "/"
	}
	r.mu.Lock()
	c := &Client{runner: r, name: fmt.Sprintf("%d (%d.x, %s)", len(r.clients), dial.Version, dial.Mode), changed: make(chan struct{})}
	r.clients[c.name] = c
	r.mu.Unlock()
	r.command(t, map[string]any{
		"do": "connect", "client": c.name, "version": dial.Version, "mode": dial.Mode,
		"url": dial.URL, "path": dial.Path, "namespace": dial.Namespace,
		"token": dial.Token, "by": dial.By, "ca": dial.CA,
	})
	return c
}

// Connect connects a client and waits until its namespace is joined.
func (r *Runner) Connect(t testing.TB, dial Dial) *Client {
	t.Helper()
	c := r.Open(t, dial)
	c.AwaitConnect(t)
	return c
}
