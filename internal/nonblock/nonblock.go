// Package nonblock reads and writes sockets without telling Go's scheduler.
//
// Before a system call Go makes ready for it to block: it notes that others may take the
// processor over, and wakes the thread that watches for that when all was at rest. On a
// socket in Go's poller a call cannot block, so none of that is needed; for an instance that
// wakes up a thousand times in a second to read or write a little it was half of what it cost.
package nonblock

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// Read reads what has come to a non-blocking descriptor, 0 bytes at the end of the stream. Its
// error is a bare syscall.Errno: EAGAIN when nothing has come. p must not be empty.
func Read(descriptor int, p []byte) (int, error) { return result(again(read, descriptor, p)) }

// Write writes what a non-blocking descriptor takes. Its error is a bare syscall.Errno: EAGAIN
// when it takes nothing. p must not be empty.
func Write(descriptor int, p []byte) (int, error) { return result(again(write, descriptor, p)) }

// again repeats a call that a signal has interrupted.
func again(call func(int, []byte) (int, syscall.Errno), descriptor int, p []byte) (int, syscall.Errno) {
	for {
		if n, err := call(descriptor, p); err != syscall.EINTR {
			return n, err
		}
	}
}

func result(n int, err syscall.Errno) (int, error) {
	if err != 0 {
		return 0, err
	}
	return n, nil
}

// Conn is a TCP connection that is read and written so. It is used as any net.Conn.
type Conn struct {
	*net.TCPConn
	raw syscall.RawConn

	reading  sync.Mutex
	incoming operation
	writing  sync.Mutex
	outgoing operation
}

// operation is the argument and the result of one call, made once for each direction:
// RawConn would have every closure escape. Guarded by the direction's mutex.
type operation struct {
	try  func(descriptor uintptr) (done bool)
	data []byte
	n    int
	err  syscall.Errno
}

// NewConn wraps a connection; only the result is to be used from then on.
func NewConn(tcp *net.TCPConn) (*Conn, error) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, err
	}
	c := &Conn{TCPConn: tcp, raw: raw}
	c.incoming.try, c.outgoing.try = c.incoming.read, c.outgoing.write
	return c, nil
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.reading.Lock()
	defer c.reading.Unlock()
	op := &c.incoming
	op.data, op.n, op.err = p, 0, 0
	err := c.raw.Read(op.try)
	op.data = nil
	switch {
	case err != nil:
		return 0, err
	case op.err != 0:
		return 0, c.fault("read", op.err)
	case op.n == 0:
		return 0, io.EOF
	}
	return op.n, nil
}

// Write implements net.Conn: it waits until all of p is written.
func (c *Conn) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	op := &c.outgoing
	op.data, op.n, op.err = p, 0, 0
	err := c.raw.Write(op.try)
	op.data = nil
	if err == nil && op.err != 0 {
		err = c.fault("write", op.err)
	}
	return op.n, err
}

// Quiet reports that nothing has come that was not read: no bytes, no end and no error.
func (c *Conn) Quiet() bool {
	quiet := false
	err := c.raw.Control(func(descriptor uintptr) {
		var first [1]byte
		_, err := again(peek, int(descriptor), first[:])
		quiet = err == syscall.EAGAIN
	})
	return err == nil && quiet
}

// read is false while there is nothing to read.
func (op *operation) read(descriptor uintptr) bool {
	op.n, op.err = again(read, int(descriptor), op.data)
	return op.err != syscall.EAGAIN
}

// write is false while there is something left to write.
func (op *operation) write(descriptor uintptr) bool {
	for op.n < len(op.data) {
		n, err := again(write, int(descriptor), op.data[op.n:])
		if err == syscall.EAGAIN {
			return false
		}
		if op.err = err; err != 0 {
			break
		}
		op.n += n
	}
	return true
}

func (c *Conn) fault(what string, err syscall.Errno) error {
	return &net.OpError{
		Op: what, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError(what, err),
	}
}

// Listener accepts connections as Conn.
type Listener struct{ net.Listener }

// Accept implements net.Listener.
func (l Listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn, nil
	}
	wrapped, err := NewConn(tcp)
	if err != nil {
		return conn, nil //nolint:nilerr // it is broken, which its first use says
	}
	return wrapped, nil
}
