package eio3

import (
	"fmt"
	"time"

	"github.com/roomcast/roomcast/internal/packet"
)

// errInterleaved: the reference parser gives up likewise ("got plaintext data when
// reconstructing a packet").
var errInterleaved = fmt.Errorf("%w: text packet while attachments are missing", packet.ErrMalformed)

// attachments is a binary packet whose attachments are on their way. They are counted,
// measured and dropped: the gateway takes no binary data, it only says so.
type attachments struct {
	event   inbound // what to hand on at the end, if wanted
	wanted  bool    // false for acknowledgements
	missing int
	room    int         // bytes that may still come
	timeout *time.Timer // closes the transport
}

// expectAttachments begins to wait for the attachments that p announces.
func (c *connection) expectAttachments(p packet.Packet) error {
	if err := p.CheckPlaceholders(); err != nil {
		return err
	}
	pending := &attachments{
		wanted:  p.Type == packet.BinaryEvent,
		missing: p.Attachments,
		room:    c.server.options.MaxPayload,
		timeout: time.AfterFunc(c.server.options.AttachmentTimeout, func() {
			c.transport.Close("attachments timed out")
		}),
	}
	if pending.wanted {
		pending.event = newInbound(p)
	}
	c.pending = pending
	return nil
}

// Binary takes one attachment.
func (c *connection) Binary(data []byte) {
	if c.failed {
		return
	}
	if err := c.takeAttachment(len(data)); err != nil {
		c.fail(err)
	}
}

func (c *connection) takeAttachment(size int) error {
	pending := c.pending
	if pending == nil {
		return fmt.Errorf("%w: attachment without a packet", packet.ErrMalformed)
	}
	if pending.room -= size; pending.room < 0 {
		return fmt.Errorf("%w: attachments above %d bytes", packet.ErrMalformed, c.server.options.MaxPayload)
	}
	if pending.missing--; pending.missing > 0 {
		return nil
	}
	c.dropAttachments()
	if pending.wanted {
		c.client.inbound.push(pending.event)
	}
	return nil
}

// dropAttachments stops waiting, at the last attachment or at the end.
func (c *connection) dropAttachments() {
	if c.pending != nil {
		c.pending.timeout.Stop()
		c.pending = nil
	}
}
