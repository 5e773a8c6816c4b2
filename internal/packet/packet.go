// Package packet holds Socket.IO packets: one strict decoder and one encoder for
// both protocol revisions in use, 5 (Engine.IO 4) and 4 (Engine.IO 3).
//
// A packet on the wire is
//
//	<type>[<attachments>-][<namespace>,][<ack id>][<JSON>]
//
// and travels inside an Engine.IO message packet, whose leading "4" is not part of it.
package packet

import (
	"strconv"
)

// Revision is a revision of the Socket.IO protocol.
type Revision uint8

const (
	// V4 is spoken by Socket.IO 1.x and 2.x clients, over Engine.IO 3.
	V4 Revision = 4
	// V5 is spoken by Socket.IO 3.x and 4.x clients, over Engine.IO 4.
	V5 Revision = 5
)

// Type is the packet type, the first character on the wire.
type Type uint8

// The packet types. Error is called CONNECT_ERROR in revision 5 and ERROR in revision 4.
const (
	Connect Type = iota
	Disconnect
	Event
	Ack
	Error
	BinaryEvent
	BinaryAck
)

const (
	// MaxID is the highest ack id taken: above it a JavaScript peer rounds, and the
	// acknowledgement would name an id nobody asked for.
	MaxID = 1<<53 - 1
	// MaxAttachments bounds the binary attachments of one packet; current clients close
	// the connection above it (socket.io-parser 4.2.6, maxAttachments).
	MaxAttachments = 10
	// Root is the namespace every revision-4 client is joined to unasked.
	Root = "/"
)

// Packet is one Socket.IO packet, header and JSON; binary attachments travel apart.
type Packet struct {
	Type      Type
	Namespace string // never empty after Decode; Root when the wire names none
	// Query is what followed "?" in the namespace of a revision-4 CONNECT, where such
	// clients put their credentials; empty otherwise.
	Query       string
	ID          uint64 // ack id, meaningful when HasID
	HasID       bool
	Attachments int    // announced binary attachments, 1 to MaxAttachments in binary types
	Data        []byte // one JSON value, or nil; after Decode it aliases the input
}

// Append appends p as it stands on the wire, without the Engine.IO message type, and
// returns the extended slice. Data is copied as it is: the caller vouches for its JSON.
// Query is left out: the answer to a CONNECT that had one bears the bare name.
func Append(dst []byte, p Packet) []byte {
	dst = append(dst, '0'+byte(p.Type))
	if p.Type == BinaryEvent || p.Type == BinaryAck {
		dst = strconv.AppendInt(dst, int64(p.Attachments), 10)
		dst = append(dst, '-')
	}
	if p.Namespace != "" && p.Namespace != Root {
		dst = append(dst, p.Namespace...)
		dst = append(dst, ',')
	}
	if p.HasID {
		dst = strconv.AppendUint(dst, p.ID, 10)
	}
	return append(dst, p.Data...)
}
