package rest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/roomcast/roomcast/internal/auth"
	"github.com/roomcast/roomcast/internal/event"
)

// delivery is what members of a room are to receive. Its JSON values are compact.
type delivery struct {
	room    event.Room
	event   json.RawMessage
	payload json.RawMessage
	userID  json.RawMessage // nil: no such field
}

// object is the delivered JSON object. The position is missing: it is given by the
// store, and each instance adds it while encoding.
func (d delivery) object() string {
	var text strings.Builder
	text.Grow(len(d.event) + len(d.payload) + len(d.userID) + len(d.room.Workspace) + len(d.room.App) + 72)
	text.WriteString(`{"event":`)
	text.Write(d.event)
	// Ids need no escaping, their characters are unreserved.
	text.WriteString(`,"workspaceId":"`)
	text.WriteString(d.room.Workspace)
	text.WriteString(`","appId":"`)
	text.WriteString(d.room.App)
	text.WriteString(`","payload":`)
	text.Write(d.payload)
	if d.userID != nil {
		text.WriteString(`,"userId":`)
		text.Write(d.userID)
	}
	text.WriteByte('}')
	return text.String()
}

// published is a publication with the id it was made under. Neither needs escaping: an id is
// of rand.Text's alphabet, an epoch of letters and digits.
type published struct {
	id       string
	position event.Position
}

func (p published) write(w http.ResponseWriter) {
	text := make([]byte, 0, 128)
	text = append(append(text, `{"id":"`...), p.id...)
	text = append(append(text, `","position":"`...), p.position.Epoch...)
	text = strconv.AppendUint(append(text, ':'), p.position.Sequence, 10)
	writeBody(w, http.StatusCreated, append(text, "\"}\n"...))
}

// publish sends the delivery to the room's members on all instances, once for all requests
// under one key. A caller that leaves does not take back what it has sent.
func (s *server) publish(w http.ResponseWriter, caller *auth.Principal, once idempotency, d delivery) (published, error) {
	if err := s.quotas.take(w.Header(), caller, d.room); err != nil {
		return published{}, err
	}
	publication := once.publication(d)
	receipt, err := s.Hub.Publish(s.deadlines.begin(), publication)
	err = once.explain(err)
	s.Metrics.Published(outcome(receipt, err))
	if err != nil {
		return published{}, err
	}
	once.mark(w.Header(), receipt)
	return published{id: publication.ID, position: receipt.Position}, nil
}

// inTurn refuses requests past the bound of those under way: each holds its body.
func (s *server) inTurn(next handle) handle {
	return func(w http.ResponseWriter, r *http.Request) error {
		defer s.underWay.Add(-1)
		if n := s.underWay.Add(1); s.Concurrency > 0 && n > int64(s.Concurrency) {
			return &failure{kind: busy, detail: "too many requests are under way, try again"}
		}
		return next(w, r)
	}
}

func outcome(receipt event.Receipt, err error) string {
	switch {
	case err == nil && receipt.Duplicate:
		return "duplicate"
	case err == nil:
		return "accepted"
	}
	switch classify(err).kind {
	case keyReused:
		return "reused"
	case unavailable:
		return "unavailable"
	}
	return "failed"
}
