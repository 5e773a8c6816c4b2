package rest

import (
	"context"
	"encoding/json"
	"net/http"

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
	size := len(d.event) + len(d.payload) + len(d.userID) + len(d.room.Workspace) + len(d.room.App)
	text := make([]byte, 0, size+64)
	text = append(append(text, `{"event":`...), d.event...)
	// Ids need no escaping, their characters are unreserved.
	text = append(append(text, `,"workspaceId":"`...), d.room.Workspace...)
	text = append(append(text, `","appId":"`...), d.room.App...)
	text = append(append(text, `","payload":`...), d.payload...)
	if d.userID != nil {
		text = append(append(text, `,"userId":`...), d.userID...)
	}
	return string(append(text, '}'))
}

// published is a publication with the id it was made under.
type published struct {
	ID       string `json:"id"`
	Position string `json:"position"`
}

// publish sends the delivery to the room's members on all instances, once for all requests
// under one key.
func (s *server) publish(w http.ResponseWriter, r *http.Request, once idempotency, d delivery) (published, error) {
	ctx, cancel := context.WithTimeout(r.Context(), s.PublishTimeout)
	defer cancel()
	publication := once.publication(d)
	receipt, err := s.Hub.Publish(ctx, publication)
	err = once.explain(err)
	s.Metrics.Published(outcome(receipt, err))
	if err != nil {
		return published{}, err
	}
	once.mark(w.Header(), receipt)
	return published{ID: publication.ID, Position: receipt.Position.String()}, nil
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
