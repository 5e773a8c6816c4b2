package redis

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/roomcast/roomcast/internal/event"
)

// foreign is a publication by somebody who knows only the channel. Fields it may hold
// beside these are ignored, so that it cannot pass off a position of its own.
type foreign struct {
	AppID       string `json:"appId"`
	WorkspaceID string `json:"workspaceId"`
	Payload     struct {
		Event   string          `json:"event"`
		Payload json.RawMessage `json:"payload"`
		UserID  string          `json:"userId"`
	} `json:"payload"`
}

// delivered is the object that members receive for a foreign publication. A payload that
// was absent stays absent, null stays null.
type delivered struct {
	Event       string          `json:"event"`
	WorkspaceID string          `json:"workspaceId"`
	AppID       string          `json:"appId"`
	Payload     json.RawMessage `json:"payload,omitempty"`
	UserID      string          `json:"userId,omitempty"`
}

func parseForeign(text string) (message, error) {
	// encoding/json lets bad UTF-8 pass inside a raw payload; in a websocket text frame it
	// would cost every member of the room its connection (RFC 6455, section 8.1).
	if !utf8.ValidString(text) {
		return message{}, errors.New("foreign publication is not UTF-8")
	}
	var publication foreign
	if err := json.Unmarshal([]byte(text), &publication); err != nil {
		return message{}, foreignError(err)
	}
	room, err := event.NewRoom(publication.WorkspaceID, publication.AppID)
	if err != nil {
		return message{}, fmt.Errorf("foreign publication: %w", err)
	}
	if publication.Payload.Event == "" {
		return message{}, errors.New("foreign publication: payload.event is required")
	}
	object, err := publication.deliver()
	if err != nil {
		return message{}, foreignError(err)
	}
	return message{event: event.NewDelivery(room, event.Position{}, 0, object)}, nil
}

func (f foreign) deliver() (string, error) {
	var object bytes.Buffer
	encoder := json.NewEncoder(&object)
	encoder.SetEscapeHTML(false) // what members get is what was published
	err := encoder.Encode(delivered{
		Event:       f.Payload.Event,
		WorkspaceID: f.WorkspaceID,
		AppID:       f.AppID,
		Payload:     f.Payload.Payload,
		UserID:      f.Payload.UserID,
	})
	return string(bytes.TrimSuffix(object.Bytes(), []byte("\n"))), err
}

// foreignError says what is wrong without the words of encoding/json, which quote input.
func foreignError(err error) error {
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &mismatch) && mismatch.Field != "":
		return fmt.Errorf("foreign publication: %s must be a JSON %s", mismatch.Field, kindName(mismatch))
	case errors.As(err, &syntax):
		return fmt.Errorf("foreign publication is not JSON from byte %d on", syntax.Offset)
	}
	return errors.New("foreign publication is not a JSON object")
}

func kindName(mismatch *json.UnmarshalTypeError) string {
	if mismatch.Field == "payload" {
		return "object"
	}
	return "string"
}
