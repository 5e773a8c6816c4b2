package engineio

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/gobwas/ws"
)

// The packet types, as the first character of a packet in text.
const (
	packetOpen    = '0'
	packetClose   = '1'
	packetPing    = '2'
	packetPong    = '3'
	packetMessage = '4'
	packetUpgrade = '5'
	packetNoop    = '6'
	// packetBase64 leads a binary message where the transport takes text only.
	packetBase64 = 'b'
)

var (
	packetTextClose = []byte{packetClose}
	packetTextPing  = []byte{packetPing}
	packetTextPong  = []byte{packetPong}
	packetTextNoop  = []byte{packetNoop}
	packetTextProbe = []byte("3probe")
)

// errMalformed is wrapped by every decoding error of this package.
var errMalformed = errors.New("malformed packet")

// incoming is one decoded packet.
type incoming struct {
	kind byte // a packet type as in text
	// body follows the type; for a binary message it is the bytes themselves.
	body   []byte
	binary bool
}

// decodeText reads one packet that came as text.
func decodeText(revision Revision, text []byte) (incoming, error) {
	if len(text) == 0 {
		return incoming{}, fmt.Errorf("%w: empty", errMalformed)
	}
	switch kind := text[0]; {
	case kind >= packetOpen && kind <= packetNoop:
		return incoming{kind: kind, body: text[1:]}, nil
	case kind == packetBase64:
		return decodeBase64(revision, text[1:])
	}
	return incoming{}, fmt.Errorf("%w: unknown type %q", errMalformed, text[0])
}

// decodeBase64 reads what follows "b". Revision 3 puts the packet type there, of which
// only a message makes sense. The reference forgives bad base64; we do not.
func decodeBase64(revision Revision, text []byte) (incoming, error) {
	if revision == V3 {
		if len(text) == 0 || text[0] != packetMessage {
			return incoming{}, fmt.Errorf("%w: base64 packet is not a message", errMalformed)
		}
		text = text[1:]
	}
	encoding := base64.StdEncoding
	if len(text)%4 != 0 {
		encoding = base64.RawStdEncoding // some encoders leave the padding out
	}
	if bytes.ContainsAny(text, "\r\n") {
		return incoming{}, fmt.Errorf("%w: line break in base64", errMalformed)
	}
	data := make([]byte, encoding.DecodedLen(len(text)))
	n, err := encoding.Decode(data, text)
	if err != nil {
		return incoming{}, fmt.Errorf("%w: bad base64", errMalformed)
	}
	return incoming{kind: packetMessage, body: data[:n], binary: true}, nil
}

// decodeBinary reads one packet that came as bytes: in revision 4 a message as it is, in
// revision 3 with the packet type as a number in front.
func decodeBinary(revision Revision, data []byte) (incoming, error) {
	if revision == V4 {
		return incoming{kind: packetMessage, body: data, binary: true}, nil
	}
	if len(data) == 0 || data[0] != packetMessage-'0' {
		return incoming{}, fmt.Errorf("%w: binary packet is not a message", errMalformed)
	}
	return incoming{kind: packetMessage, body: data[1:], binary: true}, nil
}

// textFrame is a packet as one unmasked websocket frame.
func textFrame(packet []byte) []byte {
	return ws.MustCompileFrame(ws.NewTextFrame(packet)) // only a failing writer makes it panic
}

// receive acts on one packet from the client; false means that the session is over and
// nothing more is to be read.
func (s *Session) receive(p incoming) bool {
	if !s.takeIn(len(p.body)) {
		return false
	}
	switch {
	case p.kind == packetMessage:
		s.onTraffic()
		return s.deliver(p)
	case p.kind == packetPing && s.revision == V3:
		s.onPing()
	case p.kind == packetPong && s.revision == V4:
		s.onPong()
	case p.kind == packetPing, p.kind == packetPong:
		// A heartbeat in the wrong direction: this peer does not speak the revision it named.
		s.end(ReasonTransportError, gently)
		return false
	case p.kind == packetClose:
		s.endByClient()
		return false
	}
	return true // open, upgrade and noop mean nothing here
}

// deliver hands a message to the owner unless the session has ended meanwhile.
func (s *Session) deliver(p incoming) bool {
	s.inbound.Lock()
	defer s.inbound.Unlock()
	if s.hasEnded() {
		return false
	}
	if p.binary {
		s.handler.Binary(p.body)
	} else {
		s.handler.Text(p.body)
	}
	return true
}
