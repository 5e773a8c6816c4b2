package engineio

import "time"

// Held reports whether a GET is held, for tests that must not act before it is.
func (s *Session) Held() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.polling.waiting != nil
}

// Posting reports whether the body of a POST is being read.
func (s *Session) Posting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.polling.posting
}

// Upgrading reports whether a probe is under way.
func (s *Session) Upgrading() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.upgrading
}

// HoldPoll leaves the session as a held GET does whose handler does not get to run.
func (s *Session) HoldPoll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.polling.waiting = make(chan struct{}, 1)
}

// ProbeUnderLock keeps the session's lock for a while and probes behind it, as a Probe does
// that is quicker than the timer that has fired meanwhile.
func (s *Session) ProbeUnderLock(while time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	time.Sleep(while)
	s.pingLocked()
	s.heart.probed, s.heart.alive = s.heart.unanswered, func() {}
}

// AbortPoll is what the handler of a held GET does that learns late of its client's going.
func (s *Session) AbortPoll() { s.abortPoll() }
