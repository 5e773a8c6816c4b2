package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/roomcast/roomcast/internal/event"
)

// maxRooms bounds the entries of one claim: each is compared with at every SUBSCRIBE.
const maxRooms = 256

// rooms are those that a claim names.
type rooms []pattern

// pattern is one entry: "<workspace>/<app>".
type pattern struct{ workspace, app part }

// part is an id, or with prefix set what ids are to begin with, which is nothing for "*".
type part struct {
	text   string
	prefix bool
}

func (r rooms) cover(room event.Room) bool {
	for _, p := range r {
		if p.workspace.covers(room.Workspace) && p.app.covers(room.App) {
			return true
		}
	}
	return false
}

func (p part) covers(id string) bool {
	if p.prefix {
		return strings.HasPrefix(id, p.text)
	}
	return p.text == id
}

var errNotRooms = errors.New(`must be a list of "<workspace>/<app>"`)

// parseClaim reads the value of a claim, nil if it is missing: then it names no rooms.
func parseClaim(value json.RawMessage) (rooms, error) {
	if value == nil {
		return nil, nil
	}
	var entries []string
	if err := json.Unmarshal(value, &entries); err != nil {
		return nil, errNotRooms
	}
	if len(entries) > maxRooms {
		return nil, fmt.Errorf("must have at most %d entries", maxRooms)
	}
	parsed := make(rooms, 0, len(entries))
	for _, entry := range entries {
		p, err := parsePattern(entry)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, p)
	}
	return parsed, nil
}

func parsePattern(entry string) (pattern, error) {
	workspace, app, found := strings.Cut(entry, "/")
	if !found {
		return pattern{}, errNotRooms
	}
	var p pattern
	var err error
	if p.workspace, err = parsePart("workspace", workspace); err != nil {
		return pattern{}, err
	}
	if p.app, err = parsePart("app", app); err != nil {
		return pattern{}, err
	}
	return p, nil
}

// parsePart reads an id, a prefix with * at its end, or * alone. An id cannot hold a *.
func parsePart(name, text string) (part, error) {
	id, prefix := strings.CutSuffix(text, "*")
	if prefix && id == "" {
		return part{prefix: true}, nil
	}
	if err := event.CheckID(name, id); err != nil {
		return part{}, err
	}
	return part{text: strings.Clone(id), prefix: prefix}, nil // or all of the token would be kept
}

// String lists the rooms as claims name them.
func (r rooms) String() string {
	entries := make([]string, len(r))
	for i, p := range r {
		entries[i] = p.workspace.String() + "/" + p.app.String()
	}
	return strings.Join(entries, " ")
}

func (p part) String() string {
	if p.prefix {
		return p.text + "*"
	}
	return p.text
}
