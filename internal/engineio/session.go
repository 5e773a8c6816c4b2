package engineio

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// Session is one client's connection, over whatever transport it is on at the moment.
type Session struct {
	// Fixed before anything is read from the client.
	server   *Server
	id       string
	revision Revision
	remote   string

	// inbound is held while the handler runs: during an upgrade a post and the websocket
	// may have something to say at the same time.
	inbound sync.Mutex
	handler Handler // guarded by inbound; nil until the owner has accepted the session
	told    bool    // guarded by inbound: the end was told, or there is nobody to tell

	// The write door and the state, guarded by mu. Held for moments only, and never while
	// calling the handler.
	mu        sync.Mutex
	ended     bool
	reason    string
	websocket *socket // nil while the session is on polling
	upgrading bool    // an upgrade is under way; there is no second one
	probe     *socket // its websocket, once that is open
	polling   poll
	heart     heartbeat
	inflow    inflow
}

// newSession makes a session that nobody knows yet.
func newSession(server *Server, revision Revision, r *http.Request) *Session {
	return &Session{
		server:   server,
		id:       server.options.IDPrefix + newID(),
		revision: revision,
		remote:   r.RemoteAddr,
	}
}

// newID is 15 random bytes as 20 characters of base64url. The id is a secret: whoever
// holds it can read and write the session over polling.
func newID() string {
	var random [15]byte
	_, _ = rand.Read(random[:]) // never fails, by its documentation
	return base64.RawURLEncoding.EncodeToString(random[:])
}

// ID is the Engine.IO session id. In revision 3 it is the client's public socket id too.
func (s *Session) ID() string { return s.id }

// Revision is the protocol revision the client speaks.
func (s *Session) Revision() Revision { return s.revision }

// RemoteAddr is where the request that opened the session came from.
func (s *Session) RemoteAddr() string { return s.remote }

// openPacket is the first packet of every session. All five keys are always present;
// maxPayload is not part of revision 3, whose clients ignore it.
func (s *Session) openPacket(upgrades ...string) []byte {
	if upgrades == nil {
		upgrades = []string{}
	}
	options := &s.server.options
	body, _ := json.Marshal(struct {
		SID          string   `json:"sid"`
		Upgrades     []string `json:"upgrades"`
		PingInterval int64    `json:"pingInterval"`
		PingTimeout  int64    `json:"pingTimeout"`
		MaxPayload   int      `json:"maxPayload"`
	}{s.id, upgrades, options.PingInterval.Milliseconds(), options.PingTimeout.Milliseconds(), options.MaxPayload})
	return append([]byte{packetOpen}, body...)
}

// begin hands the session to its owner and starts the heartbeat.
func (s *Session) begin(r *http.Request, transport string) {
	if !s.accept(r, transport) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.startHeartbeat()
	}
}

// accept asks the owner for a handler, unless the server was closed in the meantime.
func (s *Session) accept(r *http.Request, transport string) bool {
	s.inbound.Lock()
	defer s.inbound.Unlock()
	if s.told {
		return false
	}
	s.server.options.Observer.SessionOpened(s.revision.label(), transport)
	s.handler = s.server.options.Accept(s, r)
	return true
}

// Send writes or queues packets, in the order of the calls. It never blocks on the
// client and does nothing once the session has ended.
func (s *Session) Send(out Outbound) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
	case s.websocket != nil:
		s.writeFrames(out.Frames())
	default:
		s.queuePackets(out.Texts()...)
	}
}

// SendText sends one message packet; message is copied.
func (s *Session) SendText(message []byte) {
	packet := make([]byte, 0, 1+len(message))
	s.sendPacket(append(append(packet, packetMessage), message...))
}

// sendPacket sends one packet given as text with its type; it is not copied.
func (s *Session) sendPacket(packet []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sendPacketLocked(packet)
}

func (s *Session) sendPacketLocked(packet []byte) {
	switch {
	case s.ended:
	case s.websocket != nil:
		s.writeFrames(textFrame(packet))
	default:
		s.queuePackets(packet)
	}
}

// Close ends the session without a word on the Socket.IO level, so that official clients
// reconnect. It never blocks and may be called by the handler itself.
func (s *Session) Close(reason string) { s.end(reason, gently) }

// ending is how a session's transport is let go.
type ending int

const (
	gently       ending = iota // with a close packet or frame, where the transport is fit for one
	abruptly                   // at once: the client is gone, or is not to be waited for
	afterBacklog               // gently, and what has not been written yet gets a moment to be
)

func (s *Session) end(reason string, how ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked(reason, how)
}

// endLocked is the only end of a session. The handler is told from a goroutine of its
// own, since it may be the handler, or a fan-out worker, that ends the session.
func (s *Session) endLocked(reason string, how ending) {
	if s.ended {
		return
	}
	s.ended = true
	s.reason = reason
	s.stopHeartbeat()
	transport := transportPolling
	if s.probe != nil {
		s.probe.abandon()
	}
	if s.websocket != nil {
		transport = transportWebsocket
		s.closeWebsocket(how)
	} else {
		s.closePolling(how)
	}
	s.server.running.Add(1)
	go func() {
		defer s.server.running.Done()
		s.tellClosed(transport)
	}()
}

func (s *Session) tellClosed(transport string) {
	defer s.server.discharge(s)
	if transport == transportWebsocket {
		s.server.forget(s)
	}
	s.inbound.Lock()
	defer s.inbound.Unlock()
	s.told = true
	if s.handler == nil {
		return // it ended before its handshake was answered
	}
	s.handler.Closed(s.reason)
	s.server.options.Observer.SessionClosed(s.revision.label(), transport, s.reason)
}

func (s *Session) hasEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

func (s *Session) isPolling() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.websocket == nil
}

// opened reports that the handshake was answered and the owner has accepted the session.
func (s *Session) opened() bool { return s.heart.timer != nil }

// heartbeat is guarded by its session's mu.
type heartbeat struct {
	timer *time.Timer   // nil until the session is opened
	due   time.Duration // since the start of the process: when it is to fire

	// Revision 4.
	unanswered uint16 // pings; more than one only because of probes
	extended   bool   // the deadline of the first of them was moved once
	probed     uint16 // how many answers there are until that to the last probe, 0 without one
	alive      func() // is to be told of that
}
