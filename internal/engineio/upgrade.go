package engineio

import (
	"bytes"
	"net/http"
	"time"

	"github.com/gobwas/ws"
)

// The upgrade from polling to websocket:
//
//	client, websocket   2probe ->
//	                    <- 3probe         from now on polls are answered at once, with a
//	client, polling     GET -> 6          noop if need be, so that the client gets its
//	                                      last poll back and can stop polling
//	client, websocket   5 ->              the websocket is the session's transport
//
// Until "5" the session is on polling in every respect: nothing of it may be written to
// the probing socket (before "3probe" it fails the probe, after it the client has no
// listener yet and the packet is lost), and a probe that misbehaves loses only itself.

var (
	probePing     = []byte("2probe")
	probePong     = textFrame(packetTextProbe)
	upgradePacket = []byte{packetUpgrade}
)

// serveUpgrade takes the websocket of a probe and runs it.
func (s *Session) serveUpgrade(w http.ResponseWriter, r *http.Request) {
	if !s.claimProbe() {
		s.server.refuse(w, r, refuseRequest)
		return
	}
	sock, err := upgradeSocket(w, r)
	if err != nil {
		s.dropProbe()
		return
	}
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		sock.close()
		return
	}
	s.probe = sock
	// Set under mu, like the one that abandon sets when the session ends meanwhile.
	_ = sock.conn.SetDeadline(time.Now().Add(s.server.options.UpgradeTimeout))
	s.server.running.Add(1)
	s.mu.Unlock()
	go func() {
		defer s.server.running.Done()
		s.runProbe(sock)
	}()
}

// claimProbe reserves the session's one probe; a second one is refused while it runs.
func (s *Session) claimProbe() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.websocket != nil || s.upgrading {
		return false
	}
	s.upgrading = true
	return true
}

// dropProbe lets the client try another upgrade.
func (s *Session) dropProbe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.upgrading, s.probe = false, nil
}

// runProbe reads the probing socket until it becomes the session's or fails. Until then
// nobody else writes to it either.
func (s *Session) runProbe(sock *socket) {
	reader := &messageReader{session: s, sock: sock}
	for {
		upgraded, failed := false, false
		err := reader.next(func(op ws.OpCode, message []byte) {
			switch {
			case op == ws.OpText && bytes.Equal(message, probePing):
				failed = !s.answerProbe(sock)
			case op == ws.OpText && bytes.Equal(message, upgradePacket):
				upgraded = s.completeUpgrade(sock)
				failed = !upgraded
			default:
				failed = true
			}
		})
		if upgraded {
			s.server.running.Add(1) // for the reader, beside the probe's own
			reader.read()
			return
		}
		if err != nil || failed {
			s.dropProbe()
			_ = sock.write(closeFrame, lingerTime)
			sock.close()
			return
		}
	}
}

// answerProbe answers "2probe" and sets the poll that is held free.
func (s *Session) answerProbe(sock *socket) bool {
	if _, err := sock.conn.Write(probePong); err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sock.out.probed = true
	s.wakePoll()
	return true
}

// probed reports that a probe was answered and polls must not be held.
func (s *Session) probed() bool { return s.probe != nil && s.probe.out.probed }

// completeUpgrade makes the socket the session's transport and writes what was queued.
// The reference accepts "5" without a probe before it, and so do we.
func (s *Session) completeUpgrade(sock *socket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.probe != sock {
		return false
	}
	if sock.conn.SetDeadline(time.Time{}) != nil {
		return false
	}
	s.upgrading, s.probe, s.websocket = false, nil, sock
	s.server.options.Observer.SessionUpgraded(s.revision.label())
	s.wakePoll() // a poll still held is answered with a close: that transport is over
	var frames []byte
	for _, packet := range s.takeQueue() {
		frames = append(frames, textFrame(packet)...)
	}
	s.writeFrames(frames)
	return true
}
