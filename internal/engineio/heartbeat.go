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
	s.heart.due = sinceStart() + first
	s.heart.timer = time.AfterFunc(first, s.heartbeatDue)
}

var processStart = time.Now()

func sinceStart() time.Duration { return time.Since(processStart) }

// rest puts off what is due.
func (h *heartbeat) rest(pause time.Duration) {
	h.due = sinceStart() + pause
	h.timer.Reset(pause)
}

func (s *Session) stopHeartbeat() {
	if s.heart.timer != nil {
		s.heart.timer.Stop()
	}
}

// heartbeatDue runs when the timer fires: time for a ping, or too late for its answer.
// The deadline runs from queueing the ping, also while no poll is there to fetch it. What was
// put off after the timer had fired, while this waited for the lock, is not due.
func (s *Session) heartbeatDue() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended, sinceStart() < s.heart.due:
	case s.revision == V3 || s.heart.unanswered > 0:
		s.endLocked(ReasonPingTimeout, abruptly)
	default:
		s.pingLocked()
	}
}

// pingLocked asks for an answer. Of several that are open each is due within a timeout from
// its ping, or from the answer before if that came later.
func (s *Session) pingLocked() {
	s.heart.unanswered++
	s.sendPacketLocked(packetTextPing)
	if s.heart.unanswered == 1 {
		s.heart.extended = false
		s.heart.rest(s.server.options.PingTimeout)
	}
}

// maxProbes bounds the answers that are open at a time. Every probe is a ping.
const maxProbes = 100

// Probe pings the client out of turn, in revision 4, and has alive called, once, when the
// answer to that ping has come; answers to earlier ones may have been under way for long. It
// is not called if the session ends before, or another probe takes its place; nor, because
// nothing is asked, in revision 3 or while maxProbes are unanswered. It comes from the
// session's reader, outside the handler's calls, and must not block.
func (s *Session) Probe(alive func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || !s.opened() || s.revision == V3 || s.heart.unanswered >= maxProbes {
		return
	}
	s.pingLocked()
	s.heart.probed, s.heart.alive = s.heart.unanswered, alive
}

// onPong takes the client's answer, revision 4. One that nobody asked for is harmless.
func (s *Session) onPong() {
	if alive := s.answered(); alive != nil {
		alive()
	}
}

// answered counts an answer, and returns who is to be told of it.
func (s *Session) answered() (alive func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.heart.unanswered == 0 {
		return nil
	}
	s.heart.unanswered--
	if s.heart.unanswered == 0 {
		s.heart.rest(s.server.options.PingInterval)
	} else {
		s.heart.extended = false
		s.heart.rest(s.server.options.PingTimeout)
	}
	if s.heart.probed == 0 {
		return nil
	}
	if s.heart.probed--; s.heart.probed > 0 {
		return nil
	}
	alive, s.heart.alive = s.heart.alive, nil
	return alive
}

// onPing answers the client's ping, revision 3. Its payload is not echoed.
func (s *Session) onPing() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.heart.rest(s.server.options.PingInterval + s.server.options.PingTimeout)
	s.sendPacketLocked(packetTextPong)
}

// onTraffic moves the deadline of an unanswered ping once, to a full timeout: a pong may
// be stuck behind a large message on a slow uplink.
func (s *Session) onTraffic() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended && s.heart.unanswered > 0 && !s.heart.extended {
		s.heart.extended = true
		s.heart.rest(s.server.options.PingTimeout)
	}
}
