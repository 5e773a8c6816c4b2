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
	Hub    *hub.Hub
	Logger *slog.Logger
}

// Gateway implements session.Gateway.
type Gateway struct {
	options Options
}

// New makes a gateway.
func New(options Options) *Gateway { return &Gateway{options: options} }

// Connect implements session.Gateway. Everybody may connect; what a client may do is
// decided with each of its requests.
func (g *Gateway) Connect(client session.Client, _ session.Handshake) (session.Peer, error) {
	return &peer{gateway: g, client: client, seating: g.options.Hub.Admit(client)}, nil
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
	if refusal != nil {
		p.client.Send(event.NewBatch(request.refuse(refusal)...))
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

// Disconnected implements session.Peer.
func (p *peer) Disconnected(string) { p.seating.Release() }
