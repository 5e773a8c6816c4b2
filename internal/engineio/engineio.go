// Package engineio speaks Engine.IO revisions 4 and 3: handshake, long-polling, websocket,
// upgrade from one to the other, and heartbeat. What the messages mean is its owner's
// business, who gives a Handler for every session.
//
// All bytes of a session leave by one door (door.go), so that packets of different
// writers never interleave. A session at rest on a websocket owns one parked goroutine
// and no buffer.
package engineio

import (
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/roomcast/roomcast/internal/limit"
)

// Revision is a revision of the Engine.IO protocol.
type Revision uint8

const (
	// V3 is spoken by Socket.IO 1.x and 2.x clients: the client sends the pings.
	V3 Revision = 3
	// V4 is spoken by Socket.IO 3.x and 4.x clients: the server sends the pings.
	V4 Revision = 4
)

// label is the revision as it stands in the EIO parameter and in metrics.
func (r Revision) label() string {
	if r == V3 {
		return "3"
	}
	return "4"
}

// Handler owns what one session says. Its methods are called one at a time, in the order
// of arrival; byte slices are valid only during the call. While a method runs, nothing
// more is read from this client.
type Handler interface {
	// Text takes one message packet, without its packet type; it may be empty.
	Text(message []byte)
	// Binary takes one binary message.
	Binary(data []byte)
	// Closed is called once, last, with the reason in the words of the reference server
	// ("transport close", "ping timeout", …) or of whoever closed the session.
	Closed(reason string)
}

// Outbound is message packets ready for either transport. The bytes are not copied and
// must not change.
type Outbound interface {
	// Frames is the packets as complete unmasked websocket frames, joined.
	Frames() []byte
	// Texts is the same packets as text, each with its packet type.
	Texts() [][]byte
}

// Observer counts what happens. Methods are called on hot paths and must be cheap.
// protocol is "3" or "4", transport "polling" or "websocket".
type Observer interface {
	SessionOpened(protocol, transport string)
	SessionUpgraded(protocol string)
	SessionClosed(protocol, transport, reason string)
	// BacklogChanged reports bytes taken into (positive) or out of (negative) backlogs.
	BacklogChanged(delta int)
	// Discarded reports bytes that a session's end left unwritten.
	Discarded(bytes int)
	// Refused counts requests answered with an error, by cause.
	Refused(cause string)
}

// Options of a Server. Every field is required unless its comment says otherwise.
type Options struct {
	// Accept is called once for every new session, after its open packet was written and
	// before anything is read from it. What it sends follows the open packet.
	Accept func(session *Session, request *http.Request) Handler

	// PingInterval and PingTimeout are told to the client in the open packet.
	PingInterval, PingTimeout time.Duration
	// UpgradeTimeout bounds a probe, from the websocket's opening to its upgrade packet.
	UpgradeTimeout time.Duration

	// MaxPayload bounds a polling body and a websocket message from a client, in bytes.
	MaxPayload int
	// BacklogBytes bounds what is kept for a client that does not read, in bytes, behind the
	// write that began the backlog. One that has passed it is closed by the next write.
	BacklogBytes int
	// MaxSessions bounds the sessions held at once; further handshakes get 503.
	MaxSessions int
	// SessionsPerAddress bounds those of one address, of IPv6 of one /64; further ones get 429.
	// Zero: no bound.
	SessionsPerAddress int
	// AddressHandshakes bounds the handshakes of one address; one too many gets 429. The zero
	// value is no bound.
	AddressHandshakes limit.Rate
	// Shared reports addresses that many clients have, as a balancer's: they are not counted.
	// Optional.
	Shared func(netip.Addr) bool
	// MaxURL bounds a request's URL, in bytes; a longer one gets 414. Zero: no bound.
	MaxURL int
	// Handshakes bounds the handshakes of all clients together; one too many gets 503. The zero
	// value is no bound, as of the next two.
	Handshakes limit.Rate
	// Packets and Bytes bound what one client sends; one that sends more is closed.
	Packets, Bytes limit.Rate

	// EIO3 admits revision 3; otherwise it is refused with code 5.
	EIO3 bool
	// IDPrefix begins every session id; a balancer may route by it. Optional.
	IDPrefix string
	// Origins says which pages of other origins may connect.
	Origins Origins

	Observer Observer
	Logger   *slog.Logger
}

// The reasons a session ends for, in the reference server's words.
const (
	ReasonTransportClose = "transport close"
	ReasonTransportError = "transport error"
	ReasonPingTimeout    = "ping timeout"
	ReasonParseError     = "parse error"
	ReasonShuttingDown   = "server shutting down"
	// ReasonBacklog is our own: the client did not read and its backlog was full.
	ReasonBacklog = "backlog full"
	// ReasonRate is our own: the client sent more than it may.
	ReasonRate = "too much sent"
)

const (
	transportPolling   = "polling"
	transportWebsocket = "websocket"
)
