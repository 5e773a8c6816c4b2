package nonblock_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/roomcast/roomcast/internal/nonblock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair is both ends of a connection, the first of them accepted by a Listener.
func pair(t *testing.T) (accepted *nonblock.Conn, other *net.TCPConn) {
	t.Helper()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	dialled, err := net.Dial("tcp", plain.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := (nonblock.Listener{Listener: plain}).Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(); _ = dialled.Close() })
	return conn.(*nonblock.Conn), dialled.(*net.TCPConn)
}

// More than any buffer of the kernel's goes through, also where either side has to wait.
func TestBothWays(t *testing.T) {
	a, b := pair(t)
	payload := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // 16 MB
	written := make(chan error, 2)
	go func() { _, err := a.Write(payload); written <- err }()
	go func() { _, err := b.Write(payload); written <- err }()
	read := make(chan []byte, 2)
	for _, conn := range []io.Reader{a, b} {
		go func() {
			got := make([]byte, len(payload))
			n, _ := io.ReadFull(conn, got)
			read <- got[:n]
		}()
	}
	for range 2 {
		if got := <-read; !bytes.Equal(got, payload) {
			t.Errorf("%d of %d bytes, or others", len(got), len(payload))
		}
		if err := <-written; err != nil {
			t.Error(err)
		}
	}
}

func TestTheEndOfTheStream(t *testing.T) {
	a, b := pair(t)
	if n, err := a.Read(nil); n != 0 || err != nil {
		t.Errorf("nothing was read: %d, %v", n, err)
	}
	if n, err := a.Write(nil); n != 0 || err != nil {
		t.Errorf("nothing was written: %d, %v", n, err)
	}
	_, _ = b.Write([]byte("last"))
	_ = b.CloseWrite()
	if text, err := io.ReadAll(a); string(text) != "last" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}

func TestQuiet(t *testing.T) {
	a, b := pair(t)
	if !a.Quiet() {
		t.Error("nothing has come, but it is not quiet")
	}
	_, _ = b.Write([]byte("x"))
	eventually(t, "what has come is seen", func() bool { return !a.Quiet() })
	if n, err := a.Read(make([]byte, 2)); n != 1 || err != nil {
		t.Errorf("read %d bytes of 1, %v", n, err)
	}
	if !a.Quiet() {
		t.Error("all was read, but it is not quiet")
	}
	_ = b.Close()
	eventually(t, "the end is seen", func() bool { return !a.Quiet() })
	_ = a.Close()
	if a.Quiet() {
		t.Error("a closed connection is quiet")
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for begun := time.Now(); !is(); time.Sleep(time.Millisecond) {
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// Errors are those of net.Conn, which callers look into.
func TestErrors(t *testing.T) {
	a, b := pair(t)
	_ = a.SetReadDeadline(time.Unix(1, 0))
	_, err := a.Read(make([]byte, 1))
	var timeout net.Error
	if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("after the deadline: %v", err)
	}
	_ = a.SetWriteDeadline(time.Unix(1, 0))
	if _, err := a.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
	_ = a.SetDeadline(time.Time{})

	_ = b.SetLinger(0)
	_ = b.Close() // a reset
	_, err = a.Read(make([]byte, 1))
	var operation *net.OpError
	if !errors.Is(err, syscall.ECONNRESET) || !errors.As(err, &operation) || !strings.Contains(err.Error(), a.RemoteAddr().String()) {
		t.Errorf("after a reset: %v", err)
	}
	if _, err := a.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("after a reset: %v", err)
	}
	_ = a.Close()
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after its own end: %v", err)
	}
}

// Close ends a call that waits.
func TestCloseWakes(t *testing.T) {
	a, _ := pair(t)
	ended := make(chan error)
	go func() { _, err := a.Read(make([]byte, 1)); ended <- err }()
	go func() { _, err := a.Write(make([]byte, 64<<20)); ended <- err }()
	_ = a.Close()
	for range 2 {
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v", err)
		}
	}
}

func TestAllocations(t *testing.T) {
	a, b := pair(t)
	buffer, reply := make([]byte, 4), make([]byte, 4)
	allocated := testing.AllocsPerRun(100, func() {
		_, _ = b.Write(buffer)
		_, _ = io.ReadFull(a, buffer)
		_, _ = a.Write(buffer)
		_, _ = io.ReadFull(b, reply)
	})
	if allocated != 0 {
		t.Errorf("%.1f allocations to read and write", allocated)
	}
}
