package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/roomcast/roomcast/internal/load"
)

// centrifuge is a client of Centrifuge's own protocol in JSON, one message a line.
type centrifuge struct{ room load.Room }

func newCentrifuge(rooms []load.Room) load.Dialogue { return centrifuge{rooms[0]} }

func (centrifuge) Target() string { return "/connection/websocket" }

const connectID, subscribeID = 1, 2

func (c centrifuge) Opened(l *load.Link) error {
	return l.Say(fmt.Appendf(nil, `{"id":%d,"connect":{}}`, connectID))
}

var push = []byte(`{"push":`)

func (c centrifuge) Message(l *load.Link, text []byte) error {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		switch {
		case bytes.HasPrefix(line, push):
			l.Delivered(-1, line)
		case bytes.Equal(line, []byte("{}")):
			if err := l.Say([]byte("{}")); err != nil { // the answer to a ping
				return err
			}
		default:
			if err := c.reply(l, line); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c centrifuge) reply(l *load.Link, line []byte) error {
	var reply struct {
		ID    int             `json:"id"`
		Error json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(line, &reply); err != nil {
		return fmt.Errorf("a reply: %w", err)
	}
	switch {
	case reply.Error != nil:
		return fmt.Errorf("refused: %s", reply.Error)
	case reply.ID == connectID:
		return l.Say(fmt.Appendf(nil, `{"id":%d,"subscribe":{"channel":%q}}`, subscribeID, c.room.Name()))
	case reply.ID == subscribeID:
		l.Joined(false)
	}
	return nil
}
