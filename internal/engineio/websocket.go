package engineio

import (
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// closeFrame is a close without a status, what application-level closes look like.
var closeFrame = ws.MustCompileFrame(ws.NewCloseFrame(nil))

// violation is a breach of RFC 6455, answered with a close frame of its status.
type violation struct {
	status ws.StatusCode
	text   string
}

func (v *violation) Error() string { return v.text }

var (
	errFrame    = &violation{ws.StatusProtocolError, "invalid frame"}
	errTooLarge = &violation{ws.StatusMessageTooBig, "message above the payload limit"}
	errUTF8     = &violation{ws.StatusInvalidFramePayloadData, "text is not UTF-8"}
	// errPeerClosed is the peer's close frame, which is answered by one of ours.
	errPeerClosed = errors.New("closed by the peer")
)

// openWebsocket answers a handshake over websocket and starts the session's reader.
func (s *Session) openWebsocket(w http.ResponseWriter, r *http.Request) {
	sock, err := upgradeSocket(w, r)
	if err != nil {
		s.end(ReasonTransportError, abruptly)
		return
	}
	s.mu.Lock()
	if s.ended { // the server closed meanwhile
		s.mu.Unlock()
		_ = sock.write(closeFrame, lingerTime)
		sock.close()
		return
	}
	s.websocket = sock
	s.server.running.Add(1) // for the reader, while Close certainly waits for the session
	s.mu.Unlock()
	s.sendPacket(s.openPacket())
	s.begin(r, transportWebsocket)
	go (&messageReader{session: s, sock: sock}).read()
}

// read takes the messages that have come, until the connection or the session ends, and
// leaves the waiting for more to another goroutine: a goroutine keeps the deep stack that
// taking a message needs, and nearly all there are wait at any time.
func (m *messageReader) read() {
	for m.sock.in.buffered() {
		if err := m.next(m.session.receiveMessage); err != nil {
			m.end(err)
			return
		}
	}
	go m.wait()
}

// wait waits for bytes, on the smallest stack there is.
func (m *messageReader) wait() {
	if err := m.sock.in.fill(); err != nil {
		m.end(err)
		return
	}
	m.read()
}

// end ends the session for a reason that reading has come to, and closes the connection.
func (m *messageReader) end(err error) {
	defer m.session.server.running.Done()
	defer m.sock.close()
	var breach *violation
	switch {
	case errors.As(err, &breach):
		m.session.endWithStatus(breach)
		m.sock.linger()
	case errors.Is(err, errPeerClosed):
		m.session.end(ReasonTransportClose, gently)
	case errors.Is(err, io.EOF):
		m.session.end(ReasonTransportClose, abruptly)
	default:
		m.session.end(ReasonTransportError, abruptly)
	}
}

// receiveMessage takes one whole websocket message, which is one packet.
func (s *Session) receiveMessage(op ws.OpCode, message []byte) {
	var packet incoming
	var err error
	if op == ws.OpText {
		packet, err = decodeText(s.revision, message)
	} else {
		packet, err = decodeBinary(s.revision, message)
	}
	if err != nil {
		s.end(ReasonParseError, gently)
		return
	}
	s.receive(packet)
}

// endWithStatus ends the session on a breach of the websocket protocol.
func (s *Session) endWithStatus(breach *violation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.websocket.out.farewell = ws.MustCompileFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(breach.status, "")))
	s.endLocked(ReasonTransportError, gently)
}

// messageReader puts frames together to messages. It keeps no buffer between messages.
type messageReader struct {
	session *Session
	sock    *socket
	header  [ws.MaxHeaderSize]byte

	op      ws.OpCode // of the message under way, 0 for none
	message *[]byte   // what has come of it
}

// next reads one frame and calls take for a message it completes; message is valid only
// during the call.
func (m *messageReader) next(take func(op ws.OpCode, message []byte)) error {
	header, err := ws.ReadHeaderBuffer(&m.sock.in, m.header[:])
	if err != nil {
		return readError(err)
	}
	if !header.Masked || header.Rsv != 0 {
		return errFrame
	}
	if header.OpCode.IsControl() {
		return m.control(header)
	}
	if err := m.begin(header); err != nil {
		return err
	}
	if err := m.readPayload(header); err != nil {
		m.release()
		return err
	}
	if !header.Fin {
		if !m.session.takeIn(0) { // a message without end is none that would be counted
			m.release()
			return net.ErrClosed
		}
		return nil
	}
	defer m.release()
	if m.op == ws.OpText && !utf8.Valid(*m.message) {
		return errUTF8
	}
	take(m.op, *m.message)
	return nil
}

// begin checks a data frame against the message under way.
func (m *messageReader) begin(header ws.Header) error {
	continues := header.OpCode == ws.OpContinuation
	if continues != (m.op != 0) || header.OpCode.IsReserved() {
		m.release()
		return errFrame
	}
	if !continues {
		m.op = header.OpCode
		m.message = messages.Get().(*[]byte)
	}
	if header.Length > int64(m.session.server.options.MaxPayload-len(*m.message)) {
		m.release()
		return errTooLarge
	}
	return nil
}

// readPayload appends a frame's payload to the message. Memory grows with what has really
// come, never with the length that the header merely claims.
func (m *messageReader) readPayload(header ws.Header) error {
	message := *m.message
	start := len(message)
	for remaining := int(header.Length); remaining > 0; {
		step := min(remaining, max(readBuffer, len(message)))
		message = slices.Grow(message, step)
		n, err := io.ReadFull(&m.sock.in, message[len(message):len(message)+step])
		message = message[:len(message)+n]
		*m.message = message
		if err != nil {
			return readError(err)
		}
		remaining -= n
	}
	ws.Cipher(message[start:], header.Mask, 0)
	return nil
}

// control answers a ping and reports a close; a pong means nothing here.
func (m *messageReader) control(header ws.Header) error {
	if !header.Fin || header.Length > ws.MaxControlFramePayloadSize {
		return errFrame
	}
	var payload [ws.MaxControlFramePayloadSize]byte
	body := payload[:header.Length]
	if _, err := io.ReadFull(&m.sock.in, body); err != nil {
		return readError(err)
	}
	ws.Cipher(body, header.Mask, 0)
	if header.OpCode != ws.OpClose && !m.session.takeIn(len(body)) {
		return net.ErrClosed // by us
	}
	switch header.OpCode {
	case ws.OpClose:
		return errPeerClosed
	case ws.OpPing:
		m.session.answerPing(m.sock, body)
	case ws.OpPong:
	default:
		return errFrame
	}
	return nil
}

// answerPing sends the RFC 6455 pong, through the door if the socket is the session's. A
// probing one belongs to its reader, who is the caller.
func (s *Session) answerPing(sock *socket, body []byte) {
	frame := ws.MustCompileFrame(ws.NewPongFrame(body))
	s.mu.Lock()
	established := s.websocket == sock
	if established && !s.ended {
		s.writeFrames(frame)
	}
	s.mu.Unlock()
	if !established {
		_, _ = sock.conn.Write(frame)
	}
}

// readError tells a header that no frame can have from a connection that failed.
func readError(err error) error {
	if errors.Is(err, ws.ErrHeaderLengthMSB) || errors.Is(err, ws.ErrHeaderLengthUnexpected) {
		return errFrame
	}
	return err
}

func (m *messageReader) release() {
	m.op = 0
	if m.message == nil {
		return
	}
	if cap(*m.message) <= largeBody {
		*m.message = (*m.message)[:0]
		messages.Put(m.message)
	}
	m.message = nil
}

// messages holds buffers for messages from clients.
var messages = sync.Pool{New: func() any { return new([]byte) }}
