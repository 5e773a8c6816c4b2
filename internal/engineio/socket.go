package engineio

import (
	"bufio"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/gobwas/ws"

	"github.com/roomcast/roomcast/internal/nonblock"
)

// sendBuffer is the kernel's send buffer per websocket, in bytes (Linux doubles it).
// Left to itself the kernel takes up to 4 MB for a client that does not read, before our
// own bound would notice anything.
const sendBuffer = 256 << 10

// socket is a websocket's connection. Its reader goroutine owns the reading side and is
// the one that closes the connection; the session's door owns the writing side.
type socket struct {
	conn       net.Conn
	raw        syscall.RawConn // nil for wrapped connections (TLS), which drain always
	descriptor int             // of raw; see writeNow for who may use it, and when

	in inbound

	out outbound // guarded by the session's mu

	drains sync.WaitGroup // the drain goroutine, while it lives
}

// upgradeSocket answers the websocket handshake and takes the connection from net/http,
// whose buffers and goroutine are let go.
func upgradeSocket(w http.ResponseWriter, r *http.Request) (*socket, error) {
	upgrader := ws.HTTPUpgrader{
		Timeout: 10 * time.Second,
		// The reference echoes the first subprotocol offered.
		Protocol: func(string) bool { return true },
		Header:   corsOf(w),
	}
	conn, buffered, _, err := upgrader.Upgrade(r, w)
	if err != nil {
		if conn != nil {
			_ = conn.Close()
		}
		return nil, err
	}
	if wrapped, ok := conn.(*nonblock.Conn); ok {
		conn = wrapped.TCPConn // the socket does itself what the wrapping is for
	}
	sock := &socket{conn: conn}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer)
		sock.adopt(tcp)
	} else if wrapping, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		if kernel, ok := wrapping.NetConn().(interface{ SetWriteBuffer(bytes int) error }); ok {
			_ = kernel.SetWriteBuffer(sendBuffer)
		}
	}
	sock.in.init(conn, sock.raw)
	return sock, sock.in.take(buffered.Reader)
}

// adopt makes the descriptor known. Where that fails, on a connection that is closed already,
// the socket is used as a wrapped one: descriptor 0 would be somebody else's.
func (s *socket) adopt(tcp syscall.Conn) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	if raw.Control(func(fd uintptr) { s.descriptor = int(fd) }) == nil {
		s.raw = raw
	}
}

// corsOf is what the response would have carried had it not been hijacked.
func corsOf(w http.ResponseWriter) http.Header {
	header := http.Header{}
	for _, name := range []string{"Access-Control-Allow-Origin", "Vary"} {
		if values := w.Header().Values(name); len(values) > 0 {
			header[name] = values
		}
	}
	return header
}

// abandon makes the socket's reader, which closes it, and its drain come to their end now.
func (s *socket) abandon() {
	_ = s.conn.SetDeadline(time.Unix(1, 0))
}

// discard has the kernel throw away, when the connection is closed, what it has not sent. A
// client that reads slowly would otherwise go through all of it, for minutes, before it
// noticed that it was cut off and came back; one that does not read at all would keep the
// memory for as long.
func (s *socket) discard() {
	conn := s.conn
	if wrapped, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = wrapped.NetConn()
	}
	if tcp, ok := conn.(interface{ SetLinger(seconds int) error }); ok {
		_ = tcp.SetLinger(0)
	}
}

// retire tells the peer, when it is not in the middle of a frame, and gives the reader a
// last moment to see the peer's own close. Writing is over afterwards.
func (s *socket) retire(closeFrame []byte) {
	if s.raw == nil || !s.out.idle() {
		s.abandon()
		return
	}
	if closeFrame != nil {
		_, _ = s.writeNow(closeFrame)
	}
	s.closeWrite()
	_ = s.conn.SetReadDeadline(time.Now().Add(lingerTime))
}

// closeWrite ends the stream to the peer, who then ends his.
func (s *socket) closeWrite() {
	if half, ok := s.conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// write writes all of chunk, waiting for the peer up to the given time.
func (s *socket) write(chunk []byte, patience time.Duration) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := s.conn.Write(chunk)
	return err
}

// linger reads on, for nothing, until the peer closes or the deadline passes.
func (s *socket) linger() {
	_ = s.conn.SetReadDeadline(time.Now().Add(lingerTime))
	for s.in.skip() == nil {
	}
}

// close ends the connection, once the drain is done with it. Called by the reader alone,
// after the end of the session, which gave the drain its last deadline.
func (s *socket) close() {
	s.drains.Wait()
	s.in.release()
	_ = s.conn.Close()
}

// take moves what net/http has already read into the socket's own reading side.
func (in *inbound) take(reader *bufio.Reader) error {
	n := reader.Buffered()
	if n == 0 {
		return nil
	}
	early, err := reader.Peek(n)
	if err != nil {
		return err
	}
	in.preload(early)
	return nil
}
