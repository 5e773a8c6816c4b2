package gateway

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/roomcast/roomcast/internal/auth"
	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
	"github.com/roomcast/roomcast/internal/session"
)

// Verifier turns tokens into principals. It is safe for concurrent use; its errors are
// *auth.Refusal.
type Verifier interface {
	Verify(ctx context.Context, token string) (*auth.Principal, error)
}

// identity is whom a client has shown to be, and what of that runs out.
type identity struct {
	mu        sync.Mutex
	principal *auth.Principal // nil: nobody yet
	timer     *time.Timer     // nil: nothing runs out
	over      bool
}

// who is the client's principal, nil as long as it has not shown one.
func (i *identity) who() *auth.Principal {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.principal
}

// assume takes on a principal. One that is of another subject is refused: rooms, record and
// limits are the former's.
func (i *identity) assume(p *auth.Principal) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.principal != nil && i.principal.Subject != p.Subject {
		return &auth.Refusal{Code: auth.CodeSubject, Message: "the token is of another subject than the connection's first"}
	}
	i.principal = p
	return nil
}

// after has do called later, instead of what was to be called before.
func (i *identity) after(wait time.Duration, do func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.timer != nil {
		i.timer.Stop()
	}
	if !i.over {
		i.timer = time.AfterFunc(wait, do)
	}
}

// end is whom the client has been at last, nil for nobody, and nil for every call but the first.
func (i *identity) end() *auth.Principal {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.over {
		return nil
	}
	i.over = true
	if i.timer != nil {
		i.timer.Stop()
	}
	return i.principal
}

// tokenOf finds the token of a connection: in the payload of CONNECT, in the header, or in
// the query. Browsers cannot set a header for a websocket, and clients of Socket.IO 1 and 2
// have no payload.
func tokenOf(handshake session.Handshake) string {
	var payload struct {
		Token string `json:"token"`
	}
	if len(handshake.Auth) > 0 && json.Unmarshal(handshake.Auth, &payload) == nil && payload.Token != "" {
		return payload.Token
	}
	if token, ok := auth.Bearer(handshake.Authorization); ok {
		return token
	}
	return handshake.Query.Get("token")
}

// verify asks for the principal of a token.
func (g *Gateway) verify(token string) (*auth.Principal, error) {
	ctx, cancel := context.WithTimeout(context.Background(), verifyTimeout)
	defer cancel()
	return g.options.Verifier.Verify(ctx, token)
}

// verifyTimeout bounds the verification of a token, of which only an unknown key takes time.
const verifyTimeout = 5 * time.Second

// identify says whom a connecting client has shown to be, nil for nobody yet.
func (g *Gateway) identify(handshake session.Handshake) (*auth.Principal, error) {
	if g.options.Verifier == nil {
		return g.everyone, nil
	}
	token := tokenOf(handshake)
	if token == "" {
		return nil, nil
	}
	return g.verify(token)
}

// begin lets time run: of the token that was shown, or of there being none. A client may show
// it with its first SUBSCRIBE, as older ones do; until then it is given no more time than to
// connect at all.
func (p *peer) begin(opened time.Time) {
	if p.gateway.options.Verifier == nil {
		return
	}
	if principal := p.identity.who(); principal != nil {
		p.watch(principal.Expires)
		return
	}
	patience := time.Until(opened.Add(p.gateway.options.ConnectTimeout))
	p.identity.after(patience, func() { p.client.Close("no authorised action in time") })
}

// authenticate has a token take the place of the former, if there was one. Rooms that the new
// one does not permit are left.
func (p *peer) authenticate(token string) error {
	if p.gateway.options.Verifier == nil {
		return nil // tokens of older clients, where nobody is asked for one
	}
	principal, err := p.gateway.verify(token)
	if err != nil {
		return err
	}
	first := p.identity.who() == nil
	if first {
		err = p.gateway.users.enter(principal, p.gateway.options.SessionsPerUser)
	}
	if err == nil {
		err = p.identity.assume(principal)
	}
	if err != nil {
		return err
	}
	p.watch(principal.Expires)
	if first {
		err = p.seating.Identify(principal.Subject)
	} else {
		err = p.seating.LeaveUnless(principal.CanRead, revoked)
	}
	if err != nil {
		// A client that asks so much that its rooms cannot be looked through must not keep, for
		// the life of the new token, what only the old one permitted.
		p.client.Close("too many requests")
	}
	return err
}

// revoked tells a client that it has left a room which its new token does not permit.
func revoked(room event.Room) hub.Reply {
	left := request{kind: unsubscribe, room: room}
	return func(outcome hub.Outcome) []*event.Event {
		if outcome.Err != nil {
			return nil // the room goes all the same
		}
		return left.refuse(&fault{auth.CodeForbidden, nameForbidden, "the new token does not permit to read this room"})
	}
}

// watch warns the client before its token runs out and closes the connection some time after.
// Official clients then reconnect, and are refused until they have another.
func (p *peer) watch(expires time.Time) {
	options := p.gateway.options
	p.identity.after(time.Until(expires.Add(-options.TokenNotice)), func() {
		if p.seating.Answer(expiring(expires, options.TokenGrace)) != nil {
			p.client.Close("too many requests") // not even a warning has room
			return
		}
		p.identity.after(time.Until(expires.Add(options.TokenGrace)), func() { p.client.Close("token expired") })
	})
}

// The event of what the server says unasked.
const noticeName = "application_notice"

// expiring warns of a token's end.
func expiring(expires time.Time, grace time.Duration) *event.Event {
	body, _ := json.Marshal(struct { // strings always marshal
		Event   string `json:"event"`
		Payload any    `json:"payload"`
	}{"TOKEN_EXPIRING", struct {
		ExpiresAt string `json:"expiresAt"`
		ClosesAt  string `json:"closesAt"`
	}{expires.UTC().Format(time.RFC3339), expires.Add(grace).UTC().Format(time.RFC3339)}})
	return event.NewReply(noticeName, body)
}

// permitted says why a client may not have a room, nil if it may.
func (p *peer) permitted(room event.Room) *fault {
	principal := p.identity.who()
	switch {
	case principal == nil:
		return &fault{auth.CodeRequired, nameUnauthorized, "a token is required: as auth.token, as Authorization: Bearer, as ?token=, or as payload.token"}
	case !principal.Expires.IsZero() && !time.Now().Before(principal.Expires.Add(p.gateway.options.Leeway)):
		return &fault{auth.CodeExpired, nameUnauthorized, "the token has expired"}
	case !principal.CanRead(room):
		return &fault{auth.CodeForbidden, nameForbidden, "the token does not permit to read " + room.String()}
	}
	return nil
}
