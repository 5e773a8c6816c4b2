package rest

import (
	"encoding/json"
	"net/http"

	"github.com/roomcast/roomcast/internal/event"
)

// appUpdate is the body of PUT /api/v1/apps/.
type appUpdate struct {
	room        event.Room
	displayName json.RawMessage
	userID      json.RawMessage // nil when absent
	others      []field         // travel along in the payload, in the caller's order
}

const appsPath = "/api/v1/apps/"

// updateApp serves PUT /api/v1/apps/: UPDATE_APP for the members of the app's room. The
// content type is not looked at, the callers of the first contract send any or none.
func (s *server) updateApp(w http.ResponseWriter, r *http.Request) error {
	caller, err := s.caller(r)
	if err != nil {
		return err
	}
	once, err := idempotencyOf(r, caller, appsPath)
	if err != nil {
		return err
	}
	return s.withBody(w, r, func(body []byte) error {
		update, err := decodeAppUpdate(body)
		if err != nil {
			return err
		}
		if err := mayPublish(caller, update.room); err != nil {
			return err
		}
		if _, err := s.publish(w, caller, once, update.delivery()); err != nil {
			return err
		}
		writeEnvelope(w, struct {
			DisplayName json.RawMessage `json:"displayName"`
			WorkspaceID string          `json:"workspaceId"`
			AppID       string          `json:"appId"`
		}{update.displayName, update.room.Workspace, update.room.App})
		return nil
	})
}

// decodeAppUpdate reports all faults together.
func decodeAppUpdate(body []byte) (appUpdate, error) {
	fields, err := parseObject(body)
	if err != nil {
		return appUpdate{}, err
	}
	var update appUpdate
	var workspace, app json.RawMessage
	for _, field := range fields {
		switch field.name {
		case "workspaceId":
			workspace = field.value
		case "appId":
			app = field.value
		case "displayName":
			update.displayName = field.value
		case "userId":
			update.userID = field.value
		case "id", "workspaceID", "position":
			// The server's to say: a caller must not make members believe in another app
			// or another place in the sequence.
		default:
			update.others = append(update.others, field)
		}
	}
	// Old callers send a user they do not know as null or "".
	if value := string(update.userID); value == "null" || value == `""` {
		update.userID = nil
	}
	var faults []fault
	update.room, faults = roomOf(workspace, app)
	_, err = requiredString("displayName", update.displayName)
	faults = append(append(faults, faultsOf(err)...), faultsOf(checkUser(update.userID))...)
	if len(faults) > 0 {
		return appUpdate{}, invalid(faults...)
	}
	return update, nil
}

// roomOf reads both ids, and finds what is wrong with each.
func roomOf(workspace, app json.RawMessage) (event.Room, []fault) {
	workspaceID, workspaceErr := requiredID("workspaceId", workspace)
	appID, appErr := requiredID("appId", app)
	return event.Room{Workspace: workspaceID, App: appID}, append(faultsOf(workspaceErr), faultsOf(appErr)...)
}

func (u appUpdate) delivery() delivery {
	// As JSON strings without escaping: the characters of ids are unreserved.
	payload := []byte(`{"id":"` + u.room.App + `","displayName":`)
	payload = append(payload, u.displayName...)
	payload = append(payload, `,"workspaceID":"`+u.room.Workspace+`"`...)
	for _, other := range u.others {
		payload = append(append(payload, ','), other.key...)
		payload = append(append(payload, ':'), other.value...)
	}
	return delivery{
		room:    u.room,
		event:   json.RawMessage(`"UPDATE_APP"`),
		payload: append(payload, '}'),
		userID:  u.userID,
	}
}
