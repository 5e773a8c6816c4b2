package socketio_test

import (
	"testing"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/session"
)

// protocol.md 5.1: the official client puts both beside the user's own data, which wins.
// What is of another type is the user's.
func TestConnectOfAReturningClient(t *testing.T) {
	for packet, want := range map[string][2]string{
		`40`:                                  {"", ""},
		`40{"token":"tk"}`:                    {"", ""},
		`40{"pid":"p1","offset":"e:7"}`:       {"p1", "e:7"},
		`40{"pid":"p1","token":"offset"}`:     {"p1", ""},
		`40{"offset":"e:7"}`:                  {"", ""},
		`40{"pid":7,"offset":"e:7"}`:          {"", ""},
		`40{"pid":null,"offset":"e:7"}`:       {"", ""},
		`40{"pid":"p1","offset":{"pid":"x"}}`: {"p1", ""},
		`40{"nested":{"pid":"p1"}}`:           {"", ""},
		`40{"pid":"p\u0031","offset":"-"}`:    {"p1", "-"},
	} {
		t.Run(packet, func(t *testing.T) {
			g := &gateway{}
			w := dial(t, start(t, g))
			w.send(packet)
			sidOf(t, w.read())
			shown := g.peer(t).handshake
			if got := [2]string{shown.PID, shown.Offset}; got != want {
				t.Errorf("the gateway is shown %q, want %q", got, want)
			}
		})
	}
}

// Traps 40 and 41: the welcome may come late, and under the ids of a former session. From
// then on events carry offsets; answers and acknowledgements do not.
func TestWelcomeOfASession(t *testing.T) {
	g := &gateway{late: true}
	w := dial(t, start(t, g))
	w.send("40")
	w.wantsSilence()
	client := g.peer(t).client.(session.Recoverable)
	room := event.Room{Workspace: "w", App: "a"}
	client.Send(event.NewBatch(
		client.Welcome("sid of before", "pid of before"),
		event.NewDelivery(room, event.Position{Epoch: "e", Sequence: 7}, 0, `{"event":"U"}`),
		event.NewDelivery(room, event.Position{}, 0, `{"event":"foreign"}`),
		event.NewReply("application_response", []byte(`{}`)),
		event.NewAck(3, []byte(`{}`)),
	))
	w.wants(
		`40{"sid":"sid of before","pid":"pid of before"}`,
		`42["workspace_w_app_a",{"event":"U","position":"e:7"},"e:7"]`,
		`42["workspace_w_app_a",{"event":"foreign"}]`,
		`42["application_response",{}]`,
		`433[{}]`,
	)
	if id := client.ID(); id != "sid of before" {
		t.Errorf("the client is known as %q", id)
	}
}

// Without a private id the wire is as it always was.
func TestWelcomeWithoutRecovery(t *testing.T) {
	g := &gateway{}
	w, _ := join(t, start(t, g))
	g.peer(t).client.Send(event.NewBatch(event.NewDelivery(
		event.Room{Workspace: "w", App: "a"}, event.Position{Epoch: "e", Sequence: 7}, 0, `{"event":"U"}`)))
	w.wants(`42["workspace_w_app_a",{"event":"U","position":"e:7"}]`)
}

// While the welcome is still to come the connection is the client's: another CONNECT is a
// breach, an event waits for nobody.
func TestConnectTwiceBeforeTheWelcome(t *testing.T) {
	g := &gateway{late: true}
	w := dial(t, start(t, g))
	w.send(`40{"pid":"p","offset":"e:1"}`, `42["x"]`, "40")
	w.wantsEnd()
	wantRecord(t, g.peer(t), `"x"`, "end: forced close")
}
