package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// socketio is the Socket.IO dialogue: CONNECT, SUBSCRIBE to each room, then updates. A lost
// session is continued by its private id and offset where the server gave it any, else each
// room is joined again since the last position.
type socketio struct {
	revision int
	token    string
	rooms    []Room
	byName   map[string]int // of rooms, when there are several

	pid, offset []byte
	position    []byte // of the last update
	answered    int    // rooms
}

func newSocketIO(revision int, token string, rooms []Room) *socketio {
	d := &socketio{revision: revision, token: token, rooms: rooms}
	if len(rooms) > 1 {
		d.byName = make(map[string]int, len(rooms))
		for _, room := range rooms {
			d.byName[room.Name()] = room.Index
		}
	}
	return d
}

func (d *socketio) Target() string {
	return fmt.Sprintf("/socket.io/?EIO=%d&transport=websocket", d.revision)
}

// Opened waits: the server speaks first.
func (d *socketio) Opened(*Link) error { return nil }

var (
	delivery   = []byte(`42["workspace_`)
	answer     = []byte(`42["application_response",`)
	success    = []byte(`"status":"SUCCESS"`)
	resync     = []byte(`{"event":"RESYNC"`)
	positionIs = []byte(`,"position":"`)
)

var errClosedByServer = errors.New("closed by the server")

func (d *socketio) Message(l *Link, text []byte) error {
	switch {
	case bytes.HasPrefix(text, delivery):
		d.update(l, text)
	case len(text) == 0:
		return errors.New("an empty packet")
	case text[0] == '0':
		return d.opened(l)
	case text[0] == '1':
		return errClosedByServer
	case text[0] == '2': // a ping, in revision 4
		return l.Say([]byte("3"))
	case bytes.HasPrefix(text, []byte("40")):
		return d.connected(l, text[2:])
	case bytes.HasPrefix(text, []byte("41")):
		return errClosedByServer
	case bytes.HasPrefix(text, []byte("44")):
		return fmt.Errorf("CONNECT refused: %s", text[2:])
	case bytes.HasPrefix(text, answer):
		return d.answer(l, text[len(answer):])
	}
	return nil
}

// opened sends CONNECT; in revision 3 the server joins the root namespace by itself.
func (d *socketio) opened(l *Link) error {
	if d.revision == 3 {
		return nil
	}
	auth := map[string]string{}
	if d.token != "" {
		auth["token"] = d.token
	}
	if d.pid != nil {
		auth["pid"], auth["offset"] = string(d.pid), string(d.offset)
	}
	if len(auth) == 0 {
		return l.Say([]byte("40"))
	}
	text, err := json.Marshal(auth)
	if err != nil {
		return err
	}
	return l.Say(append([]byte("40"), text...))
}

func (d *socketio) connected(l *Link, body []byte) error {
	var given struct {
		PID string `json:"pid"`
	}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &given); err != nil {
			return fmt.Errorf("the answer to CONNECT: %w", err)
		}
	}
	if given.PID != "" && given.PID == string(d.pid) {
		l.Joined(true)
		return nil
	}
	d.pid, d.offset = nil, nil
	if given.PID != "" {
		d.pid = []byte(given.PID)
	}
	d.answered = 0
	for _, room := range d.rooms {
		if err := l.Say(d.subscribe(room)); err != nil {
			return err
		}
	}
	return nil
}

func (d *socketio) subscribe(room Room) []byte {
	payload := map[string]string{"workspaceId": room.Workspace, "appId": room.App}
	if d.position != nil {
		payload["since"] = string(d.position)
	}
	if d.token != "" {
		payload["token"] = d.token
	}
	text, _ := json.Marshal([]any{"application", map[string]any{"event": "SUBSCRIBE", "payload": payload}}) // strings always marshal
	return append([]byte("42"), text...)
}

func (d *socketio) answer(l *Link, body []byte) error {
	if !bytes.Contains(body, success) {
		return fmt.Errorf("SUBSCRIBE refused: %s", body)
	}
	d.keepPlace(body)
	d.answered++
	if d.answered == len(d.rooms) {
		l.Joined(false)
	}
	return nil
}

// update takes `42["<room>",{…,"position":"<p>"},"<offset>"]`, without a parser: a load
// generator must cost less than the server that it loads.
func (d *socketio) update(l *Link, text []byte) {
	room, rest := -1, text[len(`42["`):]
	end := bytes.IndexByte(rest, '"')
	if end < 0 {
		return
	}
	if d.byName != nil {
		index, known := d.byName[string(rest[:end])]
		if !known {
			return
		}
		room = index
	}
	rest = rest[min(end+len(`",`), len(rest)):]
	if bytes.HasPrefix(rest, resync) {
		l.Resync()
	} else {
		l.Delivered(room, rest)
	}
	d.keepPlace(rest)
	if sequence, ok := sequenceOf(d.position); ok {
		l.Ordered(sequence)
	}
}

// keepPlace remembers the position in an object and the offset behind it, both of them
// at the end of what was received.
func (d *socketio) keepPlace(text []byte) {
	text = bytes.TrimSuffix(text, []byte("]"))
	if len(text) > 0 && text[len(text)-1] == '"' {
		if start := bytes.LastIndexByte(text[:len(text)-1], '"'); start > 0 {
			d.offset = append(d.offset[:0], text[start+1:len(text)-1]...)
			text = text[:start-1]
		}
	}
	tail := text[max(0, len(text)-128):]
	if at := bytes.LastIndex(tail, positionIs); at >= 0 {
		value := tail[at+len(positionIs):]
		if end := bytes.IndexByte(value, '"'); end >= 0 {
			d.position = append(d.position[:0], value[:end]...)
		}
	}
}

// sequenceOf is the sequence in a position "<epoch>:<sequence>" as this server gives it. It
// is for judging the order alone: to clients a position is opaque.
func sequenceOf(position []byte) (uint64, bool) {
	colon := bytes.LastIndexByte(position, ':')
	if colon < 0 {
		return 0, false
	}
	sequence, err := strconv.ParseUint(string(position[colon+1:]), 10, 64)
	return sequence, err == nil
}
