package packet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ErrMalformed is wrapped by every error of Decode, Arguments and CheckPlaceholders.
// The peer that sent such a packet is closed; nobody else is touched.
var ErrMalformed = errors.New("malformed packet")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// MaxNamespace bounds a namespace and its query in bytes. Revision-4 clients carry
// tokens there, so it is of the size of a long header.
const MaxNamespace = 8192

// Decode reads one packet sent by a client. It is as strict as the reference parser
// (socket.io-parser 4.2) and stricter where that one leans on JavaScript: attachment
// counts and ack ids are plain ASCII digits, an EVENT or ACK without its array is
// refused. Data and the strings of the result alias or copy from text; Data is valid
// only as long as text is.
func Decode(rev Revision, text []byte) (Packet, error) {
	var p Packet
	if len(text) == 0 {
		return p, malformed("empty")
	}
	if text[0] < '0' || text[0] > '6' {
		return p, malformed("unknown type %q", text[0])
	}
	p.Type = Type(text[0] - '0')
	rest, err := p.decodeAttachments(text[1:])
	if err != nil {
		return p, err
	}
	if rest, err = p.decodeNamespace(rev, rest); err != nil {
		return p, err
	}
	if rest, err = p.decodeID(rest); err != nil {
		return p, err
	}
	if len(rest) > 0 {
		if !json.Valid(rest) {
			return p, malformed("payload is not one JSON value")
		}
		p.Data = bytes.TrimSpace(rest)
	}
	return p, p.checkData(rev)
}

// decodeAttachments reads "<count>-" of a binary packet. The bound is checked here,
// before any buffer exists: a count the peer merely claims must cost nothing.
func (p *Packet) decodeAttachments(text []byte) ([]byte, error) {
	if p.Type != BinaryEvent && p.Type != BinaryAck {
		return text, nil
	}
	digits := leadingDigits(text)
	if digits == 0 || digits == len(text) || text[digits] != '-' {
		return nil, malformed("attachment count missing")
	}
	count, ok := parseDecimal(text[:digits], MaxAttachments)
	if !ok || count == 0 {
		return nil, malformed("attachment count must be 1 to %d", MaxAttachments)
	}
	p.Attachments = int(count) //nolint:gosec // bounded above
	return text[digits+1:], nil
}

// decodeNamespace reads up to the first comma; without one the whole rest is the
// namespace ("40/admin" is valid, "42/admin[1]" names the namespace "/admin[1]").
func (p *Packet) decodeNamespace(rev Revision, text []byte) ([]byte, error) {
	p.Namespace = Root
	if len(text) == 0 || text[0] != '/' {
		return text, nil
	}
	name, rest := text, []byte(nil)
	if comma := bytes.IndexByte(text, ','); comma >= 0 {
		name, rest = text[:comma], text[comma+1:]
	}
	if len(name) > MaxNamespace {
		return nil, malformed("namespace longer than %d bytes", MaxNamespace)
	}
	p.Namespace = string(name)
	if rev == V4 && p.Type == Connect {
		// "/admin?token=1": revision 4 has no auth payload and carries it here.
		p.Namespace, p.Query, _ = strings.Cut(p.Namespace, "?")
	}
	return rest, nil
}

func (p *Packet) decodeID(text []byte) ([]byte, error) {
	digits := leadingDigits(text)
	if digits == 0 {
		return text, nil
	}
	id, ok := parseDecimal(text[:digits], MaxID)
	if !ok {
		return nil, malformed("ack id above %d", uint64(MaxID))
	}
	p.ID, p.HasID = id, true
	return text[digits:], nil
}

// checkData applies the payload rules of each type.
func (p *Packet) checkData(rev Revision) error {
	switch p.Type {
	case Connect:
		if p.Data == nil {
			return nil
		}
		if rev == V4 {
			return malformed("CONNECT with a payload")
		}
		if p.Data[0] != '{' {
			return malformed("CONNECT payload is not an object")
		}
	case Disconnect:
		if p.Data != nil {
			return malformed("DISCONNECT with a payload")
		}
	case Event, BinaryEvent:
		return p.checkEvent()
	case Ack, BinaryAck:
		if len(p.Data) == 0 || p.Data[0] != '[' {
			return malformed("ACK payload is not an array")
		}
		if !p.HasID {
			return malformed("ACK without an id")
		}
	case Error:
		return malformed("only servers send type 4")
	}
	return nil
}

func (p *Packet) checkEvent() error {
	if len(p.Data) == 0 || p.Data[0] != '[' {
		return malformed("EVENT payload is not an array")
	}
	first := bytes.TrimLeft(p.Data[1:], " \t\r\n")
	switch c := first[0]; {
	case c == '"':
		name, _, err := firstString(first)
		if err != nil {
			return err
		}
		if reserved(name) {
			return malformed("reserved event name %q", name)
		}
	case c == '-' || c >= '0' && c <= '9': // the reference takes numbers as names
	default:
		return malformed("event name is neither a string nor a number")
	}
	return nil
}

// reserved reports the names that Node's emitter uses itself; official clients refuse
// to send them, so only a forged packet carries one.
func reserved(name string) bool {
	switch name {
	case "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener":
		return true
	}
	return false
}

func leadingDigits(text []byte) int {
	n := 0
	for n < len(text) && text[n] >= '0' && text[n] <= '9' {
		n++
	}
	return n
}

// parseDecimal reads ASCII digits, refusing values above limit.
func parseDecimal(digits []byte, limit uint64) (uint64, bool) {
	var value uint64
	for _, d := range digits {
		value = value*10 + uint64(d-'0')
		if value > limit {
			return 0, false
		}
	}
	return value, true
}
