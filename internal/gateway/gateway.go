// Package gateway decides what a client may say and what it is answered, for both
// protocol revisions alike.
//
// A client speaks by the event "application":
//
//	{"event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"a"}}
//
// and is answered by the event "application_response", and by the acknowledgement with
// the same object if it asked for one.
package gateway

import (
	"errors"
	"log/slog"
	"time"

	"github.com/roomcast/roomcast/internal/auth"
	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
	"github.com/roomcast/roomcast/internal/session"
)

// Options of a Gateway. Hub and Logger are required.
type Options struct {
	Hub *hub.Hub
	// Recovery lets clients continue the session of a lost connection, unless they decline.
	Recovery bool
	Logger   *slog.Logger

	// Verifier reads clients' tokens. Without one nobody is asked for a token, and everyone
	// may read all rooms.
	Verifier Verifier
	// ConnectTimeout is how long after the handshake a client must have shown a good token.
	ConnectTimeout time.Duration
	// Leeway is how long an expired token goes on being good for a SUBSCRIBE.
	Leeway time.Duration
	// TokenNotice is how long before a token expires its client is warned; TokenGrace how long
	// afterwards the connection is closed.
	TokenNotice, TokenGrace time.Duration

	// SessionsPerUser bounds the connections of tokens of one subject; zero: no bound.
	SessionsPerUser int
	// Observer is told of refusals. Optional.
	Observer Observer
}

// Observer counts. It is safe for concurrent use.
type Observer interface {
	// RequestRefused gets the code of an answer that says no to a client.
	RequestRefused(code string)
}

// Gateway implements session.Gateway.
type Gateway struct {
	options  Options
	everyone *auth.Principal
	users    users
}

// New makes a gateway.
func New(options Options) *Gateway { return &Gateway{options: options, everyone: auth.Everyone()} }

// Connect implements session.Gateway. A token that is not good is refused at once; who has
// none may still show one. What a client may do is decided with each of its requests.
func (g *Gateway) Connect(client session.Client, handshake session.Handshake) (session.Peer, error) {
	principal, err := g.identify(handshake)
	if err == nil && principal != nil {
		err = g.users.enter(principal, g.options.SessionsPerUser)
	}
	if err != nil {
		return nil, g.refusal(err)
	}
	p := &peer{gateway: g, client: client, identity: identity{principal: principal}}
	p.seating = g.admit(client, handshake, principal)
	p.begin(handshake.Opened)
	return p, nil
}

// refusal is an error as the refused client may read it.
func (g *Gateway) refusal(err error) error {
	var refusal *auth.Refusal
	if !errors.As(err, &refusal) {
		return err
	}
	g.countRefusal(refusal.Code)
	g.options.Logger.Debug("refusing a client", "code", refusal.Code, "cause", refusal.Unwrap())
	return &session.Refusal{Code: refusal.Code, Message: refusal.Message}
}

func (g *Gateway) countRefusal(code string) {
	if g.options.Observer != nil {
		g.options.Observer.RequestRefused(code)
	}
}

// peer is one client's side: a session.Peer.
type peer struct {
	gateway *Gateway
	client  session.Client
	seating *hub.Seating

	identity identity
}

// Event implements session.Peer.
func (p *peer) Event(message session.Message) {
	request, refusal := parseRequest(message)
	if refusal == nil {
		refusal = p.perform(request)
	}
	if refusal == nil {
		return
	}
	p.gateway.countRefusal(refusal.Code)
	if err := p.seating.Answer(request.refuse(refusal)...); err != nil {
		p.client.Close("too many requests") // not even an answer has room
	}
}

// perform starts what was asked for; the answer follows in the order of the room's events.
func (p *peer) perform(r request) *fault {
	answer := func(outcome hub.Outcome) []*event.Event {
		if outcome.Err != nil {
			refusal := p.faultOf(outcome.Err)
			p.gateway.countRefusal(refusal.Code)
			return r.refuse(refusal)
		}
		return r.succeed(outcome)
	}
	if r.token != "" {
		if err := p.authenticate(r.token); err != nil {
			return p.faultOf(err)
		}
	}
	var err error
	switch r.kind {
	case authenticate:
		err = p.seating.Answer(r.authenticated(p.identity.who())...)
	case subscribe:
		if refusal := p.permitted(r.room); refusal != nil {
			return refusal
		}
		err = p.seating.Join(r.room, r.since, answer)
	case unsubscribe:
		err = p.seating.Leave(r.room, answer)
	}
	if err != nil {
		return p.faultOf(err)
	}
	return nil
}

// reasonLeft is the reason of a client that has left the namespace by its own wish.
const reasonLeft = "client namespace disconnect"

// Disconnected implements session.Peer. Only a client that said so will not come back.
func (p *peer) Disconnected(reason string) {
	if principal := p.identity.end(); principal != nil {
		p.gateway.users.leave(principal, p.gateway.options.SessionsPerUser)
	}
	p.seating.Release(reason == reasonLeft)
}
