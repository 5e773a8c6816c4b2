package socketio

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"sync"

	"github.com/roomcast/roomcast/internal/engineio"
	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/session"
)

// socket is a client's stay in the root namespace: a session.Recoverable. A client that
// leaves and joins again gets a new one, so that nothing meant for the old stay reaches the
// new.
type socket struct {
	engine *engineio.Session
	peer   session.Peer // set before anything is read for it

	mu   sync.Mutex
	id   string // a fresh one until the welcome
	form event.Form
	left bool
}

// newSocket makes a socket under a fresh id. The id is public and must not be derived from
// the Engine.IO id, which is a secret.
func newSocket(engine *engineio.Session) *socket {
	var random [15]byte
	_, _ = rand.Read(random[:]) // never fails, by its documentation
	return &socket{engine: engine, id: base64.RawURLEncoding.EncodeToString(random[:])}
}

// ID implements session.Client.
func (s *socket) ID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

// Welcome implements session.Recoverable.
func (s *socket) Welcome(sid, pid string) *event.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id = sid
	if pid != "" {
		s.form = event.WithOffset
	}
	return event.NewConnect(sid, pid)
}

// Send implements session.Client.
func (s *socket) Send(batch *event.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.left {
		s.engine.Send(batch.In(s.form))
	}
}

// Close implements session.Client. A verdict over a stay that is over does not end the
// next one on the same connection.
func (s *socket) Close(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.left {
		s.engine.Close(reason)
	}
}

// Probe implements session.Recoverable.
func (s *socket) Probe(alive func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.left {
		s.engine.Probe(alive)
	}
}

// leave makes sure that nothing is sent or closed any more.
func (s *socket) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = true
}

// refusalOf is what a client reads about its refusal: the gateway's own words, or nothing
// about an error that is ours.
func (c *connection) refusalOf(err error) refusalBody {
	var refusal *session.Refusal
	if errors.As(err, &refusal) {
		return refusalBody{Message: refusal.Message, Data: &refusalData{Code: refusal.Code}}
	}
	c.server.options.Logger.Error("refusing a client", "error", err)
	return refusalBody{Message: "Internal error", Data: &refusalData{Code: "internal"}}
}
