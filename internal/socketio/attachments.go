package socketio

import (
	"bytes"
	"time"

	"github.com/roomcast/roomcast/internal/packet"
)

// attachments waits for the binary attachments that a packet's header has announced.
// Nothing here serves binary events, so the bytes are counted and let go; only the header
// is kept.
type attachments struct {
	header  packet.Packet
	missing int
	timer   *time.Timer
}

func (a *attachments) waiting() bool { return a.missing > 0 }

// begin starts waiting. The reference waits for ever; late is called after the timeout.
func (a *attachments) begin(header packet.Packet, timeout time.Duration, late func()) {
	header.Data = bytes.Clone(header.Data) // valid only during the call so far
	a.header, a.missing = header, header.Attachments
	a.timer = time.AfterFunc(timeout, late)
}

// take counts one attachment and returns the packet when it was the last.
func (a *attachments) take() (p packet.Packet, complete bool) {
	a.missing--
	if a.missing > 0 {
		return p, false
	}
	p = a.header
	a.drop()
	return p, true
}

func (a *attachments) drop() {
	if a.timer != nil {
		a.timer.Stop()
	}
	*a = attachments{}
}
