package engineio

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/roomcast/roomcast/internal/limit"
)

// Server serves the sessions of one instance. It is an http.Handler for every path it is
// mounted on; the path itself is not looked at.
type Server struct {
	options Options

	mu       sync.Mutex
	sessions map[string]*Session // by id; also closed ones whose end a poll has yet to learn
	live     int                 // sessions not yet ended
	stopping bool
	inRow    limit.Bucket // of handshakes
	homes    homes

	drainTurn chan struct{} // holds an element while a Drain runs; there is one at a time

	firstRefusal sync.Once // of a page of another origin

	running sync.WaitGroup // one for each live session and for each goroutine of ours
}

// NewServer makes a server. It owns goroutines only while sessions live; Close waits.
func NewServer(options Options) *Server {
	return &Server{
		options:   options,
		sessions:  make(map[string]*Session),
		homes:     homes{sessions: make(map[netip.Prefix]int), inRow: make(map[netip.Prefix]*limit.Bucket)},
		drainTurn: make(chan struct{}, 1),
	}
}

// ServeHTTP answers one request of the protocol: a handshake, a poll, a post or an upgrade.
// The order of the checks is the reference server's, so that errors match it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		// net/http reads the body of a refused request too, before it answers.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.patience()))
	}
	s.options.Origins.writeHeaders(w, r)
	if r.Method == http.MethodOptions && s.options.Origins.configured() {
		s.options.Origins.answerPreflight(w, r)
		return
	}
	if s.tooLong(r) {
		s.refuse(w, r, refuseURL)
		return
	}
	query := parseParameters(r)
	if query.transport != transportPolling && query.transport != transportWebsocket {
		s.refuse(w, r, refuseTransport)
		return
	}
	if query.jsonp {
		// JSONP lets any page read a session's packets, and current clients dropped it.
		s.refuse(w, r, refuseRequest)
		return
	}
	if query.sid == "" {
		s.serveHandshake(w, r, query)
		return
	}
	s.serveSession(w, r, query)
}

// serveHandshake opens a session.
func (s *Server) serveHandshake(w http.ResponseWriter, r *http.Request, query parameters) {
	switch {
	case r.Method != http.MethodGet:
		s.refuse(w, r, refuseMethod)
	case (query.transport == transportWebsocket) != isUpgrade(r):
		s.refuse(w, r, refuseRequest)
	case !s.admitsPage(r):
		s.refuse(w, r, refuseOrigin)
	case query.revision == V3 && !s.options.EIO3:
		s.refuse(w, r, refuseRevision)
	default:
		session := newSession(s, query.revision, r)
		if why := s.admit(session); why != nil {
			s.refuse(w, r, why)
			return
		}
		if query.transport == transportWebsocket {
			session.openWebsocket(w, r)
			return
		}
		session.openPolling(w, r)
	}
}

// serveSession routes a request that names a session.
func (s *Server) serveSession(w http.ResponseWriter, r *http.Request, query parameters) {
	session := s.lookup(query.sid)
	switch {
	case session == nil:
		s.refuse(w, r, refuseSession)
	case query.revision != session.revision:
		s.refuse(w, r, refuseRequest)
	case isUpgrade(r):
		if query.transport != transportWebsocket || r.Method != http.MethodGet {
			s.refuse(w, r, refuseRequest)
			return
		}
		if !s.admitsPage(r) {
			s.refuse(w, r, refuseOrigin)
			return
		}
		session.serveUpgrade(w, r)
	case query.transport == transportWebsocket || !session.isPolling():
		s.refuse(w, r, refuseRequest)
	case r.Method == http.MethodGet:
		session.servePoll(w, r)
	case r.Method == http.MethodPost:
		session.servePost(w, r)
	default:
		answerEmpty(w, http.StatusInternalServerError) // the reference's answer; the session is unharmed
	}
}

// admitsPage applies the rule of origins, and tells the operator of the first page it
// keeps out: in the browser that looks like any other failure. Once, since strangers could
// fill the log; the metrics count the rest.
func (s *Server) admitsPage(r *http.Request) bool {
	if s.options.Origins.allows(r) {
		return true
	}
	s.firstRefusal.Do(func() {
		const limit = 200 // characters; the header is a stranger's
		s.options.Logger.Warn("a page was refused: the allowed origins do not hold its own; further refusals are only counted",
			"origin", fmt.Sprintf("%.*s", limit, r.Header.Get("Origin")))
	})
	return false
}

// admit counts the session in and makes it reachable under its id. Until the handshake
// is answered nobody knows that id.
func (s *Server) admit(session *Session) *refusal {
	home, now := s.homeOf(session.remote), time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopping:
		return refuseStopping
	case s.live >= s.options.MaxSessions:
		return refuseFull
	}
	// Who hurries must not use up what all have together.
	if why := s.refusesHome(home, now); why != nil {
		return why
	}
	if !s.keepsPace(now) {
		return refuseHurry
	}
	s.live++
	s.homes.moveIn(home)
	s.running.Add(1)
	s.sessions[session.id] = session
	return nil
}

// keepsPace reports whether there may be another handshake now. The mutex must be held.
func (s *Server) keepsPace(now time.Time) bool {
	rate := s.options.Handshakes
	if rate.PerSecond == 0 {
		return true
	}
	ok, _ := s.inRow.Take(rate, 1, now)
	return ok
}

// forget makes the id unknown.
func (s *Server) forget(session *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, session.id)
}

// discharge counts the session out, once its handler knows.
func (s *Server) discharge(session *Session) {
	home := s.homeOf(session.remote)
	s.mu.Lock()
	s.live--
	s.homes.moveOut(home)
	s.mu.Unlock()
	s.running.Done()
}

func (s *Server) lookup(id string) *Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[id]
}

// snapshot is the sessions known at the moment, in no order.
func (s *Server) snapshot() []*Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.sessions))
}

// patience is how long a client may be silent at most before it counts as gone.
func (s *Server) patience() time.Duration { return s.options.PingInterval + s.options.PingTimeout }

// Live is the number of sessions that have not ended.
func (s *Server) Live() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live
}

// Close refuses new sessions, ends those that live, and waits for every goroutine of
// theirs. It returns the context's error if that ends first.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	s.stopping = true
	s.mu.Unlock()
	for _, session := range s.snapshot() {
		session.end(ReasonShuttingDown, gently)
		session.unpark()
	}
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// parameters is the query of a request, as far as the protocol reads it.
type parameters struct {
	revision  Revision
	transport string
	sid       string
	jsonp     bool
}

// parseParameters takes the last of repeated keys. Any EIO but 4, also none, means
// revision 3: that is how such clients were told apart when revision 4 came.
func parseParameters(r *http.Request) parameters {
	values := r.URL.Query()
	last := func(key string) string {
		if all := values[key]; len(all) > 0 {
			return all[len(all)-1]
		}
		return ""
	}
	p := parameters{revision: V3, transport: last("transport"), sid: last("sid"), jsonp: last("j") != ""}
	if last("EIO") == "4" {
		p.revision = V4
	}
	return p
}

func isUpgrade(r *http.Request) bool {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return false
	}
	for _, line := range r.Header.Values("Connection") {
		for token := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(token), "upgrade") {
				return true
			}
		}
	}
	return false
}

const (
	// parkTime is how long a session that the server ended between two polls stays known,
	// so that the next poll learns of it.
	parkTime = 30 * time.Second
	// lingerTime is how long a closed websocket is still read. Closing at once with
	// unread bytes would reset the connection and destroy the close frame on its way.
	lingerTime = time.Second
)
