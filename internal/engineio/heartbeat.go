package engineio

import "time"

// The two revisions differ in who pings. In revision 4 the server does, one interval
// after the handshake and then one interval after each pong, and only a pong counts as
// an answer. In revision 3 the client does, and the server merely waits for it.

func (s *Session) startHeartbeat() {
	options := &s.server.options
	first := options.PingInterval
	if s.revision == V3 {
		first += options.PingTimeout
	}
	s.heart.timer = time.AfterFunc(first, s.heartbeatDue)
}

func (s *Session) stopHeartbeat() {
	if s.heart.timer != nil {
		s.heart.timer.Stop()
	}
}

// heartbeatDue runs when the timer fires: time for a ping, or too late for its answer.
// The deadline runs from queueing the ping, also while no poll is there to fetch it.
func (s *Session) heartbeatDue() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
	case s.revision == V3 || s.heart.awaiting:
		s.endLocked(ReasonPingTimeout, abruptly)
	default:
		s.heart.awaiting, s.heart.extended = true, false
		s.sendPacketLocked(packetTextPing)
		s.heart.timer.Reset(s.server.options.PingTimeout)
	}
}

// onPong takes the client's answer, revision 4. One that nobody asked for is harmless.
func (s *Session) onPong() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended && s.heart.awaiting {
		s.heart.awaiting = false
		s.heart.timer.Reset(s.server.options.PingInterval)
	}
}

// onPing answers the client's ping, revision 3. Its payload is not echoed.
func (s *Session) onPing() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.heart.timer.Reset(s.server.options.PingInterval + s.server.options.PingTimeout)
	s.sendPacketLocked(packetTextPong)
}

// onTraffic moves the deadline of an unanswered ping once, to a full timeout: a pong may
// be stuck behind a large message on a slow uplink.
func (s *Session) onTraffic() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended && s.heart.awaiting && !s.heart.extended {
		s.heart.extended = true
		s.heart.timer.Reset(s.server.options.PingTimeout)
	}
}
