package engineio

import (
	"context"
	"time"
)

// Going down is made of three steps, so that its owner can stop accepting connections
// between the first two: EndPolling, Drain, Close. None of them says anything on the
// Socket.IO level, where a DISCONNECT would stop official clients from reconnecting; and
// only Close refuses, since a refused handshake reaches the user, as a refused connection
// behind a balancer does not.

// lookAgain is how often a drain looks for sessions that have come meanwhile, and gives them
// their share of the time that is left.
const lookAgain = time.Second

// EndPolling ends the sessions that are on long-polling and returns how many those are. A
// GET that is held is answered. Whoever is between two of them gets up to patience to come
// and learn of the end, for which the server must still be reachable.
//
// A session about to change to a websocket, or not yet opened, is left to Drain.
func (s *Server) EndPolling(ctx context.Context, patience time.Duration) (ended int) {
	var unaware []<-chan struct{}
	for _, session := range s.snapshot() {
		learned, polled := session.endPolling()
		if !polled {
			continue
		}
		ended++
		if learned != nil {
			unaware = append(unaware, learned)
		}
	}
	enough := time.NewTimer(patience)
	defer enough.Stop()
	for _, learned := range unaware {
		select {
		case <-learned:
		case <-enough.C:
			return ended
		case <-ctx.Done():
			return ended
		}
	}
	return ended
}

// Drain closes the websockets one by one over the given time, each at a random moment of
// its own slot, so that their clients reconnect elsewhere at an even rate. Until its turn
// a session works as ever. A slot is at most longestSlot: few sessions are done sooner.
//
// Sessions that come meanwhile are closed in the same time, those on long-polling as soon
// as they are seen. Drain returns how many it closed, and the context's error if that
// ended first; what is left then is Close's. A second Drain waits for the first.
func (s *Server) Drain(ctx context.Context, over time.Duration) (closed int, err error) {
	select {
	case s.drainTurn <- struct{}{}:
		defer func() { <-s.drainTurn }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	now := time.Now()
	pace := pace{next: now, end: now.Add(over)}
	for {
		last := !pace.next.Before(pace.end) // the time is up, or there was none
		open, polled := s.look()
		closed += polled
		n, err := closeInTurn(ctx, open, &pace)
		closed += n
		if err != nil || last || len(open) == 0 {
			return closed, err
		}
	}
}

// look returns the sessions that are to be closed in turn, and ends those on polling.
func (s *Server) look() (open []*Session, polled int) {
	for _, session := range s.snapshot() {
		if _, ended := session.endPolling(); ended {
			polled++
		} else if !session.hasEnded() {
			open = append(open, session)
		}
	}
	return open, polled
}

// closeInTurn closes sessions at their turn until it is time to look again.
func closeInTurn(ctx context.Context, open []*Session, pace *pace) (closed int, err error) {
	enough := pace.next.Add(lookAgain)
	for n, session := range open {
		if pace.next.After(enough) {
			break
		}
		if session.hasEnded() {
			continue
		}
		if err := pace.await(ctx, len(open)-n); err != nil {
			return closed, err
		}
		if session.endOpened() {
			closed++
		}
	}
	return closed, nil
}

// endPolling ends the session if it is on polling and is to stay there; learned, if not
// nil, is closed when the client has learned of it or does not come to.
func (s *Session) endPolling() (learned <-chan struct{}, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || !s.opened() || s.websocket != nil || s.upgrading {
		return nil, false
	}
	s.endLocked(ReasonShuttingDown, gently)
	return s.polling.learned, true
}

// endOpened ends the session, unless its handshake is still being answered: that client
// would take an end before the open packet for a refusal.
func (s *Session) endOpened() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || !s.opened() {
		return false
	}
	s.endLocked(ReasonShuttingDown, afterBacklog)
	return true
}
