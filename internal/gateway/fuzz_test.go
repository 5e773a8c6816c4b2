package gateway

import (
	"encoding/json"
	"testing"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
	"github.com/roomcast/roomcast/internal/session"
)

// largestAnswer bounds what any request is answered with, in bytes: two ids, a position
// and the longest message. A client cannot have its own junk multiplied.
const largestAnswer = 1024

// FuzzParseRequest takes any JSON for the first argument. What is accepted is complete
// and sound, and whatever is answered is one bounded JSON object.
func FuzzParseRequest(f *testing.F) {
	for _, argument := range []string{
		`{"event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"a"}}`,
		`{"event":"SUBSCRIBE","payload":{"workspaceID":"w","appId":"a","since":"e:7","token":"t"}}`,
		`{"event":"UNSUBSCRIBE","payload":{"workspaceId":"w","appId":"a"}}`,
		`{"event":1}`, `{"payload":[]}`, `[]`, `null`, `"x"`, `{"EVENT":"SUBSCRIBE","event":null,"payload":{"appId":""}}`,
	} {
		f.Add(argument, true)
	}
	f.Fuzz(func(t *testing.T, argument string, hasAck bool) {
		if !json.Valid([]byte(argument)) || argument[0] <= ' ' {
			return // the packet decoder's business: an argument is JSON without space around it
		}
		message := session.Message{Name: eventName, Args: []json.RawMessage{[]byte(argument)}, AckID: 7, HasAck: hasAck}
		r, why := parseRequest(message)
		replies := r.refuse(&fault{codeTooMany, nameLimit, "m"})
		if why != nil {
			replies = append(replies, r.refuse(why)...)
			if why.Code == "" || why.Name == "" || why.Message == "" {
				t.Errorf("refused without words: %+v", why)
			}
		} else {
			checkRequest(t, r)
			replies = append(replies, r.succeed(hub.Outcome{Position: event.Position{Epoch: "e", Sequence: 1}})...)
		}
		for _, reply := range replies {
			if reply.Size() > largestAnswer {
				t.Errorf("an answer of %d bytes", reply.Size())
			}
			text := string(event.NewBatch(reply).In(event.Bare).Texts()[0])
			if body := text[len("42"):]; hasAck && text[1] == '3' {
				checkJSON(t, body[len("7"):])
			} else {
				checkJSON(t, body)
			}
		}
	})
}

func checkRequest(t *testing.T, r request) {
	t.Helper()
	if r.kind != subscribe && r.kind != unsubscribe {
		t.Errorf("accepted the request %q", r.kind)
	}
	if _, err := event.NewRoom(r.room.Workspace, r.room.App); err != nil {
		t.Errorf("accepted a room: %v", err)
	}
	if r.since.IsZero() {
		return
	}
	if again, err := event.ParsePosition(r.since.String()); err != nil || again != r.since || r.kind == unsubscribe {
		t.Errorf("accepted the position %v for %s", r.since, r.kind)
	}
}

func checkJSON(t *testing.T, text string) {
	t.Helper()
	if !json.Valid([]byte(text)) {
		t.Errorf("an answer is not JSON: %s", text)
	}
}
