package harness

import (
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// dialed connects through a balancer to whichever backend it chooses.
func dialed(t *testing.T, b *RoundRobin, connections ...<-chan net.Conn) (client, server net.Conn, chosen int) {
	t.Helper()
	client, err := net.Dial("tcp", b.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if err := client.SetDeadline(time.Now().Add(Patience)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.After(Patience); ; {
		for n := range connections {
			select {
			case server := <-connections[n]:
				t.Cleanup(func() { _ = server.Close() })
				return client, server, n
			case <-time.After(time.Millisecond):
			case <-deadline:
				t.Fatal("no backend was connected to")
			}
		}
	}
}

func startBackends(t *testing.T, count int) ([]*Server, []<-chan net.Conn) {
	t.Helper()
	servers, accepted := make([]*Server, count), make([]<-chan net.Conn, count)
	for n := range servers {
		servers[n] = &Server{}
		servers[n].Address, accepted[n] = listen(t)
	}
	return servers, accepted
}

func TestBackendsTakeTurnsAndRefusalsAreTriedElsewhere(t *testing.T) {
	servers, accepted := startBackends(t, 3)
	all := StartRoundRobin(t, servers)
	var turns []int
	for range 6 {
		_, _, n := dialed(t, all, accepted...)
		turns = append(turns, n)
	}
	if want := []int{0, 1, 2, 0, 1, 2}; !slices.Equal(turns, want) {
		t.Errorf("the backends were used in the order %v, want %v", turns, want)
	}

	refusing := &Server{Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(FreePort(t)))}
	most := StartRoundRobin(t, []*Server{refusing, refusing, servers[2]})
	var group sync.WaitGroup
	for range 50 { // at once: nobody's attempts may count for somebody else
		group.Go(func() {
			client, err := net.Dial("tcp", most.listener.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer client.Close()
			server := <-accepted[2]
			defer server.Close()
		})
	}
	group.Wait()
	Eventually(t, "all handshakes are counted", func() bool {
		return most.PeakHandshakes(time.Time{}, time.Hour) == 50
	})
	if peak := most.PeakHandshakes(time.Now(), time.Hour); peak != 0 {
		t.Errorf("%d handshakes after the last one", peak)
	}
}

func TestConnectionsAreCutWhenTheyHaveBroughtEnough(t *testing.T) {
	servers, accepted := startBackends(t, 1)
	b := StartRoundRobin(t, servers)
	b.CutAfter(func() int64 { return 5 })
	client, server, _ := dialed(t, b, accepted...)
	_, _ = io.WriteString(server, "1234")
	if _, err := io.ReadFull(client, make([]byte, 4)); err != nil {
		t.Errorf("cut before its time: %v", err)
	}
	_, _ = io.WriteString(server, "56789")
	rest, err := io.ReadAll(client)
	if len(rest) > 1 || err == nil {
		t.Errorf("read %q and then %v, want the fifth byte at most, and a reset", rest, err)
	}

	spared, server, _ := dialed(t, b, accepted...)
	b.CutAfter(nil)
	_, _ = io.WriteString(server, "123456789")
	if _, err := io.ReadFull(spared, make([]byte, 9)); err != nil {
		t.Errorf("cut when nothing was to be cut any more: %v", err)
	}
	_ = server.Close()
	if rest, err := io.ReadAll(spared); err != nil || len(rest) > 0 {
		t.Errorf("a backend's end arrives as %q, %v", rest, err)
	}
}

func TestOfflineEndsAndRefuses(t *testing.T) {
	servers, accepted := startBackends(t, 1)
	b := StartRoundRobin(t, servers)
	client, _, _ := dialed(t, b, accepted...)
	b.Offline()
	if _, err := client.Read(make([]byte, 1)); err == nil {
		t.Error("a connection outlived the network")
	}
	if late, err := net.Dial("tcp", b.listener.Addr().String()); err == nil { // it may be reset already
		defer late.Close()
		if _, err := late.Read(make([]byte, 1)); err == nil {
			t.Error("a connection was made without a network")
		}
	}
	(<-accepted[0]).Close()
	b.Online()
	dialed(t, b, accepted...)
}
