package gateway

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/roomcast/roomcast/internal/auth"
	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
)

// fault is what a refused client reads.
type fault struct {
	Code    string `json:"code"`
	Name    string `json:"name"`
	Message string `json:"message"`
}

// The codes and names of faults. Codes are part of the wire contract.
const (
	codeUnknownEvent   = "application/unknown-event"
	codeUnknownRequest = "application/unknown-request"
	codeUnmarshalling  = "application/unmarshalling-failed"
	codeInvalidField   = "application/invalid-field"
	codeBinary         = "application/binary-not-served"
	codeTooManyRooms   = "application/too-many-rooms"
	codeTooMany        = "application/too-many-requests"
	codeUnavailable    = "application/unavailable"

	nameBadRequest  = "Bad Request Error"
	nameLimit       = "Limit Error"
	nameUnavailable = "Service Unavailable Error"
	// Codes that go with these are the auth package's.
	nameUnauthorized = "Unauthorized Error"
	nameForbidden    = "Forbidden Error"
)

// faultOf puts the hub's errors in a client's words.
func (p *peer) faultOf(err error) *fault {
	var refusal *auth.Refusal
	switch {
	case errors.As(err, &refusal):
		name := nameUnauthorized
		switch refusal.Code {
		case auth.CodeUnavailable:
			name = nameUnavailable
		case auth.CodeSessions:
			name = nameLimit
		}
		return &fault{refusal.Code, name, refusal.Message}
	case errors.Is(err, hub.ErrTooManyRooms):
		return &fault{codeTooManyRooms, nameLimit, "this connection has as many rooms as it may"}
	case errors.Is(err, hub.ErrBusy):
		return &fault{codeTooMany, nameLimit, "too many requests are waiting for an answer"}
	}
	// Not louder: the hub says once that the store is away, every client would say it again.
	p.gateway.options.Logger.Debug("refusing a request", "client", p.client.ID(), "error", err)
	return &fault{codeUnavailable, nameUnavailable, "the service cannot vouch for updates at the moment, try again"}
}

// wireResponse is an answer's JSON.
type wireResponse struct {
	Status    string       `json:"status"`
	Event     string       `json:"event,omitempty"`
	Payload   *wirePayload `json:"payload,omitempty"`
	Position  string       `json:"position,omitempty"`
	Recovered *bool        `json:"recovered,omitempty"`
	Error     *fault       `json:"error,omitempty"`
}

type wirePayload struct {
	WorkspaceID string `json:"workspaceId,omitempty"`
	AppID       string `json:"appId,omitempty"`
	ExpiresAt   string `json:"expiresAt,omitempty"`
}

func (r request) succeed(outcome hub.Outcome) []*event.Event {
	response := r.response("SUCCESS")
	if !outcome.Position.IsZero() { // as long as the channel has not been heard
		response.Position = outcome.Position.String()
	}
	if !r.since.IsZero() {
		response.Recovered = &outcome.Recovered
	}
	return r.reply(response)
}

// authenticated answers AUTHENTICATE with the time until which the token is good.
func (r request) authenticated(as *auth.Principal) []*event.Event {
	response := r.response("SUCCESS")
	if !as.Expires.IsZero() {
		response.Payload = &wirePayload{ExpiresAt: as.Expires.UTC().Format(time.RFC3339)}
	}
	return r.reply(response)
}

func (r request) refuse(why *fault) []*event.Event {
	response := r.response("ERROR")
	response.Error = why
	return r.reply(response)
}

// response echoes what could be read of the request, never its token.
func (r request) response(status string) wireResponse {
	response := wireResponse{Status: status, Event: r.kind}
	if r.room != (event.Room{}) {
		response.Payload = &wirePayload{WorkspaceID: r.room.Workspace, AppID: r.room.App}
	}
	return response
}

// reply makes the answering event, and the acknowledgement if one was asked for.
func (r request) reply(response wireResponse) []*event.Event {
	body, _ := json.Marshal(response) // strings and a bool always marshal
	replies := []*event.Event{event.NewReply(responseName, body)}
	if r.hasAck {
		replies = append(replies, event.NewAck(r.ackID, body))
	}
	return replies
}
