// Package session is the seam between the Socket.IO layers and what they serve. Two
// packages implement Client (socketio for revision 5, eio3 for revision 4) and one
// implements Gateway, so that what a client may say is decided once.
package session

import (
	"encoding/json"
	"net/url"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

// Client is one joined Socket.IO connection. All methods are safe for concurrent use
// and none of them blocks on the peer.
type Client interface {
	// ID is the public socket id, for logs and answers.
	ID() string
	// Send queues or writes a batch in the client's own form, in the order of the calls.
	// After the connection has ended it does nothing. A client whose backlog would pass
	// its bound is closed instead.
	Send(batch *event.Batch)
	// Close ends the transport without a DISCONNECT packet, so that official clients
	// reconnect. It may be called from any goroutine, also from within Peer's methods.
	Close(reason string)
}

// Recoverable is a Client whose session can outlive its connection, in revision 5: clients
// from 4.6 on keep a private id and the offset of the last event, and show both to
// whichever instance they reconnect to.
type Recoverable interface {
	Client
	// Welcome makes the answer to CONNECT, under which ids the client was admitted. The
	// gateway calls it once and sends it before anything else; it may come later than
	// Connect returns. With a pid, the client's events carry offsets from then on; without,
	// the session ends with the connection.
	Welcome(sid, pid string) *event.Event
	// Probe asks the client for a sign of life that it cannot have given before the call, and
	// calls alive when it has come: once, from the client's reader, which it must not block.
	// It is not called if the connection ends before, or Probe is called again.
	Probe(alive func())
}

// Handshake is what a client showed when it connected.
type Handshake struct {
	// Auth is the JSON object of the CONNECT packet, nil when absent or in revision 4. Valid
	// only during the call of Connect.
	Auth json.RawMessage
	// PID and Offset are by what a client asks for the session of its lost connection. PID
	// is empty if it does not, Offset if it has got no event in that session.
	PID, Offset string
	// Query is the query of the handshake request; in revision 4 the query of the
	// namespace goes before it.
	Query url.Values
	// Authorization is the request's header of that name.
	Authorization string
	// Opened is when the transport was opened.
	Opened time.Time
	// RemoteAddr is the address the transport was opened from.
	RemoteAddr string
}

// Message is one EVENT from a client.
type Message struct {
	Name string
	// Args is the raw JSON of the arguments after the name. Valid only during the call.
	Args []json.RawMessage
	// AckID is the id under which the client wants an acknowledgement, when HasAck.
	AckID  uint64
	HasAck bool
	// Binary says that the event came with binary attachments, which stand as
	// placeholders in Args; the bytes themselves are not handed on.
	Binary bool
}

// Gateway decides what clients may do.
type Gateway interface {
	// Connect is called once per joining client, before its CONNECT is answered, from
	// the client's reader. An error refuses the client; *Refusal chooses what it sees. A
	// Recoverable that is not refused is answered by the gateway: see its Welcome.
	Connect(client Client, handshake Handshake) (Peer, error)
}

// Peer is the gateway's side of one client. Its methods are called one at a time, from
// the client's reader, and must not block on Redis or on another client.
type Peer interface {
	// Event handles one EVENT.
	Event(message Message)
	// Disconnected is called once, last, with the reason the connection ended.
	Disconnected(reason string)
}

// Refusal is an error the refused client may read.
type Refusal struct {
	Code    string // stable, such as "auth/required"
	Message string
}

func (r *Refusal) Error() string { return r.Code + ": " + r.Message }
