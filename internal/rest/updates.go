package rest

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/roomcast/roomcast/internal/event"
)

const updatesPath = "/api/v1/workspaces/{workspaceId}/apps/{appId}/updates"

// update is the body of POST …/updates.
type update struct {
	event  json.RawMessage
	data   json.RawMessage // {} when absent
	userID json.RawMessage // nil when absent
}

// createUpdate serves POST …/updates: any event for the members of the app's room.
func (s *server) createUpdate(w http.ResponseWriter, r *http.Request) error {
	caller, err := s.caller(r)
	if err != nil {
		return err
	}
	room, err := roomOfPath(r.PathValue("workspaceId"), r.PathValue("appId"))
	if err != nil {
		return err
	}
	if err := mayPublish(caller, room); err != nil {
		return err
	}
	if err := requireJSON(r); err != nil {
		return err
	}
	once, err := idempotencyOf(r, caller, updatesPath)
	if err != nil {
		return err
	}
	return s.withBody(w, r, func(body []byte) error {
		update, err := decodeUpdate(body)
		if err != nil {
			return err
		}
		created, err := s.publish(w, caller, once, delivery{
			room: room, event: update.event, payload: update.data, userID: update.userID,
		})
		if err != nil {
			return err
		}
		created.write(w)
		return nil
	})
}

// roomOfPath takes ids as they stand in the URL; percent-encoding is undone once.
func roomOfPath(workspace, app string) (event.Room, error) {
	room, err := event.NewRoom(unescaped(workspace), unescaped(app))
	var id *event.InvalidID
	if errors.As(err, &id) {
		return event.Room{}, invalid(fault{Parameter: id.Field, Detail: id.Error()})
	}
	return room, err
}

// unescaped is an id without percent-encoding. A % that encodes nothing stays, and is refused
// as a character that no id has.
func unescaped(id string) string {
	if plain, err := url.PathUnescape(id); err == nil {
		return plain
	}
	return id
}

// decodeUpdate is strict, unlike the older route: a misspelt field is an error and not
// a silent loss. It reports all faults together, of unknown fields the first maxUnknown.
func decodeUpdate(body []byte) (update, error) {
	fields, err := parseObject(body)
	if err != nil {
		return update{}, err
	}
	decoded := update{data: json.RawMessage("{}")}
	var unknown []fault
	for _, field := range fields {
		switch field.name {
		case "event":
			decoded.event = field.value
		case "data":
			decoded.data = field.value
		case "userId":
			decoded.userID = field.value
		default:
			if len(unknown) < maxUnknown {
				unknown = append(unknown, bodyFault(field.name, shown(field.name)+" is not a field of an update"))
			}
		}
	}
	faults := append(faultsOf(checkEvent(decoded.event)), faultsOf(checkUser(decoded.userID))...)
	if faults = append(faults, unknown...); len(faults) > 0 {
		return update{}, invalid(faults...)
	}
	return decoded, nil
}
