package harness

import (
	"bufio"
	"encoding/json"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/test/continuity"
)

// Crowd is many official clients in one Node process (test/clients/crowd.js), each a member
// of some of the rooms, that do what a good application does and write down what they get.
type Crowd struct {
	rooms []Room

	mu      sync.Mutex // held from a command to its answer
	stdin   io.Writer
	answers chan []byte // closed when the process ends
	seats   int
	clients int
}

// Reconnection is how clients connect again.
type Reconnection struct {
	First, Most time.Duration // between attempts
	// Timeout is of an attempt. Clients of 4.x wait for it when the connection is lost after the
	// websocket's handshake and before Engine.IO's.
	Timeout time.Duration
}

// Stock is what clients do when nobody tells them otherwise, Swift the same for tests that
// have no time.
var (
	Stock = Reconnection{First: time.Second, Most: 5 * time.Second, Timeout: 20 * time.Second}
	Swift = Reconnection{First: 100 * time.Millisecond, Most: 500 * time.Millisecond, Timeout: 2 * time.Second}
)

// StartCrowd starts the process, for clients of the given rooms.
func StartCrowd(t testing.TB, rooms []Room) *Crowd {
	t.Helper()
	c := &Crowd{rooms: rooms, answers: make(chan []byte, 1)} // one command at a time
	c.stdin = runScript(t, "crowd.js", c.read)
	return c
}

func (c *Crowd) read(stdout io.Reader) {
	defer close(c.answers)
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		c.answers <- line
	}
}

// Gathering is which clients to open where.
type Gathering struct {
	Version      int    // of socket.io-client: 2 or 4
	URL          string // http://host:port
	Seats        [][]int
	Reconnection Reconnection
}

// perSecond is how fast a crowd connects: nobody measures that, and a machine has other
// things to do.
const perSecond = 250

// Open connects a client for each of the seats, which are the rooms it is in by their index,
// and waits until all have been answered.
func (c *Crowd) Open(t testing.TB, g Gathering) {
	t.Helper()
	rooms := make([]map[string]any, len(c.rooms))
	for n, room := range c.rooms {
		rooms[n] = room.payload()
	}
	c.command(t, &struct{}{}, map[string]any{
		"do": "open", "rooms": rooms, "seats": g.Seats, "version": g.Version, "url": g.URL,
		"pause": 1000 / perSecond,
		"first": g.Reconnection.First.Milliseconds(), "most": g.Reconnection.Most.Milliseconds(),
		"timeout": g.Reconnection.Timeout.Milliseconds(),
	})
	for _, rooms := range g.Seats {
		c.seats += len(rooms)
	}
	c.clients += len(g.Seats)
	c.AwaitSeated(t)
}

// Headcount is how many of the clients, and of their seats, are in which state.
type Headcount struct {
	Connected int `json:"connected"`
	Seated    int `json:"seated"` // every SUBSCRIBE of it has been answered
	Behind    int `json:"behind"` // has not got the update that is waited for
	Entries   int `json:"entries"`
}

// Count counts. The marks are the numbers of the updates that are waited for, by room.
func (c *Crowd) Count(t testing.TB, marks ...int) Headcount {
	t.Helper()
	if marks == nil {
		marks = []int{}
	}
	var count Headcount
	c.command(t, &count, map[string]any{"do": "status", "marks": marks})
	return count
}

// AwaitSeated waits until every client is connected and its seats are answered.
func (c *Crowd) AwaitSeated(t testing.TB) { c.AwaitMarks(t) }

// AwaitMarks waits until, beyond that, every client has the update of that number in each of
// its rooms. It goes on waiting as long as anything arrives, and leaves it to the verdict to
// say what did not.
func (c *Crowd) AwaitMarks(t testing.TB, marks ...int) {
	t.Helper()
	const interval = 50 * time.Millisecond
	var last Headcount
	for deadline := time.Now().Add(Patience); ; time.Sleep(interval) {
		count := c.Count(t, marks...)
		if count.Connected == c.clients && count.Seated == c.seats && count.Behind == 0 {
			return
		}
		if count != last {
			last, deadline = count, time.Now().Add(Patience)
		}
		if time.Now().After(deadline) {
			t.Errorf("of %d clients with %d seats, nothing moves any more at %+v", c.clients, c.seats, count)
			return
		}
	}
}

// Logs is what the clients wrote down so far.
func (c *Crowd) Logs(t testing.TB) []continuity.Log {
	t.Helper()
	var written struct {
		Texts   []string `json:"texts"`
		Clients []struct {
			Name string `json:"name"`
			Log  []int  `json:"log"`
		} `json:"clients"`
	}
	c.command(t, &written, map[string]any{"do": "logs"})
	logs := make([]continuity.Log, len(written.Clients))
	for n, client := range written.Clients {
		logs[n].Client = client.Name
		for entry := range entries(client.Log) {
			logs[n].Entries = append(logs[n].Entries, readEntry(t, entry, written.Texts))
		}
	}
	return logs
}

// entries cuts a log into its entries of four numbers.
func entries(log []int) func(yield func([4]int) bool) {
	return func(yield func([4]int) bool) {
		for ; len(log) >= 4 && yield([4]int(log)); log = log[4:] {
		}
	}
}

func readEntry(t testing.TB, entry [4]int, texts []string) continuity.Entry {
	t.Helper()
	kind, first, second, third := continuity.Kind(entry[0]), entry[1], entry[2], entry[3]
	read := continuity.Entry{Kind: kind}
	switch kind {
	case continuity.Connected:
		read.Recovered = first == 1
	case continuity.Disconnected, continuity.ConnectError:
		read.Text = texts[first]
	case continuity.Refused:
		read.Room, read.Text = first, texts[second]
	case continuity.Answered:
		read.Room, read.Sequence = first, sequence(t, texts[second])
	case continuity.Updated:
		read.Room, read.Sequence, read.Number = first, sequence(t, texts[second]), third
	case continuity.Resynced:
		read.Room, read.Sequence, read.Text = first, sequence(t, texts[second]), texts[third]
	}
	return read
}

// sequence is a position's place in the order of all epochs, which Redis' clock keeps rising.
func sequence(t testing.TB, position string) uint64 {
	t.Helper()
	at, err := event.ParsePosition(position)
	if err != nil {
		t.Fatalf("%q is no position", position)
	}
	return at.Sequence
}

func (c *Crowd) command(t testing.TB, answer any, fields map[string]any) {
	t.Helper()
	line, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.stdin.Write(append(line, '\n')); err != nil {
		t.Fatalf("commanding crowd.js: %v", err)
	}
	select {
	case text, running := <-c.answers:
		if !running {
			t.Fatal("crowd.js has ended")
		}
		if err := json.Unmarshal(text, answer); err != nil {
			t.Fatalf("crowd.js answered %.100s: %v", text, err)
		}
	case <-time.After(Patience):
		t.Fatalf("crowd.js does not answer %q", fields["do"])
	}
}
