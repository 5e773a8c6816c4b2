package socketio_test

import (
	"testing"

	"github.com/gobwas/ws"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/session"
)

func hello() *event.Batch { return event.NewBatch(event.NewReply("hello", []byte("1"))) }

// The reasons a peer reads, each told once: newEngine checks that for all tests.
func TestReasons(t *testing.T) {
	for reason, end := range map[string]func(t *testing.T, s *server, w *websocket, p *peer){
		"client namespace disconnect": func(_ *testing.T, _ *server, w *websocket, _ *peer) { w.send("41") },
		"transport close": func(_ *testing.T, _ *server, w *websocket, _ *peer) {
			w.write(ws.NewCloseFrame(nil))
		},
		"transport error": func(_ *testing.T, _ *server, w *websocket, _ *peer) {
			w.send("2") // a heartbeat in the wrong direction
		},
		"parse error":  func(_ *testing.T, _ *server, w *websocket, _ *peer) { w.send("4x") },
		"forced close": func(_ *testing.T, _ *server, w *websocket, _ *peer) { w.send("40") },
		"server shutting down": func(t *testing.T, s *server, w *websocket, _ *peer) {
			// Trap 42: no DISCONNECT, which would stop the client from reconnecting.
			shutDown(t, s.engine)
			w.wantsEnd()
		},
		"backlog full": func(_ *testing.T, _ *server, w *websocket, p *peer) {
			p.client.Close("backlog full")
			p.client.Close("again")
			w.wantsEnd()
		},
	} {
		t.Run(reason, func(t *testing.T) {
			g := &gateway{}
			s := start(t, g)
			w, _ := join(t, s)
			p := g.peer(t)
			end(t, s, w, p)
			eventually(t, "the end", p.hasEnded)
			p.client.Send(hello()) // does nothing
			_ = w.conn.Close()
			shutDown(t, s.engine)
			wantRecord(t, p, "end: "+reason)
		})
	}
}

func TestReasonsOverPolling(t *testing.T) {
	for reason, last := range map[string]string{
		"transport close":             "1",
		"client namespace disconnect": "41\x1e1",
		"parse error":                 "42",
	} {
		t.Run(reason, func(t *testing.T) {
			g := &gateway{}
			p := poll(t, start(t, g))
			p.post("40")
			sidOf(t, p.get())
			p.post(last)
			wantRecord(t, g.peer(t), "end: "+reason)
		})
	}
}

// A client that has left hears nothing more, and what was meant for its old stay does
// not reach the new one; neither does a verdict over the old stay end it.
func TestNothingReachesTheNextStay(t *testing.T) {
	g := &gateway{}
	w, _ := join(t, start(t, g))
	old := g.peer(t).client
	old.Send(hello())
	w.wants(`42["hello",1]`)
	w.send("41")
	w.wantsSilence()
	old.Send(hello())
	w.wantsSilence()
	w.connect()
	old.Send(hello())
	old.Close("backlog full")
	w.wantsSilence()
	g.all()[1].client.Send(hello())
	w.wants(`42["hello",1]`)
}

// session.Client promises that Close may be called from within the peer's methods.
func TestCloseFromWithin(t *testing.T) {
	g := &gateway{onEvent: func(p *peer, _ session.Message) {
		p.client.Send(hello())
		p.client.Close("enough")
		p.client.Send(hello())
	}}
	w, _ := join(t, start(t, g))
	w.send(`42["a"]`, `42["b"]`)
	w.wants(`42["hello",1]`)
	w.wantsEnd()
	wantRecord(t, g.peer(t), `"a"`, "end: enough")
}
