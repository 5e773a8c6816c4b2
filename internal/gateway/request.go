package gateway

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/session"
)

// The event names and kinds of request of the wire contract.
const (
	eventName    = "application"
	responseName = "application_response"

	subscribe    = "SUBSCRIBE"
	unsubscribe  = "UNSUBSCRIBE"
	authenticate = "AUTHENTICATE"
)

// request is what a client asked for, as far as it could be read: a refusal names what it
// can.
type request struct {
	kind   string
	room   event.Room
	since  event.Position
	token  string
	ackID  uint64
	hasAck bool
}

// wireRequest is a request's JSON. Unknown fields are ignored: older clients send more
// than is needed. encoding/json takes names in any case, which lets through the
// "workspaceID" of the first clients of this contract.
type wireRequest struct {
	Event   string `json:"event"`
	Payload *struct {
		WorkspaceID string `json:"workspaceId"`
		AppID       string `json:"appId"`
		Since       string `json:"since"`
		Token       string `json:"token"`
	} `json:"payload"`
}

// parseRequest reads a client's event, or says what is wrong with it.
func parseRequest(message session.Message) (request, *fault) {
	r := request{ackID: message.AckID, hasAck: message.HasAck}
	switch {
	case message.Name != eventName:
		return r, &fault{codeUnknownEvent, nameBadRequest, `the only event served is "application"`}
	case message.Binary:
		return r, &fault{codeBinary, nameBadRequest, "binary attachments are not served"}
	case len(message.Args) == 0 || message.Args[0][0] != '{':
		return r, &fault{codeUnmarshalling, nameBadRequest, "the first argument must be an object"}
	}
	var wire wireRequest
	if err := json.Unmarshal(message.Args[0], &wire); err != nil {
		return r, &fault{codeUnmarshalling, nameBadRequest, describe(err)}
	}
	return r.fill(wire)
}

// fill checks the fields one by one, so that the error names the first that is wrong.
func (r request) fill(wire wireRequest) (request, *fault) {
	switch wire.Event {
	case subscribe, unsubscribe, authenticate:
		r.kind = wire.Event
	default:
		return r, &fault{codeUnknownRequest, nameBadRequest, "event must be SUBSCRIBE, UNSUBSCRIBE or AUTHENTICATE"}
	}
	if wire.Payload == nil {
		return r, &fault{codeInvalidField, nameBadRequest, "payload is required"}
	}
	if r.kind != unsubscribe { // leaving takes no permission
		r.token = wire.Payload.Token
	}
	if r.kind == authenticate {
		if r.token == "" {
			return r, &fault{codeInvalidField, nameBadRequest, "payload.token is required"}
		}
		return r, nil
	}
	room, err := event.NewRoom(wire.Payload.WorkspaceID, wire.Payload.AppID)
	if err != nil {
		return r, &fault{codeInvalidField, nameBadRequest, "payload." + err.Error()}
	}
	r.room = room
	if wire.Payload.Since == "" || r.kind == unsubscribe {
		return r, nil
	}
	if r.since, err = event.ParsePosition(wire.Payload.Since); err != nil {
		return r, &fault{codeInvalidField, nameBadRequest, "payload.since: " + err.Error()}
	}
	return r, nil
}

// describe puts a JSON error in words that name the field but no Go type.
func describe(err error) string {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) && wrongType.Field != "" {
		wanted := "a string"
		if wrongType.Field == "payload" {
			wanted = "an object"
		}
		return fmt.Sprintf("%s must be %s, not %s", wrongType.Field, wanted, wrongType.Value)
	}
	return "the first argument cannot be read"
}
