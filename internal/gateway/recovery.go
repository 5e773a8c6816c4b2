package gateway

import (
	"encoding/json"
	"strconv"

	"github.com/roomcast/roomcast/internal/auth"
	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
	"github.com/roomcast/roomcast/internal/session"
)

// admit lets a client take seats, in a session that can be continued if both sides want it.
func (g *Gateway) admit(client session.Client, handshake session.Handshake, as *auth.Principal) *hub.Seating {
	recoverable, ok := client.(session.Recoverable)
	if !ok {
		return g.options.Hub.Admit(client)
	}
	if !g.options.Recovery || declines(handshake) {
		client.Send(event.NewBatch(recoverable.Welcome(client.ID(), "")))
		return g.options.Hub.Admit(client)
	}
	opening := hub.Opening{
		SID:       client.ID(),
		PID:       handshake.PID,
		Permitted: as.CanRead,
		Welcome: func(admitted hub.Admission) []*event.Event {
			return []*event.Event{recoverable.Welcome(admitted.SID, admitted.PID)}
		},
		Probe: recoverable.Probe,
	}
	if as != nil {
		opening.Subject = as.Subject
	}
	if handshake.Offset != "" {
		offset, err := event.ParseOffset(handshake.Offset)
		if err != nil {
			// Of a client whose connection was lost in the middle of a replay (see
			// event.NoRecovery), or of nobody's: what it has cannot be told.
			opening.PID = ""
		}
		opening.Offset = offset
	}
	return g.options.Hub.Open(client, opening)
}

// declines reports whether a client wants no offsets: they are an argument more for its
// handlers. It says so by `auth: {recovery: false}`, or where it has no such payload by
// ?recovery=false.
func declines(handshake session.Handshake) bool {
	if value := handshake.Query.Get("recovery"); value != "" {
		wanted, err := strconv.ParseBool(value)
		if err == nil && !wanted {
			return true
		}
	}
	var auth struct {
		Recovery any `json:"recovery"`
	}
	if len(handshake.Auth) == 0 || json.Unmarshal(handshake.Auth, &auth) != nil {
		return false
	}
	return auth.Recovery == false || auth.Recovery == "false"
}
