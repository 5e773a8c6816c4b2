package event_test

import (
	"testing"

	"github.com/roomcast/roomcast/internal/event"
)

// What a session recovers from is the last offset it was given, so the offset can differ
// from the event's position without the event being another one.
func TestOffsets(t *testing.T) {
	room := event.Room{Workspace: "w", App: "a"}
	at := event.Position{Epoch: "e", Sequence: 7}
	delivery := event.NewDelivery(room, at, 0, `{"n":1}`)
	reply := event.NewReply("application_response", []byte(`{"ok":true}`))
	for _, test := range []struct {
		name  string
		event *event.Event
		want  string
	}{
		{"own position", delivery, `42["workspace_w_app_a",{"n":1,"position":"e:7"},"e:7"]`},
		{"another", delivery.Carrying("e:5"), `42["workspace_w_app_a",{"n":1,"position":"e:7"},"e:5"]`},
		{"not recoverable", delivery.Carrying(event.NoRecovery), `42["workspace_w_app_a",{"n":1,"position":"e:7"},"-"]`},
		{"none", delivery.Carrying(""), `42["workspace_w_app_a",{"n":1,"position":"e:7"}]`},
		{"reply", reply, `42["application_response",{"ok":true}]`},
		{"reply with one", reply.Carrying("e:5"), `42["application_response",{"ok":true},"e:5"]`},
		{"reply with none", reply.Carrying(""), `42["application_response",{"ok":true}]`},
		{"acknowledgement", event.NewAck(3, []byte(`{}`)).Carrying("e:5"), `433[{}]`},
		{"connect", event.NewConnect("s", ""), `40{"sid":"s"}`},
		{"connect, recoverable", event.NewConnect("s", "p"), `40{"sid":"s","pid":"p"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := string(event.NewBatch(test.event).In(event.WithOffset).Texts()[0]); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	if got := string(event.NewBatch(delivery.Carrying("-")).In(event.Bare).Texts()[0]); got != `42["workspace_w_app_a",{"n":1,"position":"e:7"}]` {
		t.Errorf("without offsets: %s", got)
	}
}
