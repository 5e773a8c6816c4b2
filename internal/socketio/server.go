// Package socketio serves Socket.IO protocol revision 5, which clients of versions 3 and 4
// speak, on Engine.IO 4 sessions: namespaces, CONNECT, events with or without binary
// attachments, acknowledgements.
package socketio

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/roomcast/roomcast/internal/engineio"
	"github.com/roomcast/roomcast/internal/packet"
	"github.com/roomcast/roomcast/internal/session"
)

// Options of a Server; all are required.
type Options struct {
	Gateway session.Gateway
	// ConnectTimeout bounds the time from the handshake to the first accepted CONNECT.
	ConnectTimeout time.Duration
	// AttachmentTimeout bounds the wait for the binary attachments of one event.
	AttachmentTimeout time.Duration
	Logger            *slog.Logger
}

// Server makes the handlers of Engine.IO 4 sessions.
type Server struct {
	options Options
}

// New makes a server.
func New(options Options) *Server { return &Server{options: options} }

// Accept takes a new Engine.IO 4 session. The client has to send CONNECT in time.
func (s *Server) Accept(engine *engineio.Session, r *http.Request) engineio.Handler {
	c := &connection{
		server: s,
		engine: engine,
		// Cloned, or the strings would keep the whole request in memory.
		query:         strings.Clone(r.URL.RawQuery),
		authorization: strings.Clone(r.Header.Get("Authorization")),
		opened:        time.Now(),
	}
	c.connectTimer = time.AfterFunc(s.options.ConnectTimeout, func() {
		engine.Close("connect timeout")
	})
	return c
}

// connection is one client's side of the protocol. Its methods run one at a time, as
// engineio calls them; only its socket is reached from elsewhere.
type connection struct {
	server *Server
	engine *engineio.Session

	query         string // of the handshake request
	authorization string
	opened        time.Time

	connectTimer *time.Timer // nil once a namespace was joined
	socket       *socket     // the root namespace, nil while not joined
	pending      attachments // of a binary packet whose header has come
}

// The reasons for which this layer closes a connection, in the reference server's words.
const (
	reasonForced          = "forced close"
	reasonClientNamespace = "client namespace disconnect"
)

// Text implements engineio.Handler.
func (c *connection) Text(message []byte) {
	p, err := packet.Decode(packet.V5, message)
	if err != nil || c.pending.waiting() {
		// A text packet between a header and its attachments would shift them all.
		c.engine.Close(engineio.ReasonParseError)
		return
	}
	if p.Type == packet.Connect {
		c.connect(p)
		return
	}
	if p.Namespace != packet.Root || c.socket == nil {
		c.engine.Close(reasonForced) // speaks in a namespace it has not joined
		return
	}
	switch p.Type {
	case packet.Disconnect:
		c.leave(reasonClientNamespace)
	case packet.Event:
		c.event(p)
	case packet.BinaryEvent, packet.BinaryAck:
		c.pending.begin(p, c.server.options.AttachmentTimeout, func() {
			c.engine.Close(engineio.ReasonParseError)
		})
	case packet.Ack: // we ask for none; unknown ones are ignored
	}
}

// Binary implements engineio.Handler.
func (c *connection) Binary([]byte) {
	if !c.pending.waiting() {
		c.engine.Close(engineio.ReasonParseError)
		return
	}
	p, complete := c.pending.take()
	if !complete {
		return
	}
	if err := p.CheckPlaceholders(); err != nil {
		c.engine.Close(engineio.ReasonParseError)
		return
	}
	if p.Type == packet.BinaryEvent { // we ask for no acknowledgement
		c.event(p)
	}
}

// Closed implements engineio.Handler.
func (c *connection) Closed(reason string) {
	if c.connectTimer != nil {
		c.connectTimer.Stop()
	}
	c.pending.drop()
	c.leave(reason)
}

// connect answers CONNECT. There is one namespace; asking for another is refused without
// harm to the connection, asking twice for the same is a breach.
func (c *connection) connect(p packet.Packet) {
	if p.Namespace != packet.Root {
		c.refuse(p.Namespace, refusalBody{Message: "Invalid namespace"})
		return
	}
	if c.socket != nil {
		c.engine.Close(reasonForced)
		return
	}
	socket := newSocket(c.engine)
	peer, err := c.server.options.Gateway.Connect(socket, c.handshake(p.Data))
	if err != nil {
		c.refuse(p.Namespace, c.refusalOf(err))
		return
	}
	socket.peer = peer
	c.socket = socket
	if c.connectTimer != nil {
		c.connectTimer.Stop()
		c.connectTimer = nil
	}
}

func (c *connection) handshake(auth []byte) session.Handshake {
	query, _ := url.ParseQuery(c.query) // what does not parse is left out
	pid, offset := recoveryOf(auth)
	return session.Handshake{
		Auth:          auth,
		PID:           pid,
		Offset:        offset,
		Query:         query,
		Authorization: c.authorization,
		Opened:        c.opened,
		RemoteAddr:    c.engine.RemoteAddr(),
	}
}

// recoveryOf reads what official clients from 4.6 on put beside the user's own data in the
// payload of CONNECT. Values of another type are the user's.
func recoveryOf(auth []byte) (pid, offset string) {
	if !bytes.Contains(auth, []byte(`"pid"`)) {
		return "", "" // as a rule; the rest is not parsed twice
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(auth, &fields) != nil || json.Unmarshal(fields["pid"], &pid) != nil || pid == "" {
		return "", ""
	}
	if json.Unmarshal(fields["offset"], &offset) != nil {
		offset = ""
	}
	return pid, offset
}

// event hands an event to the gateway's side of the client.
func (c *connection) event(p packet.Packet) {
	name, args, err := p.Arguments()
	if err != nil {
		c.engine.Close(engineio.ReasonParseError)
		return
	}
	c.socket.peer.Event(session.Message{
		Name: name, Args: args,
		AckID: p.ID, HasAck: p.HasID,
		Binary: p.Type == packet.BinaryEvent,
	})
}

// leave ends the client's stay in the root namespace; the connection goes on.
func (c *connection) leave(reason string) {
	if c.socket == nil {
		return
	}
	c.socket.leave()
	c.socket.peer.Disconnected(reason)
	c.socket = nil
}

func (c *connection) send(p packet.Packet) {
	c.engine.SendText(packet.Append(nil, p))
}

// refusalBody is the payload of CONNECT_ERROR. Revision 5 wants an object: clients read
// its message.
type refusalBody struct {
	Message string       `json:"message"`
	Data    *refusalData `json:"data,omitempty"`
}

type refusalData struct {
	Code string `json:"code"`
}

func (c *connection) refuse(namespace string, body refusalBody) {
	data, _ := json.Marshal(body) // strings always marshal
	c.send(packet.Packet{Type: packet.Error, Namespace: namespace, Data: data})
}
