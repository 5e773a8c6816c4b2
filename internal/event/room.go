// Package event holds what travels through Roomcast: rooms, positions, events and
// batches of events, each event encoded once per wire form and shared by every member.
package event

import (
	"fmt"
	"strings"
)

// MaxID bounds a workspace, app or user id, in characters.
const MaxID = 128

// Room is one app of one workspace. It is the pair that identifies it, never its wire
// name: ("a_app_b","c") and ("a","b_app_c") share a name and must never share members.
type Room struct {
	Workspace string
	App       string
}

// InvalidID says which id is unusable, by the field name its sender used.
type InvalidID struct {
	Field  string
	Reason string
}

func (e *InvalidID) Error() string { return e.Field + " " + e.Reason }

// NewRoom checks both ids: 1 to MaxID characters of A-Z a-z 0-9 . _ ~ -. The error is
// an *InvalidID naming workspaceId or appId.
func NewRoom(workspace, app string) (Room, error) {
	if err := CheckID("workspaceId", workspace); err != nil {
		return Room{}, err
	}
	if err := CheckID("appId", app); err != nil {
		return Room{}, err
	}
	return Room{Workspace: workspace, App: app}, nil
}

// CheckID reports an *InvalidID naming field unless id is 1 to MaxID characters of
// A-Z a-z 0-9 . _ ~ - (RFC 3986 unreserved, so ids stand in URLs as they are).
func CheckID(field, id string) error {
	if id == "" {
		return &InvalidID{Field: field, Reason: "is required"}
	}
	for i := 0; i < len(id); i++ {
		if !unreserved(id[i]) {
			return &InvalidID{Field: field, Reason: "may hold only A-Z a-z 0-9 . _ ~ -"}
		}
	}
	if len(id) > MaxID { // last, when a byte is known to be a character
		return &InvalidID{Field: field, Reason: fmt.Sprintf("is longer than %d characters", MaxID)}
	}
	return nil
}

func unreserved(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	return c == '.' || c == '_' || c == '~' || c == '-'
}

// Name is the event name under which members receive the room's updates. For the wire
// alone: two rooms may share it.
func (r Room) Name() string { return "workspace_" + r.Workspace + "_app_" + r.App }

// String is "workspace/app", unique per room, since neither id can hold a slash.
func (r Room) String() string { return r.Workspace + "/" + r.App }

// ParseRoom reads what String wrote.
func ParseRoom(text string) (Room, error) {
	workspace, app, found := strings.Cut(text, "/")
	if !found {
		return Room{}, fmt.Errorf("room %q is not workspace/app", text)
	}
	return NewRoom(workspace, app)
}
