package test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roomcast/roomcast/test/harness"
)

var fullFloods = flag.Bool("floods", false, "flood at full size, and judge how long a good client waits meanwhile, and what memory is kept")

// flood is how much comes, and how fast.
type flood struct {
	halfOpen, slow, silent, junk int
	opened, junkRate             int // a second, each
	quiet                        time.Duration
}

// sizeOf the floods: a tenth in the ordinary run, which judges only what is lost and left behind.
func sizeOf() flood {
	full := flood{halfOpen: 5_000, slow: 2_000, silent: 1_000, junk: 100_000, opened: 500, junkRate: 10_000, quiet: 10 * time.Second}
	if *fullFloods {
		return full
	}
	return flood{halfOpen: full.halfOpen / 10, slow: full.slow / 10, silent: full.silent / 10, junk: full.junk / 10, opened: full.opened, junkRate: full.junkRate, quiet: time.Second}
}

// maxFloodGrowth is how much memory all floods together may cost while they last, in bytes.
const maxFloodGrowth = 512 << 20

// Handshakes that are never finished, clients that never read, sessions that never say who they
// are, and junk as fast as it is taken: a good client gets every update, in good time, and all
// that the floods cost is given back.
func TestFloods(t *testing.T) {
	if !*fullFloods {
		t.Parallel()
	}
	size := sizeOf()
	server := startIdentified(t, "ROOMCAST_CONNECT_TIMEOUT=5s", "ROOMCAST_BACKLOG_BYTES=1000000", "ROOMCAST_SESSIONS_PER_USER=10000")
	good := harness.Room{Workspace: "acme", App: "good"}
	member := startMember(t, server, good)
	quiet := member.listen(size.quiet)
	before := footprintOf(t, server)

	busy := harness.Room{Workspace: "acme", App: "busy"}
	for _, attack := range []struct {
		name string
		run  func(ctx context.Context)
	}{
		{fmt.Sprintf("%d half-open handshakes, %d/s", size.halfOpen, size.opened), func(ctx context.Context) { halfOpen(ctx, t, server, size) }},
		{fmt.Sprintf("%d sessions that never CONNECT, %d/s", size.silent, size.opened), func(ctx context.Context) { silent(ctx, t, server, size) }},
		{fmt.Sprintf("%d slow readers, %d/s", size.slow, size.opened), func(ctx context.Context) { slowReaders(ctx, t, server, size, busy) }},
		{fmt.Sprintf("%d junk packets, %d/s", size.junk, size.junkRate), func(ctx context.Context) { junk(ctx, t, server, size) }},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		var over atomic.Bool
		var attacking sync.WaitGroup
		attacking.Go(func() { defer over.Store(true); attack.run(ctx) })
		waited := member.listenWhile(func() bool { return !over.Load() })
		attacking.Wait()
		cancel()
		peak := footprintOf(t, server)
		t.Logf("%-48s p99 %v (quiet %v) of %d updates; RSS %d MB (quiet %d MB)", attack.name, p99(waited), p99(quiet), len(waited), peak.rss>>20, before.rss>>20)
		if bound := max(2*p99(quiet), 50*time.Millisecond); *fullFloods && p99(waited) > bound {
			t.Errorf("%s: p99 %v, more than %v", attack.name, p99(waited), bound)
		}
	}
	if growth := server.PeakMemory(t) - before.rss; growth > maxFloodGrowth {
		t.Errorf("the floods cost %d MB", growth>>20)
	}
	harness.Eventually(t, "all that was taken is given back", func() bool {
		after := footprintOf(t, server)
		return after.sessions == before.sessions && after.backlog == 0 && after.goroutines <= before.goroutines+20 && after.descriptors <= before.descriptors+20
	})
	if *fullFloods { // the race detector keeps what it has noted of memory, long after that is free
		harness.Eventually(t, "the memory is given back", func() bool { return footprintOf(t, server).rss < before.rss+96<<20 })
	}
	after := footprintOf(t, server)
	t.Logf("afterwards %+v, before %+v, peak %d MB", after, before, server.PeakMemory(t)>>20)
}

// footprint is what the server has of the machine.
type footprint struct {
	rss                                        int
	sessions, backlog, goroutines, descriptors float64
}

func footprintOf(t *testing.T, server *harness.Server) footprint {
	t.Helper()
	return footprint{
		rss: int(server.Metric(t, "process_resident_memory_bytes")), sessions: server.Metric(t, "roomcast_sessions"), backlog: server.Metric(t, "roomcast_backlog_bytes"),
		goroutines: server.Metric(t, "go_goroutines"), descriptors: server.Metric(t, "process_open_fds"),
	}
}

func p99(waits []time.Duration) time.Duration {
	sorted := slices.Clone(waits)
	slices.Sort(sorted)
	return sorted[len(sorted)*99/100]
}

// member is a good client, with a backend that publishes to it.
type member struct {
	t      *testing.T
	server *harness.Server
	room   harness.Room
	raw    *harness.Raw
	n      int
	client http.Client
}

func startMember(t *testing.T, server *harness.Server, room harness.Room) *member {
	t.Helper()
	m := &member{t: t, server: server, room: room, client: http.Client{Timeout: harness.Patience}}
	m.raw = entered(t, server, lasting(t, time.Hour))
	m.raw.Subscribe(t, room)
	t.Cleanup(m.client.CloseIdleConnections)
	return m
}

func entered(t *testing.T, server *harness.Server, token string) *harness.Raw {
	t.Helper()
	raw, answer := harness.Enter(t, server, harness.Knock{Revision: "4", Payload: fmt.Sprintf(`{"token":%q}`, token)})
	if !strings.HasPrefix(answer, "40") {
		t.Fatalf("a good client is answered %s", answer)
	}
	return raw
}

// betweenUpdates paces the good client's updates.
const betweenUpdates = 10 * time.Millisecond

func (m *member) listen(d time.Duration) []time.Duration {
	until := time.Now().Add(d)
	return m.listenWhile(func() bool { return time.Now().Before(until) })
}

// listenWhile publishes one update after the other and returns how long each took from REST to the
// client, which has to get each as the next one. It takes a hundred at least.
func (m *member) listenWhile(going func() bool) (waits []time.Duration) {
	m.t.Helper()
	pace := time.NewTicker(betweenUpdates)
	defer pace.Stop()
	for going() || len(waits) < 100 {
		<-pace.C
		m.n++
		began := time.Now()
		m.publish()
		heard := m.hears()
		waits = append(waits, time.Since(began))
		if !strings.Contains(heard, fmt.Sprintf(`"n":%d}`, m.n)) {
			m.t.Fatalf("number %d is %s", m.n, heard)
		}
	}
	return waits
}

// hears is the next update; pings are answered meanwhile.
func (m *member) hears() string {
	m.t.Helper()
	for {
		frame, err := m.raw.Read()
		if err != nil {
			m.t.Fatalf("a good client waits for update %d: %v", m.n, err)
		}
		switch text := string(frame.Payload); {
		case text == "2":
			m.raw.Send(m.t, ws.OpText, "3")
		case strings.HasPrefix(text, `42["`+m.room.Name()+`"`):
			return text
		}
	}
}

func (m *member) publish() {
	m.t.Helper()
	body := fmt.Sprintf(`{"event":"N","data":{"n":%d}}`, m.n)
	post(m.t, &m.client, m.server, m.room, body)
}

func post(t *testing.T, client *http.Client, server *harness.Server, room harness.Room, body string) {
	t.Helper()
	url := fmt.Sprintf("%s/api/v1/workspaces/%s/apps/%s/updates", server.URL, room.Workspace, room.App)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer s3cret")
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusCreated {
		t.Fatalf("publishing: %s, %v", response.Status, err)
	}
}

// opening opens n connections at a rate and returns those that were taken.
func opening(ctx context.Context, n, rate int, open func() net.Conn) (all []net.Conn) {
	pace := time.NewTicker(time.Second / time.Duration(rate))
	defer pace.Stop()
	for range n {
		select {
		case <-pace.C:
		case <-ctx.Done():
			return all
		}
		if conn := open(); conn != nil {
			all = append(all, conn)
		}
	}
	return all
}

// ended waits until the server has ended each connection, whatever it says before.
func ended(ctx context.Context, t *testing.T, all []net.Conn) {
	t.Helper()
	deadline, _ := ctx.Deadline()
	buffer := make([]byte, 4096)
	for _, conn := range all {
		_ = conn.SetReadDeadline(deadline)
		for {
			_, err := conn.Read(buffer)
			if os.IsTimeout(err) {
				t.Error("a connection of a flood is still there")
			}
			if err != nil {
				break
			}
		}
		_ = conn.Close()
	}
}

func dialTo(server *harness.Server, first string) net.Conn {
	conn, err := net.DialTimeout("tcp", server.Address, harness.Patience)
	if err != nil {
		return nil
	}
	_, _ = io.WriteString(conn, first)
	return conn
}

const handshake = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"

func halfOpen(ctx context.Context, t *testing.T, server *harness.Server, size flood) {
	ended(ctx, t, opening(ctx, size.halfOpen, size.opened, func() net.Conn { return dialTo(server, handshake) }))
}

func silent(ctx context.Context, t *testing.T, server *harness.Server, size flood) {
	const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	ended(ctx, t, opening(ctx, size.silent, size.opened, func() net.Conn { return dialTo(server, handshake+key) }))
}

// slowReaders have good tokens, join a busy room, and read nothing any more.
func slowReaders(ctx context.Context, t *testing.T, server *harness.Server, size flood, busy harness.Room) {
	token := lasting(t, time.Hour)
	all := opening(ctx, size.slow, size.opened, func() net.Conn {
		raw := narrow(t, server, token)
		raw.Subscribe(t, busy)
		return raw.Connection
	})
	filling := strings.Repeat("x", 20_000)
	client := &http.Client{Timeout: harness.Patience}
	defer client.CloseIdleConnections()
	pace := time.NewTicker(100 * time.Millisecond)
	defer pace.Stop()
	for server.Metric(t, "roomcast_sessions_closed_total", `reason="backlog full"`) < float64(len(all)) && ctx.Err() == nil {
		for range 5 {
			<-pace.C
			post(t, client, server, busy, `{"event":"N","data":{"filling":"`+filling+`"}}`)
		}
	}
	ended(ctx, t, all)
}

func narrow(t *testing.T, server *harness.Server, token string) *harness.Raw {
	t.Helper()
	return harness.EnterNarrow(t, server, harness.Knock{Revision: "4", Payload: fmt.Sprintf(`{"token":%q}`, token)})
}

// junk sends packets that are none over as many sessions as it takes.
func junk(ctx context.Context, t *testing.T, server *harness.Server, size flood) {
	pace := time.NewTicker(time.Second / 100)
	defer pace.Stop()
	var conn net.Conn
	sent := 0
	for sent < size.junk && ctx.Err() == nil {
		<-pace.C
		for range size.junkRate / 100 {
			if conn == nil {
				conn = dialTo(server, handshake+"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
			}
			junkPacket := packets[sent%len(packets)]
			if len(junkPacket) > 1000 {
				junkPacket = junkPacket[:1000]
			}
			if _, err := conn.Write(frame(ws.OpText, "4"+junkPacket)); err != nil {
				_ = conn.Close()
				conn = nil
			}
			sent++
		}
	}
	if conn != nil {
		_ = conn.Close()
	}
}
