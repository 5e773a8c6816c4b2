package engineio

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"

	"github.com/roomcast/roomcast/internal/nonblock"
)

// inbound reads a connection without holding a buffer while there is nothing to read: it
// waits for readability inside RawConn.Read and takes a pooled buffer only when bytes are
// there. With tens of thousands of idle clients that is most of their memory.
type inbound struct {
	conn net.Conn
	raw  syscall.RawConn

	buffer *[]byte // nil between packets
	r, w   int     // the unread part of buffer

	// The result of readReady, which is made once since RawConn would have every closure
	// escape.
	readReady func(fd uintptr) bool
	n         int
	err       error
}

// readBuffer is the size of pooled read buffers; a packet from a client is seldom larger,
// and one that is passes through in pieces.
const readBuffer = 4 << 10

var readBuffers = sync.Pool{New: func() any { b := make([]byte, readBuffer); return &b }}

func (in *inbound) init(conn net.Conn, raw syscall.RawConn) {
	in.conn, in.raw = conn, raw
	if raw != nil {
		in.readReady = in.readDescriptor
	}
}

// preload puts bytes in front of what the connection will give.
func (in *inbound) preload(early []byte) {
	buffer := make([]byte, max(len(early), readBuffer))
	in.buffer, in.r, in.w = &buffer, 0, copy(buffer, early)
}

// Read implements io.Reader.
func (in *inbound) Read(p []byte) (int, error) {
	if in.r == in.w {
		if err := in.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, (*in.buffer)[in.r:in.w])
	in.r += n
	if in.r == in.w {
		in.release()
	}
	return n, nil
}

// buffered reports whether something is to be read without waiting.
func (in *inbound) buffered() bool { return in.r < in.w }

// skip throws away what has been or will be read next.
func (in *inbound) skip() error {
	in.release()
	err := in.fill()
	in.release()
	return err
}

// fill waits for bytes and reads some into a buffer.
func (in *inbound) fill() error {
	if in.raw == nil {
		in.acquire()
		n, err := in.conn.Read(*in.buffer)
		return in.filled(n, err)
	}
	if err := in.raw.Read(in.readReady); err != nil {
		return in.filled(0, err)
	}
	return in.filled(in.n, in.err)
}

func (in *inbound) filled(n int, err error) error {
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		in.release()
		return err
	}
	in.r, in.w = 0, n
	return nil
}

// readDescriptor tries one read; false makes RawConn wait until there is something, with
// no buffer held meanwhile.
func (in *inbound) readDescriptor(fd uintptr) bool {
	in.acquire()
	in.n, in.err = nonblock.Read(int(fd), *in.buffer)
	switch in.err {
	case syscall.EAGAIN: //nolint:errorlint // a bare errno, as documented
		in.release()
		return false
	case nil:
	default:
		in.err = os.NewSyscallError("read", in.err)
	}
	return true
}

func (in *inbound) acquire() {
	if in.buffer == nil {
		in.buffer = readBuffers.Get().(*[]byte)
	}
}

func (in *inbound) release() {
	if in.buffer != nil && len(*in.buffer) == readBuffer {
		readBuffers.Put(in.buffer)
	}
	in.buffer, in.r, in.w = nil, 0, 0
}
