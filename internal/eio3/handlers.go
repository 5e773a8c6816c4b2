package eio3

import (
	"errors"
	"io"
	"runtime/debug"

	socketio "github.com/googollee/go-socket.io"

	"github.com/roomcast/roomcast/internal/packet"
	"github.com/roomcast/roomcast/internal/session"
)

// eventName is the one event the library has a handler for, see rewrite.
const eventName = "event"

// register sets the library's handlers. All of them run on goroutines where a panic
// ends the process, hence rescue. None returns anything: a returned value would be sent
// as an acknowledgement nobody asked for, a returned error leaks the session.
func (s *Server) register() {
	s.library.OnConnect(packet.Root, s.onConnect)
	s.library.OnEvent(packet.Root, eventName, s.onEvent)
	s.library.OnError(packet.Root, s.onError)
	s.library.OnDisconnect(packet.Root, s.onDisconnect)
}

// rewrite makes the packet that the library gets for an EVENT with this payload: one
// known event, whose one argument is the whole payload. As it came the library would
// break on a comma in the event's name, lose events without a handler, and decode
// superfluous arguments by reflection.
func rewrite(payload []byte) []byte {
	text := make([]byte, 0, len(payload)+len(eventName)+len(`2["",]`))
	text = append(text, '0'+byte(packet.Event), '[', '"')
	text = append(append(text, eventName...), '"', ',')
	return append(append(text, payload...), ']')
}

// arguments is the parameter type of onEvent: a payload's raw text. It is a struct
// around a string because the library searches every parameter for binary data by
// reflection, byte by byte if it is a slice.
type arguments struct {
	payload string
}

// UnmarshalJSON keeps the text as it is.
func (a *arguments) UnmarshalJSON(text []byte) error {
	a.payload = string(text)
	return nil
}

// onConnect runs when the library has written CONNECT. It also leaves the room of one
// that the library seats each session in: at every disconnect the library walks all
// rooms under one lock.
func (s *Server) onConnect(conn socketio.Conn) error {
	c := clientOf(conn)
	defer s.rescue(c, "connect")
	conn.Leave(conn.ID())
	close(c.connected)
	return nil
}

func (s *Server) onEvent(conn socketio.Conn, args arguments) {
	c := clientOf(conn)
	defer s.rescue(c, "event")
	p := packet.Packet{Data: []byte(args.payload)}
	name, values, err := p.Arguments()
	if err != nil {
		s.options.Logger.Error("event changed on its way through the library", "remote", c.transport.RemoteAddr(), "error", err)
		c.Close(reasonServer)
		return
	}
	c.peer.Event(session.Message{
		Name:   name,
		Args:   values,
		AckID:  c.current.ackID,
		HasAck: c.current.hasAck,
		Binary: c.current.binary,
	})
}

// onError hears io.EOF at every end. Anything else means that the library and our
// decoder disagree about a packet; its session ends by itself then.
func (s *Server) onError(conn socketio.Conn, err error) {
	if conn == nil || errors.Is(err, io.EOF) {
		return
	}
	c := clientOf(conn)
	defer s.rescue(c, "error")
	s.options.Logger.Warn("library failed on a validated packet", "remote", c.transport.RemoteAddr(), "error", err)
}

// onDisconnect must not close the library's connection: that waits for onDisconnect.
func (s *Server) onDisconnect(conn socketio.Conn, _ string) {
	c := clientOf(conn)
	defer s.rescue(c, "disconnect")
	c.disconnected()
}

// rescue, deferred, turns a panic into the end of the session it happened in.
func (s *Server) rescue(c *client, during string) {
	cause := recover()
	if cause == nil {
		return
	}
	s.options.Logger.Error("panic in a session", "remote", c.transport.RemoteAddr(), "during", during,
		"cause", cause, "stack", string(debug.Stack()))
	c.kill(reasonServer)
}

// clientOf is the client behind a connection of the library.
func clientOf(conn socketio.Conn) *client {
	return conn.RemoteAddr().(clientAddr).client // the library has no other transport
}
