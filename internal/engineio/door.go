package engineio

import (
	"os"
	"syscall"
	"time"

	"github.com/roomcast/roomcast/internal/nonblock"
)

// The door is the writing side of a websocket session. Everything passes here under the
// session's mu, in whole frames: fan-out, replies, pings, the close frame. A write is
// tried at once and never waits; what the kernel does not take stays in the backlog, and
// a goroutine that lives only as long as there is one drains it.

// outbound is guarded by the session's mu.
type outbound struct {
	backlog  [][]byte // what the kernel has not taken, in order; shared bytes, not copies
	bytes    int      // its length, with what the drain is writing at the moment
	head     int      // what of bytes is the write that began the backlog, at most
	draining bool     // the drain goroutine lives; only it writes
	broken   bool     // a write failed; nothing more is written
	probed   bool     // a probe on this socket was answered (upgrade.go)
	farewell []byte   // once ended by a breach: the close frame with its status
	parting  bool     // the drain ends the stream after the backlog
}

// idle reports that the stream stands between two frames and nobody else writes.
func (o *outbound) idle() bool { return !o.draining && !o.broken }

// writeFrames writes whole frames, or keeps what cannot be written now.
func (s *Session) writeFrames(frames []byte) {
	out := &s.websocket.out
	switch {
	case out.broken || len(frames) == 0:
		return
	case out.draining:
		if out.bytes-out.head > s.server.options.BacklogBytes {
			s.server.options.Observer.Discarded(len(frames))
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
	// The write that begins a backlog is not counted in its bound, and the one that passes
	// the bound is still taken: an update within the payload limit must be deliverable
	// whatever its encoding makes of its size, and the small one behind it too.
	out.head = len(frames) - n
	s.addBacklog(frames[n:])
	s.startDrain()
}

func (s *Session) startDrain() {
	sock := s.websocket
	sock.out.draining = true
	s.server.running.Add(1)
	sock.drains.Go(func() {
		defer s.server.running.Done()
		s.drain(sock)
	})
}

func (s *Session) addBacklog(frames []byte) {
	out := &s.websocket.out
	out.backlog = append(out.backlog, frames)
	out.bytes += len(frames)
	s.server.options.Observer.BacklogChanged(len(frames))
}

// drain writes the backlog with ordinary, waiting writes until none is left.
func (s *Session) drain(sock *socket) {
	for {
		chunk, parting := s.nextChunk(sock)
		if parting {
			sock.closeWrite()
		}
		if chunk == nil {
			return
		}
		_, err := sock.conn.Write(chunk)
		s.mu.Lock()
		sock.out.bytes -= len(chunk)
		sock.out.head = max(0, sock.out.head-len(chunk))
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

// nextChunk takes bytes from the backlog's front, or ends the draining and returns nil;
// parting tells whether the stream is to end with it. It sets their deadline under mu: set
// later, it could undo the one that the session's end sets.
func (s *Session) nextChunk(sock *socket) (chunk []byte, parting bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &sock.out
	if len(out.backlog) == 0 || out.broken {
		parting = out.parting && !out.broken
		s.settle(sock)
		return nil, parting
	}
	if !out.parting {
		_ = sock.conn.SetWriteDeadline(time.Now().Add(s.server.patience()))
	}
	return out.takeChunk(), false
}

// takeChunk takes at most drainChunk bytes from the front of a backlog that is not empty.
func (o *outbound) takeChunk() []byte {
	chunk := o.backlog[0]
	if len(chunk) > drainChunk {
		o.backlog[0] = chunk[drainChunk:]
		return chunk[:drainChunk]
	}
	o.backlog[0] = nil
	o.backlog = o.backlog[1:]
	if len(o.backlog) == 0 {
		o.backlog = nil
	}
	return chunk
}

// settle ends draining. The deadline must go: an expired one makes later RawConn writes
// fail. What an ended session could not write leaves the count.
func (s *Session) settle(sock *socket) {
	out := &sock.out
	out.draining, out.backlog = false, nil
	if out.bytes > 0 {
		s.server.options.Observer.Discarded(out.bytes)
	}
	s.server.options.Observer.BacklogChanged(-out.bytes)
	out.bytes, out.head = 0, 0
	if s.ended {
		out.broken = true
		return
	}
	_ = sock.conn.SetWriteDeadline(time.Time{})
}

// closeWebsocket ends the transport of a session that has just ended. Application-level
// closes carry no status (88 00), as the reference's.
func (s *Session) closeWebsocket(how ending) {
	sock := s.websocket
	frame := closeFrame
	if sock.out.farewell != nil {
		frame = sock.out.farewell
	}
	if how == abruptly {
		frame = nil
		if sock.out.draining {
			sock.discard()
		}
	} else if !sock.out.broken && (sock.raw == nil || how == afterBacklog && sock.out.draining) {
		s.closeByDrain(frame)
		return
	}
	sock.retire(frame)
	sock.out.broken = true
}

// closeByDrain lets the drain say the last word, behind the backlog. On a wrapped
// connection every write may wait, also the one that ends a TLS stream, and what was sent
// just before is as a rule still in the backlog.
func (s *Session) closeByDrain(frame []byte) {
	sock := s.websocket
	_ = sock.conn.SetDeadline(time.Now().Add(lingerTime))
	sock.out.parting = true
	s.addBacklog(frame)
	if !sock.out.draining {
		s.startDrain()
	}
}

// writeNow writes what the kernel takes without waiting. On a wrapped connection that is
// nothing: its Write may block on the handshake or a renegotiation.
//
// It goes past net.Conn, whose own locks and poll state cost as much as a tenth of a fan-out,
// and which does not know here that the descriptor is in use. So two things have to hold:
// the session's mu is held, and the session has not ended, or is ending in this very call.
// The reader closes the connection only after it has seen the end under mu; a write later
// than that could meet whoever has got the descriptor's number next.
func (s *socket) writeNow(frames []byte) (int, error) {
	if s.raw == nil {
		return 0, nil
	}
	n, err := nonblock.Write(s.descriptor, frames)
	switch err {
	case nil:
		return n, nil
	case syscall.EAGAIN: //nolint:errorlint // a bare errno, as documented
		return 0, nil
	}
	return 0, os.NewSyscallError("write", err)
}
