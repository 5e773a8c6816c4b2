package rest

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/roomcast/roomcast/internal/event"
)

const (
	// maxEvent bounds the name of an update's event, in characters.
	maxEvent = 128
	// maxUnknown bounds how many unknown fields one answer lists.
	maxUnknown = 16
	// reservedEvent tells members to reload; only the server may say it.
	reservedEvent = "RESYNC"
)

// requiredString decodes a field that must hold text; a nil value is an absent field.
func requiredString(name string, value json.RawMessage) (string, error) {
	if value == nil {
		return "", invalid(bodyFault(name, name+" is required"))
	}
	text, ok := stringOf(value)
	switch {
	case !ok:
		return "", invalid(bodyFault(name, name+" must be a string"))
	case text == "":
		return "", invalid(bodyFault(name, name+" must not be empty"))
	}
	return text, nil
}

// requiredID decodes a field that must hold the id of a workspace or an app.
func requiredID(name string, value json.RawMessage) (string, error) {
	id, err := requiredString(name, value)
	if err != nil {
		return "", err
	}
	return id, event.CheckID(name, id)
}

func checkEvent(value json.RawMessage) error {
	name, err := requiredString("event", value)
	switch {
	case err != nil:
		return err
	case utf8.RuneCountInString(name) > maxEvent:
		return invalid(bodyFault("event", fmt.Sprintf("event is longer than %d characters", maxEvent)))
	case name == reservedEvent:
		return invalid(bodyFault("event", "event "+reservedEvent+" is reserved for the server"))
	}
	return nil
}

// checkUser accepts a missing userId. Unlike the ids of rooms it may hold any text, it
// is only carried along.
func checkUser(value json.RawMessage) error {
	if value == nil {
		return nil
	}
	user, err := requiredString("userId", value)
	if err == nil && utf8.RuneCountInString(user) > event.MaxID {
		err = invalid(bodyFault("userId", fmt.Sprintf("userId is longer than %d characters", event.MaxID)))
	}
	return err
}
