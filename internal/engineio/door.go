package engineio

import (
	"os"
	"syscall"
	"time"
)

// The door is the writing side of a websocket session. Everything passes here under the
// session's mu, in whole frames: fan-out, replies, pings, the close frame. A write is
// tried at once and never waits; what the kernel does not take stays in the backlog, and
// a goroutine that lives only as long as there is one drains it.

// outbound is guarded by the session's mu.
type outbound struct {
	backlog  [][]byte // what the kernel has not taken, in order; shared bytes, not copies
	bytes    int      // its length, with what the drain is writing at the moment
	draining bool     // the drain goroutine lives; only it writes
	broken   bool     // a write failed; nothing more is written
	probed   bool     // a probe on this socket was answered (upgrade.go)

	// The argument and result of writeReady, made once: see inbound.readReady.
	writeReady func(fd uintptr) bool
	pending    []byte
	n          int
	err        error
}

func (o *outbound) init() { o.writeReady = o.writeDescriptor }

// idle reports that the stream stands between two frames and nobody else writes.
func (o *outbound) idle() bool { return !o.draining && !o.broken }

// writeFrames writes whole frames, or keeps what cannot be written now.
func (s *Session) writeFrames(frames []byte) {
	out := &s.websocket.out
	switch {
	case out.broken || len(frames) == 0:
		return
	case out.draining:
		if out.bytes+len(frames) > s.server.options.BacklogBytes {
			s.endLocked(ReasonBacklog, abruptly)
			return
		}
		s.addBacklog(frames)
		return
	}
	n, err := s.websocket.writeNow(frames)
	if err != nil {
		out.broken = true
		s.endLocked(ReasonTransportError, abruptly)
		return
	}
	if n == len(frames) {
		return
	}
	// A single write may pass the bound: a packet within the payload limit must be
	// deliverable whatever its encoding makes of its size.
	s.addBacklog(frames[n:])
	out.draining = true
	s.server.running.Add(1)
	go s.drain(s.websocket)
}

func (s *Session) addBacklog(frames []byte) {
	out := &s.websocket.out
	out.backlog = append(out.backlog, frames)
	out.bytes += len(frames)
	s.server.options.Observer.BacklogChanged(len(frames))
}

// drain writes the backlog with ordinary, waiting writes until none is left.
func (s *Session) drain(sock *socket) {
	defer s.server.running.Done()
	for {
		chunk := s.nextChunk(sock)
		if chunk == nil {
			return
		}
		err := sock.write(chunk, s.patience())
		s.mu.Lock()
		sock.out.bytes -= len(chunk)
		s.server.options.Observer.BacklogChanged(-len(chunk))
		if err != nil {
			sock.out.broken = true
			s.endLocked(ReasonTransportError, abruptly)
		}
		s.mu.Unlock()
	}
}

// drainChunk is how much the drain writes under one deadline, in bytes: a client that is
// slow but alive gets through a long backlog, one that has stopped does not.
const drainChunk = 64 << 10

// nextChunk takes bytes from the backlog's front, or ends the draining and returns nil.
func (s *Session) nextChunk(sock *socket) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &sock.out
	if len(out.backlog) == 0 || out.broken {
		s.settle(sock)
		return nil
	}
	chunk := out.backlog[0]
	if len(chunk) > drainChunk {
		out.backlog[0] = chunk[drainChunk:]
		return chunk[:drainChunk]
	}
	out.backlog[0] = nil
	out.backlog = out.backlog[1:]
	if len(out.backlog) == 0 {
		out.backlog = nil
	}
	return chunk
}

// settle ends draining. The deadline must go: an expired one makes later RawConn writes
// fail. What an ended session could not write leaves the count.
func (s *Session) settle(sock *socket) {
	out := &sock.out
	out.draining, out.backlog = false, nil
	s.server.options.Observer.BacklogChanged(-out.bytes)
	out.bytes = 0
	if s.ended {
		out.broken = true
		return
	}
	_ = sock.conn.SetWriteDeadline(time.Time{})
}

// closeWebsocket ends the transport of a session that has just ended. Application-level
// closes carry no status (88 00), as the reference's.
func (s *Session) closeWebsocket(how ending) {
	frame := closeFrame
	if how == abruptly {
		frame = nil
	}
	s.websocket.retire(frame)
	s.websocket.out.broken = true
}

// write writes all of chunk, waiting for the peer up to the given time.
func (s *socket) write(chunk []byte, patience time.Duration) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := s.conn.Write(chunk)
	return err
}

// writeNow writes what the kernel takes without waiting. On a wrapped connection that is
// nothing: its Write may block on the handshake or a renegotiation.
func (s *socket) writeNow(frames []byte) (int, error) {
	if s.raw == nil {
		return 0, nil
	}
	out := &s.out
	out.pending = frames
	err := s.raw.Write(out.writeReady)
	out.pending = nil
	if err != nil {
		return 0, err
	}
	return out.n, out.err
}

// writeDescriptor tries one write and always returns true: waiting is the drain's.
func (o *outbound) writeDescriptor(fd uintptr) bool {
	for {
		o.n, o.err = syscall.Write(int(fd), o.pending)
		switch o.err {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			o.n, o.err = 0, nil
		case nil:
		default:
			o.n, o.err = 0, os.NewSyscallError("write", o.err)
		}
		return true
	}
}
