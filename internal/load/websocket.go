package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gobwas/ws"
)

const (
	// dialTimeout bounds the opening of a connection, from dialling to the upgrade.
	dialTimeout = 30 * time.Second
	// writeTimeout bounds one write of a client, which writes little.
	writeTimeout = 10 * time.Second
	// chunkBytes is what a client reads at once.
	chunkBytes = 64 << 10
)

var chunks = sync.Pool{New: func() any { return new([chunkBytes]byte) }}

// websocket is one open websocket of a client.
type websocket struct {
	conn   net.Conn
	frames frames

	mu sync.Mutex // of writing
}

// dialWebsocket opens a websocket. early is what came with the upgrade's answer.
func dialWebsocket(ctx context.Context, base, target string) (w *websocket, early []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, reader, _, err := ws.Dialer{}.Dial(ctx, strings.Replace(base, "http", "ws", 1)+target)
	if err != nil {
		return nil, nil, fmt.Errorf("open a websocket: %w", err)
	}
	if reader != nil {
		early = make([]byte, reader.Buffered())
		_, _ = io.ReadFull(reader, early) // it is buffered
		ws.PutReader(reader)
	}
	return &websocket{conn: conn}, early, nil
}

// write sends one text message. Safe for concurrent use.
func (w *websocket) write(text []byte) error { return w.writeFrame(ws.OpText, text) }

func (w *websocket) writeFrame(opcode ws.OpCode, payload []byte) error {
	var frame bytes.Buffer
	if err := ws.WriteFrame(&frame, ws.MaskFrame(ws.NewFrame(opcode, true, payload))); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := w.conn.Write(frame.Bytes())
	return err
}

// errClosing is the server's close frame.
var errClosing = errors.New("closed by the server")

// read hands every text message to handle, until the connection ends; it always returns an
// error. arrived is called with the size of each chunk, before its messages.
func (w *websocket) read(early []byte, arrived func(bytes int), handle func(text []byte) error) error {
	frame := func(opcode byte, payload []byte) error {
		switch opcode {
		case opText:
			return handle(payload)
		case opClose:
			return errClosing
		case opPing:
			return w.writeFrame(ws.OpPong, payload)
		}
		return nil
	}
	take := func(chunk []byte) error {
		arrived(len(chunk))
		return w.frames.feed(chunk, frame)
	}
	if len(early) > 0 {
		if err := take(early); err != nil {
			return err
		}
	}
	if conn, ok := w.conn.(syscall.Conn); ok {
		raw, err := conn.SyscallConn()
		if err != nil {
			return err
		}
		return readRaw(raw, take)
	}
	return readConn(w.conn, take)
}

// readRaw reads without a buffer while there is nothing to read: thousands of clients wait.
func readRaw(raw syscall.RawConn, take func([]byte) error) error {
	for {
		var n int
		var failure error
		var chunk *[chunkBytes]byte
		err := raw.Read(func(fd uintptr) bool {
			chunk = chunks.Get().(*[chunkBytes]byte)
			n, failure = syscall.Read(int(fd), chunk[:])
			for failure == syscall.EINTR {
				n, failure = syscall.Read(int(fd), chunk[:])
			}
			if failure == syscall.EAGAIN {
				chunks.Put(chunk)
				return false
			}
			return true
		})
		switch {
		case err != nil:
			return err
		case failure != nil:
			chunks.Put(chunk)
			return failure
		case n == 0:
			chunks.Put(chunk)
			return io.EOF
		}
		err = take(chunk[:n])
		chunks.Put(chunk)
		if err != nil {
			return err
		}
	}
}

func readConn(r io.Reader, take func([]byte) error) error {
	chunk := make([]byte, chunkBytes)
	for {
		n, err := r.Read(chunk)
		if n > 0 {
			if err := take(chunk[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
}

// awaitProbe reads up to the server's answer to the probe, and sends that the session has
// gone over. It returns what came behind.
func (w *websocket) awaitProbe(ctx context.Context, chunk []byte) ([]byte, error) {
	defer context.AfterFunc(ctx, func() { _ = w.conn.Close() })()
	if err := w.conn.SetReadDeadline(time.Now().Add(dialTimeout)); err != nil {
		return nil, err
	}
	buffer := make([]byte, 512)
	for {
		_, _, payload, size, err := cut(chunk)
		if err != nil {
			return nil, err
		}
		if size > 0 {
			if string(payload) != "3probe" {
				return nil, fmt.Errorf("the probe was answered by %q", payload)
			}
			if err := w.write([]byte("5")); err != nil {
				return nil, err
			}
			return chunk[size:], w.conn.SetReadDeadline(time.Time{})
		}
		n, err := w.conn.Read(buffer)
		if err != nil {
			return nil, fmt.Errorf("waiting for the answer to the probe: %w", err)
		}
		chunk = append(chunk, buffer[:n]...)
	}
}
