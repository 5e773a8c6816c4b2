package redis

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/roomcast/roomcast/internal/nonblock"
)

// lines are the connections that commands use. A way to Redis that breaks quietly leaves
// them all standing; tried one after the other, each would cost a command ioTimeout before
// one is opened that works. So when one brings nothing for long, those go with it that
// have brought nothing since either.
type lines struct {
	mu   sync.Mutex
	open map[*line]struct{}
}

// longSilence is how long a line must have been waited for in vain to condemn others. A
// command of less patience proves nothing.
const longSilence = ioTimeout / 2

// line is one of them.
type line struct {
	net.Conn
	lines *lines
	heard atomic.Int64 // when it last brought something, or was opened: time.Time.UnixNano
}

// watched gives lines every connection that dial opens.
func (l *lines) watched(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		connection, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return l.add(connection), nil
	}
}

func (l *lines) add(connection net.Conn) net.Conn {
	added := &line{Conn: connection, lines: l}
	added.heard.Store(time.Now().UnixNano())
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		l.open = make(map[*line]struct{})
	}
	l.open[added] = struct{}{}
	// go-redis looks at the socket before it uses a connection again: one that was closed
	// meanwhile is then replaced before a command is sent.
	if socket, ok := connection.(*nonblock.Conn); ok {
		return struct {
			*line
			syscall.Conn
		}{added, glanced{socket}}
	}
	return added
}

// glanced lets go-redis look at the socket for less: its system call would wake the thread
// that watches over such calls, and keep that busy for a millisecond, once for every command.
// When there is nothing to see it is not made.
type glanced struct{ conn *nonblock.Conn }

// SyscallConn implements syscall.Conn.
func (g glanced) SyscallConn() (syscall.RawConn, error) {
	raw, err := g.conn.SyscallConn()
	return glancedRaw{raw, g.conn}, err
}

type glancedRaw struct {
	syscall.RawConn
	conn *nonblock.Conn
}

// Read implements syscall.RawConn for a look that does not wait.
func (g glancedRaw) Read(look func(descriptor uintptr) bool) error {
	if g.conn.Quiet() {
		return nil
	}
	return g.RawConn.Read(look)
}

// dropSilent closes the lines that have brought nothing since.
func (l *lines) dropSilent(since time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range l.open {
		if line.heard.Load() < since.UnixNano() {
			_ = line.Conn.Close() // go-redis finds it closed and forgets it
		}
	}
}

// Read implements net.Conn.
func (l *line) Read(p []byte) (int, error) {
	began := time.Now()
	n, err := l.Conn.Read(p)
	if n > 0 {
		l.heard.Store(time.Now().UnixNano())
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() && time.Since(began) >= longSilence {
		l.lines.dropSilent(began)
	}
	return n, err
}

// Close implements net.Conn.
func (l *line) Close() error {
	l.lines.mu.Lock()
	delete(l.lines.open, l)
	l.lines.mu.Unlock()
	return l.Conn.Close()
}
