package test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roomcast/roomcast/internal/redis/redistest"
	"github.com/roomcast/roomcast/test/harness"
)

// drained is what one client saw while its instance went down.
type drained struct {
	updates []string
	at      time.Time // of the close frame
}

// readToTheClose reads updates, and heartbeats, up to a close frame without a status, behind
// which nothing comes. A DISCONNECT packet would be a fault.
func readToTheClose(raw *harness.Raw) (seen drained, err error) {
	for {
		frame, err := raw.Read()
		switch text := string(frame.Payload); {
		case err != nil:
			return seen, fmt.Errorf("no close frame came: %w", err)
		case frame.Header.OpCode == ws.OpText && strings.HasPrefix(text, `42["workspace_w_app_a",`):
			// Up to the end of the object: an offset is for clients of revision 4 alone.
			seen.updates = append(seen.updates, text[:strings.LastIndex(text, `"}`)])
		case frame.Header.OpCode == ws.OpClose && text == "":
			seen.at = time.Now()
			if frame, err := raw.Read(); !errors.Is(err, io.EOF) {
				return seen, fmt.Errorf("behind the close frame came %+v, %w", frame, err)
			}
			return seen, raw.Connection.Close()
		case text == "2":
		default:
			return seen, fmt.Errorf("read %x %q", frame.Header.OpCode, text)
		}
	}
}

// An instance that goes down lets its clients go one by one, and serves those that are
// left: what the other instances publish reaches them.
func TestGoingDownIsSpread(t *testing.T) {
	t.Parallel()
	const clients, over = 200, "ROOMCAST_DRAIN=5s" // 40 a second
	redis := redistest.Start(t)
	going := harness.StartServer(t, harness.ServerOptions{ID: "going", Redis: redis.URL(), Env: []string{over}})
	staying := harness.StartServer(t, harness.ServerOptions{ID: "staying", Redis: redis.URL()})
	room := harness.Room{Workspace: "w", App: "a"}
	seen, faults := make([]drained, clients), make([]error, clients)
	var reading sync.WaitGroup
	for n := range clients {
		raw := harness.DialRaw(t, going, []string{"3", "4"}[n%2])
		raw.Subscribe(t, room)
		reading.Go(func() { seen[n], faults[n] = readToTheClose(raw) })
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		going.Terminate(t)
	}()
	harness.Eventually(t, "the listener is closed", func() bool {
		connection, err := net.Dial("tcp", going.Address)
		if err == nil {
			_ = connection.Close()
		}
		return err != nil
	})
	// Hardly a client has been closed by now.
	staying.PutApp(t, room, map[string]any{"n": "first"})
	pause := time.NewTicker(20 * time.Millisecond)
	defer pause.Stop()
	for n := 0; going.Running(); n++ {
		staying.PutApp(t, room, map[string]any{"n": n})
		<-pause.C
	}
	<-ended
	reading.Wait()
	if err := errors.Join(faults...); err != nil {
		t.Fatal(err)
	}
	checkSpread(t, seen)
	checkServed(t, seen)
}

// checkSpread checks that the clients were not closed together: half of them within a
// second would be twice the pace.
func checkSpread(t *testing.T, seen []drained) {
	t.Helper()
	slices.SortFunc(seen, func(a, b drained) int { return a.at.Compare(b.at) })
	half := len(seen) / 2
	for n := range half {
		if took := seen[n+half].at.Sub(seen[n].at); took < time.Second {
			t.Fatalf("%d of %d clients were closed within %s", half, len(seen), took)
		}
	}
}

// checkServed checks that each client got the same updates up to its close, without a hole,
// and the most of them some.
func checkServed(t *testing.T, seen []drained) {
	t.Helper()
	all := slices.MaxFunc(seen, func(a, b drained) int { return len(a.updates) - len(b.updates) }).updates
	served := 0
	for n, client := range seen {
		if !slices.Equal(client.updates, all[:len(client.updates)]) {
			t.Errorf("client %d got other updates than the one that got the most", n)
		}
		if len(client.updates) > 0 {
			served++
		}
	}
	if served < len(seen)/2 {
		t.Errorf("%d of %d clients were served in the drain", served, len(seen))
	}
}

// Whoever cannot wait sends a second signal: the process ends by it, at once, whatever
// clients there are.
func TestASecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	room := harness.Room{Workspace: "w", App: "a"}
	for name, c := range map[string]struct {
		env     []string
		clients int // enough for the drain to last
		begun   string
	}{
		"in the notice": {[]string{"ROOMCAST_DRAIN_NOTICE=5m"}, 1, `msg="going down"`},
		"in the drain":  {[]string{"ROOMCAST_DRAIN=1m"}, 400, `msg="no longer accepting connections"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis := redistest.Start(t)
			going := harness.StartServer(t, harness.ServerOptions{ID: "going", Redis: redis.URL(), Env: c.env})
			staying := harness.StartServer(t, harness.ServerOptions{ID: "staying", Redis: redis.URL()})
			var raws []*harness.Raw
			for range c.clients {
				raw := harness.DialRaw(t, going, "4")
				raw.Subscribe(t, room)
				raws = append(raws, raw)
			}
			going.Signal(t, syscall.SIGTERM)
			harness.Eventually(t, "it has begun", func() bool { return strings.Contains(going.Output(), c.begun) })
			staying.PutApp(t, room, nil)
			served := 0
			for _, raw := range raws {
				if frame, err := raw.Read(); err == nil && frame.Header.OpCode == ws.OpText {
					served++
				}
			}
			if served < c.clients/2+1 {
				t.Errorf("%d of %d clients are served after the first signal", served, c.clients)
			}
			going.Signal(t, syscall.SIGTERM)
			state := going.AwaitEnd(t)
			if status, ok := state.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGTERM {
				t.Errorf("it ended with %s", state)
			}
			cut := 0
			for _, raw := range raws {
				if _, err := raw.Read(); err != nil { // no close frame first
					cut++
				}
			}
			if cut == 0 {
				t.Error("no client had its connection to the end")
			}
		})
	}
}

// Behind the shipped configuration of the balancer no client is told no: those of the
// instance that goes down come back at another one, over whatever transport, and those of
// the others notice nothing.
func TestGoingDownBehindTheBalancerCostsNoError(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	var servers []*harness.Server
	for _, id := range []string{"one", "two", "three"} {
		servers = append(servers, harness.StartServer(t, harness.ServerOptions{
			ID: id, Redis: redis.URL(), Env: []string{"ROOMCAST_DRAIN_NOTICE=3s"}, // for the balancer to notice
		}))
	}
	balancer := harness.StartBalancer(t, servers)
	runner := harness.StartRunner(t)
	going := servers[1]
	homes := map[*harness.Client]string{}
	for n := range 6 {
		dial := harness.Dial{Version: []int{4, 2}[n%2], Mode: []string{"polling", "websocket", "upgrade"}[n/2], URL: balancer.URL}
		for home := ""; home != going.ID; { // it goes round, sooner or later
			client := runner.Connect(t, dial)
			home = homeOf(client)
			homes[client] = home
		}
	}
	going.Terminate(t)
	for client, home := range homes {
		if home == going.ID {
			client.AwaitDisconnect(t)
			client.AwaitConnect(t)
			if now := homeOf(client); now == going.ID {
				t.Errorf("%s came back to %s, which is gone", client, now)
			}
		} else if client.Disconnected() {
			t.Errorf("%s, at %s, lost its connection when %s went down", client, home, going.ID)
		}
		for _, message := range client.Log() {
			if message.Type == "connect_error" {
				t.Errorf("%s, at %s, was told %q", client, home, message.Text)
			}
		}
	}
}
