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
	"log/slog"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
	"github.com/roomcast/roomcast/internal/session"
)

// Options of a Gateway; all are required.
type Options struct {
	Hub *hub.Hub
	// Recovery lets clients continue the session of a lost connection, unless they decline.
	Recovery bool
	Logger   *slog.Logger
}

// Gateway implements session.Gateway.
type Gateway struct {
	options Options
}

// New makes a gateway.
func New(options Options) *Gateway { return &Gateway{options: options} }

// Connect implements session.Gateway. Everybody may connect; what a client may do is
// decided with each of its requests.
func (g *Gateway) Connect(client session.Client, handshake session.Handshake) (session.Peer, error) {
	return &peer{gateway: g, client: client, seating: g.admit(client, handshake)}, nil
}

// peer is one client's side: a session.Peer.
type peer struct {
	gateway *Gateway
	client  session.Client
	seating *hub.Seating
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
	if err := p.seating.Answer(request.refuse(refusal)...); err != nil {
		p.client.Close("too many requests") // not even an answer has room
	}
}

// perform starts what was asked for; the answer follows in the order of the room's events.
func (p *peer) perform(r request) *fault {
	answer := func(outcome hub.Outcome) []*event.Event {
		if outcome.Err != nil {
			return r.refuse(p.faultOf(outcome.Err))
		}
		return r.succeed(outcome)
	}
	var err error
	switch r.kind {
	case subscribe:
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
func (p *peer) Disconnected(reason string) { p.seating.Release(reason == reasonLeft) }
