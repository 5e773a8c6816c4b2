package event

import (
	"bytes"
	"encoding/json"
	"slices"
	"sync/atomic"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/roomcast/roomcast/internal/packet"
)

// Form is a way an event stands on the wire. A session has one form for its lifetime.
type Form uint8

const (
	// Bare is Socket.IO revision 5 without a trailing offset.
	Bare Form = iota
	// WithOffset is revision 5 with the position as an extra last argument, which
	// official clients from 4.6 on store for connection state recovery.
	WithOffset
	// Escaped is revision 4: no offset, non-ASCII escaped (see packet.AppendASCII).
	Escaped

	forms = 3
)

// Event is one immutable packet for any number of sessions: a delivery to a room, or a
// reply to one session. Each form is encoded at the first asking and then shared. Safe
// for concurrent use.
type Event struct {
	// Room, Position and Previous are set for deliveries only; Position is zero for
	// publications of strangers, which have no place in the sequence.
	Room     Room
	Position Position
	// Previous is the sequence of the room's publication before this one, 0 for none.
	Previous uint64

	object string        // deliveries: the JSON object without its position
	reply  packet.Packet // replies: the packet as revision 5 has it
	offset offset        // instead of the position, for one session

	encoded [forms]atomic.Pointer[encoding]
}

// encoding is one event in one form. text is the tail of frame.
type encoding struct {
	frame []byte // a complete unmasked websocket text frame
	text  []byte // the Engine.IO packet in it, with its message type
}

// NewDelivery makes the event that carries object, the text of a JSON object without
// white space around it, to the members of room. Unless pos is zero, they see the object
// with the field "position" added; it must not hold one.
func NewDelivery(room Room, pos Position, previous uint64, object string) *Event {
	return &Event{Room: room, Position: pos, Previous: previous, object: object}
}

// NewReply makes an event for one session: name with one argument, the JSON value body.
func NewReply(name string, body []byte) *Event {
	quoted, _ := json.Marshal(name) // a string always marshals
	data := make([]byte, 0, len(quoted)+len(body)+3)
	data = append(append(append(data, '['), quoted...), ',')
	data = append(append(data, body...), ']')
	return &Event{reply: packet.Packet{Type: packet.Event, Data: data}}
}

// NewAck makes the acknowledgement of the client's packet id with one argument, the
// JSON value body.
func NewAck(id uint64, body []byte) *Event {
	data := make([]byte, 0, len(body)+2)
	data = append(append(append(data, '['), body...), ']')
	return &Event{reply: packet.Packet{Type: packet.Ack, ID: id, HasID: true, Data: data}}
}

// NewConnect makes the answer to an accepted CONNECT of revision 5: the socket's id and,
// when the session can be recovered, the private id by which the client may ask for that.
func NewConnect(sid, pid string) *Event {
	data, _ := json.Marshal(struct { // strings always marshal
		SID string `json:"sid"`
		PID string `json:"pid,omitempty"`
	}{sid, pid})
	return &Event{reply: packet.Packet{Type: packet.Connect, Data: data}}
}

// offset is what an event carries as offset for one session, when that is not the event's
// own position. The zero value is the position.
type offset struct {
	set  bool
	text string // empty for none
}

// NoRecovery is an offset that no position has. A client that offers it, because its
// connection was lost in the middle of a replay, is not recovered.
const NoRecovery = "-"

// Carrying is the event with another offset in the form WithOffset, or with none when
// offset is empty. The event itself, which other sessions share, stays as it is.
func (e *Event) Carrying(text string) *Event {
	return &Event{
		Room: e.Room, Position: e.Position, Previous: e.Previous,
		object: e.object, reply: e.reply,
		offset: offset{set: true, text: text},
	}
}

// Size is the length in bytes of the event's JSON, before any encoding; what bounds of
// queues count.
func (e *Event) Size() int { return len(e.object) + len(e.reply.Data) }

// IsAck reports whether the event is an acknowledgement, which has no room for an offset.
func (e *Event) IsAck() bool { return e.object == "" && e.reply.Type == packet.Ack }

// Object is the delivered JSON object without its position, empty for replies.
func (e *Event) Object() string { return e.object }

// encode returns the event in the given form. Two workers may race to encode the same
// event; both results are equal and one of them stays.
func (e *Event) encode(form Form) *encoding {
	if enc := e.encoded[form].Load(); enc != nil {
		return enc
	}
	e.encoded[form].CompareAndSwap(nil, e.newEncoding(form))
	return e.encoded[form].Load()
}

// maxHeader is the longest header of an unmasked frame; encodings leave this much room
// before their text, so that frame and text share one allocation.
const maxHeader = 10

func (e *Event) newEncoding(form Form) *encoding {
	buf := make([]byte, maxHeader, maxHeader+e.Size()+e.overhead())
	buf = e.appendText(buf, form)
	if form == Escaped && !ascii(buf[maxHeader:]) {
		escaped := make([]byte, maxHeader, maxHeader+len(buf)+len(buf)/2)
		buf = packet.AppendASCII(escaped, buf[maxHeader:])
	}
	header := ws.Header{Fin: true, OpCode: ws.OpText, Length: int64(len(buf) - maxHeader)}
	start := maxHeader - ws.HeaderSize(header)
	_ = ws.WriteHeader(bytes.NewBuffer(buf[start:start]), header) // fits, and a buffer does not fail
	// A holder that appends must get a copy, not the room that is left here.
	buf = slices.Clip(buf)
	return &encoding{frame: buf[start:], text: buf[maxHeader:]}
}

// overhead bounds what appendText adds to the event's JSON: the room's name, the position
// as field and as offset, and punctuation.
func (e *Event) overhead() int {
	return len(e.Room.Workspace) + len(e.Room.App) + 2*(len(e.Position.Epoch)+20) + len(e.offset.text) + 64
}

// appendText appends the Engine.IO message packet: its type and the Socket.IO packet.
func (e *Event) appendText(dst []byte, form Form) []byte {
	dst = append(dst, '4')
	if e.object == "" {
		return e.appendReply(dst, form)
	}
	dst = append(dst, '0'+byte(packet.Event))
	dst = append(dst, `["workspace_`...)
	dst = append(append(append(dst, e.Room.Workspace...), "_app_"...), e.Room.App...)
	dst = append(dst, `",`...)
	dst = e.appendObject(dst)
	if form == WithOffset {
		dst = e.appendOffset(dst)
	}
	return append(dst, ']')
}

// appendReply appends a reply, which has an offset only when it was given one.
func (e *Event) appendReply(dst []byte, form Form) []byte {
	dst = packet.Append(dst, e.reply)
	if form == WithOffset && e.offset.set && e.reply.Type == packet.Event {
		dst = append(e.appendOffset(dst[:len(dst)-1]), ']')
	}
	return dst
}

// appendOffset appends the last argument by which clients keep their place.
func (e *Event) appendOffset(dst []byte) []byte {
	switch {
	case e.offset.set && e.offset.text == "":
		return dst
	case e.offset.set:
		return append(append(append(dst, `,"`...), e.offset.text...), '"')
	case e.Position.IsZero():
		return dst
	}
	return append(e.Position.append(append(dst, `,"`...)), '"')
}

// appendObject appends the object with its position as last field.
func (e *Event) appendObject(dst []byte) []byte {
	if e.Position.IsZero() {
		return append(dst, e.object...)
	}
	dst = append(dst, e.object[:len(e.object)-1]...)
	if len(e.object) > len("{}") {
		dst = append(dst, ',')
	}
	dst = append(dst, `"position":"`...)
	return append(e.Position.append(dst), `"}`...)
}

func ascii(text []byte) bool {
	for _, c := range text {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
