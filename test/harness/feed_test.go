package harness

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// listen accepts connections for a test to speak on.
func listen(t *testing.T) (address string, connections <-chan net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			accepted <- connection
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return listener.Addr().String(), accepted
}

type feedFixture struct {
	link             *RedisLink
	instance, server net.Conn
}

func startFeed(t *testing.T) *feedFixture {
	t.Helper()
	address, connections := listen(t)
	f := &feedFixture{link: LinkRedis(t, address)}
	var err error
	if f.instance, err = net.Dial("tcp", f.link.Address()); err != nil {
		t.Fatal(err)
	}
	f.server = <-connections
	t.Cleanup(func() { _, _ = f.instance.Close(), f.server.Close() })
	return f
}

func (f *feedFixture) say(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(f.server, text); err != nil {
		t.Fatal(err)
	}
}

func (f *feedFixture) expect(t *testing.T, text string) {
	t.Helper()
	if err := f.instance.SetReadDeadline(time.Now().Add(Patience)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if n, err := io.ReadFull(f.instance, got); err != nil || string(got) != text {
		t.Fatalf("heard %q, %v, want %q", got[:n], err, text)
	}
}

func (f *feedFixture) expectEnd(t *testing.T) {
	t.Helper()
	if err := f.instance.SetReadDeadline(time.Now().Add(Patience)); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(f.instance); err != nil || len(rest) > 0 {
		t.Errorf("heard %q, %v, want the end", rest, err)
	}
}

func TestPublicationsAloneAreLost(t *testing.T) {
	f := startFeed(t)
	f.say(t, subscription+publication[:20])
	f.expect(t, subscription)
	f.say(t, publication[20:]+heartbeat)
	f.expect(t, publication+heartbeat)

	f.link.LosePublications(1, 1)
	f.say(t, publication+heartbeat+publication+"+OK\r\n")
	f.expect(t, heartbeat+"+OK\r\n")
	if lost := f.link.Lost(); lost != 2 {
		t.Errorf("%d publications were lost, want 2", lost)
	}

	f.link.LosePublications(.5, 1)
	f.say(t, strings.Repeat(publication, 200)+heartbeat)
	lost := func() int { return f.link.Lost() - 2 }
	Eventually(t, "about half of them are lost", func() bool { return lost() > 50 })
	_ = f.server.Close()
	heard, err := io.ReadAll(f.instance)
	if want := strings.Repeat(publication, 200-lost()) + heartbeat; err != nil || string(heard) != want {
		t.Errorf("heard %d bytes, %v, want %d", len(heard), err, len(want))
	}
	if lost() > 150 {
		t.Errorf("%d of 200 publications were lost, want about half", lost())
	}
}

func TestTheSubscriberAloneBecomesDeaf(t *testing.T) {
	t.Run("held", func(t *testing.T) {
		f := startFeed(t)
		f.link.Become(Held)
		f.say(t, "+PONG\r\n")
		f.expect(t, "+PONG\r\n") // not a subscriber yet
		f.say(t, subscription+heartbeat)
		if err := f.instance.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if n, err := f.instance.Read(make([]byte, 1)); err == nil {
			t.Errorf("heard %d bytes while deaf", n)
		}
		f.link.Become(Hearing)
		f.expect(t, subscription+heartbeat)
	})
	t.Run("held until Redis has gone", func(t *testing.T) {
		f := startFeed(t)
		f.link.Become(Held)
		f.say(t, subscription)
		_ = f.server.Close()
		f.expectEnd(t)
	})
	t.Run("cut while silent", func(t *testing.T) {
		f := startFeed(t)
		f.say(t, subscription)
		f.expect(t, subscription)
		f.link.Become(Cut)
		f.expectEnd(t)
	})
	t.Run("cut from the start", func(t *testing.T) {
		f := startFeed(t)
		f.link.Become(Cut)
		f.say(t, "+PONG\r\n")
		f.expect(t, "+PONG\r\n")
		f.say(t, subscription)
		f.expectEnd(t)
	})
}

// What Redis said before its connection ended arrives.
func TestTheEndComesLast(t *testing.T) {
	f := startFeed(t)
	f.say(t, subscription+publication)
	_ = f.server.Close()
	f.expect(t, subscription+publication)
	f.expectEnd(t)
}
