package socketio

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"sync"

	"github.com/roomcast/roomcast/internal/engineio"
	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/session"
)

// socket is a client's stay in the root namespace: a session.Client. A client that leaves
// and joins again gets a new one, so that nothing meant for the old stay reaches the new.
type socket struct {
	engine *engineio.Session
	id     string
	peer   session.Peer // set before anybody may send

	mu   sync.Mutex
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
func (s *socket) ID() string { return s.id }

// Send implements session.Client.
func (s *socket) Send(batch *event.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.left {
		s.engine.Send(batch.In(event.Bare))
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

// leave makes sure that nothing is sent or closed any more.
func (s *socket) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = true
}

// connectBody is the payload of an accepted CONNECT.
func connectBody(id string) []byte {
	body, _ := json.Marshal(struct { // a string always marshals
		SID string `json:"sid"`
	}{id})
	return body
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
