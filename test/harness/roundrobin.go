package harness

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"
)

// RoundRobin is the plainest of balancers: TCP, each connection to the next backend, and to
// the one after it when the connect is refused. It knows no health and no sessions, so what
// clients get through it they owe to the server alone. It can also cut connections.
type RoundRobin struct {
	listener net.Listener
	backends []string
	group    sync.WaitGroup // the accept loop and both directions of every connection

	mu         sync.Mutex
	next       int
	handshakes []time.Time // when connections reached a backend
	links      map[*cable]struct{}
	budget     func() int64 // bytes a new connection may bring its client, nil: all it wants
	offline    bool
	closed     bool
}

// cable is one connection of a client and its continuation to a backend.
type cable struct {
	client, backend *net.TCPConn
	budget          int64 // negative: unlimited
}

// StartRoundRobin balances over the instances until the test ends. Instances that come back
// have to do so at their old address.
func StartRoundRobin(t testing.TB, servers []*Server) *RoundRobin {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &RoundRobin{listener: listener, links: make(map[*cable]struct{})}
	for _, server := range servers {
		b.backends = append(b.backends, server.Address)
	}
	b.group.Go(b.accept)
	t.Cleanup(b.close)
	return b
}

// URL is where clients connect to.
func (b *RoundRobin) URL() string { return "http://" + b.listener.Addr().String() }

func (b *RoundRobin) close() {
	_ = b.listener.Close()
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.Cut()
	b.group.Wait()
}

// CutAfter ends every connection made from now on once it has brought its client as many
// bytes as budget says, asked anew for each. Nil ends the cutting, also of those that are there.
func (b *RoundRobin) CutAfter(budget func() int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.budget = budget
}

// Cut ends all connections that there are.
func (b *RoundRobin) Cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for link := range b.links {
		link.cut()
	}
}

// Offline ends all connections and lets nobody in, until Online.
func (b *RoundRobin) Offline() {
	b.mu.Lock()
	b.offline = true
	b.mu.Unlock()
	b.Cut()
}

// Online ends what Offline began.
func (b *RoundRobin) Online() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.offline = false
}

// PeakHandshakes is the most connections that reached a backend within any such time after a
// moment.
func (b *RoundRobin) PeakHandshakes(after time.Time, within time.Duration) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	peak, first := 0, 0
	for last, at := range b.handshakes {
		for b.handshakes[first].Before(after) || at.Sub(b.handshakes[first]) >= within {
			if first++; first > last {
				break
			}
		}
		peak = max(peak, last-first+1)
	}
	return peak
}

func (b *RoundRobin) accept() {
	for {
		connection, err := b.listener.Accept()
		if err != nil {
			return
		}
		b.group.Go(func() { b.connect(connection.(*net.TCPConn)) })
	}
}

func (b *RoundRobin) connect(client *net.TCPConn) {
	backend, err := b.dial()
	if err != nil {
		_ = client.Close()
		return
	}
	link := &cable{client: client, backend: backend, budget: -1}
	if !b.admit(link) {
		link.cut()
		return
	}
	b.group.Go(func() {
		copyAll(backend, client)
		link.end()
	})
	b.bring(link)
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.links, link)
}

// admit begins a connection unless the network is away.
func (b *RoundRobin) admit(link *cable) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.offline || b.closed {
		return false
	}
	if b.budget != nil {
		link.budget = b.budget()
	}
	b.links[link] = struct{}{}
	b.handshakes = append(b.handshakes, time.Now())
	return true
}

// dial asks each backend once, the next one first.
func (b *RoundRobin) dial() (*net.TCPConn, error) {
	b.mu.Lock()
	first := b.next
	b.next++
	b.mu.Unlock()
	var err error
	for n := range b.backends {
		var connection net.Conn
		if connection, err = net.DialTimeout("tcp", b.backends[(first+n)%len(b.backends)], Patience); err == nil {
			return connection.(*net.TCPConn), nil
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return nil, err
		}
	}
	return nil, err
}

// bring carries what the backend says to the client, as far as the budget goes.
func (b *RoundRobin) bring(link *cable) {
	defer link.end()
	if link.budget >= 0 {
		copyAll(link.client, io.LimitReader(link.backend, link.budget))
		if b.cutting() {
			link.cut()
			return
		}
	}
	copyAll(link.client, link.backend)
}

func (b *RoundRobin) cutting() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.budget != nil
}

// end lets what was written arrive.
func (l *cable) end() {
	_ = l.client.Close()
	_ = l.backend.Close()
}

// cut ends a connection as a network that is lost does: what is under way is lost too.
func (l *cable) cut() {
	_ = l.client.SetLinger(0)
	_ = l.backend.SetLinger(0)
	l.end()
}

// copyAll copies through a small buffer. The kernel could do it without one, but with two
// descriptors more for each of thousands of connections.
func copyAll(to io.Writer, from io.Reader) {
	_, _ = io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, 4<<10))
}
