package eio3

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/roomcast/roomcast/internal/engineio"
	"github.com/roomcast/roomcast/internal/packet"
	"github.com/roomcast/roomcast/internal/session"
)

// maxJoins bounds how often one Engine.IO session asks to join the root namespace, the
// first time included. Each has the library start five goroutines and the gateway make a
// decision, for a packet of two bytes; official clients join once.
const maxJoins = 16

// Reasons a stay ends for, in the reference server's words; see engineio for others.
const (
	reasonForced = "forced close"
	reasonLeft   = "client namespace disconnect"
)

// reasonServer is our own: the fault is on this side.
const reasonServer = "server error"

var (
	errNotJoined = errors.New("packet for a namespace the client is not joined to")
	errJoined    = errors.New("CONNECT for a namespace the client is joined to")
	errRejoins   = errors.New("too many CONNECT packets")
	errShutdown  = errors.New("server shutting down")
)

// connection takes the packets of one Engine.IO session and keeps the state of the
// protocol: nothing reaches the library that is malformed or out of place. A client is
// joined to the root namespace unasked; there is no other namespace.
type connection struct {
	server    *Server
	transport transportSession
	// Of the handshake request, which itself is not kept.
	query         string
	authorization string
	opened        time.Time

	// Owned by the engine's reader.
	client  *client // nil while the root namespace is not joined
	pending *attachments
	joins   int
	joining *time.Timer // nil unless it was refused
	failed  bool        // closed by us, further packets are ignored
}

// Text takes one Socket.IO packet.
func (c *connection) Text(message []byte) {
	if c.failed {
		return
	}
	if err := c.take(message); err != nil {
		c.fail(err)
	}
}

// Closed ends the session. The library hears it after the events that came before.
func (c *connection) Closed(reason string) {
	c.failed = true
	c.joined()
	c.dropAttachments()
	if c.client != nil {
		c.client.inbound.end(reason)
	}
}

// fail closes the transport over a violation of the protocol; Closed follows.
func (c *connection) fail(cause error) {
	c.failed = true
	reason := reasonForced
	switch {
	case errors.Is(cause, packet.ErrMalformed):
		reason = engineio.ReasonParseError
	case errors.Is(cause, errShutdown):
		reason = engineio.ReasonShuttingDown
	}
	c.server.options.Logger.Debug("revision 4 session closed", "remote", c.transport.RemoteAddr(), "cause", cause)
	c.transport.Close(reason)
}

func (c *connection) take(message []byte) error {
	if c.pending != nil {
		return errInterleaved
	}
	p, err := packet.Decode(packet.V4, message)
	if err != nil {
		return err
	}
	switch {
	case p.Namespace != packet.Root:
		return c.takeForeign(p)
	case p.Type == packet.Connect && c.client != nil:
		return errJoined
	case p.Type == packet.Connect:
		return c.join(p.Query)
	case c.client == nil:
		return errNotJoined
	}
	switch p.Type {
	case packet.Event:
		if _, _, err := p.Arguments(); err != nil {
			return err // too many, which would look like the library's fault later
		}
		c.client.inbound.push(newInbound(p))
	case packet.BinaryEvent, packet.BinaryAck:
		return c.expectAttachments(p)
	case packet.Disconnect:
		c.leave()
	case packet.Ack:
		// We never ask for an acknowledgement; an unknown one is ignored (protocol 3.4).
	}
	return nil
}

func newInbound(p packet.Packet) inbound {
	return inbound{
		text:   rewrite(p.Data),
		ackID:  p.ID,
		hasAck: p.HasID,
		binary: p.Type == packet.BinaryEvent,
	}
}

// takeForeign refuses to join other namespaces; the connection stays.
func (c *connection) takeForeign(p packet.Packet) error {
	if p.Type != packet.Connect {
		return errNotJoined
	}
	if !utf8.ValidString(p.Namespace) {
		return fmt.Errorf("%w: namespace is not UTF-8", packet.ErrMalformed)
	}
	c.refuse(p.Namespace, "Invalid namespace")
	return nil
}

// refuse answers CONNECT with ERROR. Its payload may be any JSON in this revision: the reference
// server sends an error's data if it has some, else its message.
func (c *connection) refuse(namespace string, why any) {
	data, _ := json.Marshal(why) // strings always marshal
	refusal := packet.Packet{Type: packet.Error, Namespace: namespace, Data: packet.AppendASCII(nil, data)}
	c.transport.SendText(packet.Append(nil, refusal))
}

// join asks the gateway whether the client may join the root namespace, then either
// refuses it or hands it to the library and waits until that has sent CONNECT, so that
// a polling client gets it with its first poll.
func (c *connection) join(query string) error {
	if c.joins++; c.joins > maxJoins {
		return errRejoins
	}
	if !c.server.enter() {
		return errShutdown
	}
	handedOver := false
	defer func() {
		if !handedOver {
			c.server.leave()
		}
	}()
	joining := newClient(c.server, c.transport)
	peer, err := c.server.options.Gateway.Connect(joining, c.handshake(query))
	if err != nil {
		c.refuse(packet.Root, refusalOf(err))
		c.awaitJoin()
		return nil
	}
	joining.peer = peer
	if err := c.server.handOver(joining); err != nil {
		peer.Disconnected(reasonServer)
		return fmt.Errorf("handing a client to the library: %w", err)
	}
	handedOver = true
	<-joining.connected
	c.client = joining
	c.joined()
	return nil
}

// leave ends the client's stay in the root namespace, while the connection stays. It
// waits for the gateway to have heard of it, so that a client that joins again is never
// there twice.
func (c *connection) leave() {
	c.client.inbound.end(reasonLeft)
	<-c.client.left
	c.client = nil
}

// handshake is what the gateway decides by. Revision 4 clients add a query to the
// namespace where later ones have an auth payload.
func (c *connection) handshake(namespaceQuery string) session.Handshake {
	query, _ := url.ParseQuery(c.query) // a bad pair is left out, the others count
	extra, _ := url.ParseQuery(namespaceQuery)
	for key, values := range extra {
		query[key] = append(values, query[key]...) // the newer word goes before the older
	}
	return session.Handshake{
		Query:         query,
		Authorization: c.authorization,
		Opened:        c.opened,
		RemoteAddr:    c.transport.RemoteAddr(),
	}
}

// refusedBody has the shape that clients of revision 5 get.
type refusedBody struct {
	Message string      `json:"message"`
	Data    refusedCode `json:"data"`
}

type refusedCode struct {
	Code string `json:"code"`
}

// refusalOf is what the refused client may read.
func refusalOf(err error) any {
	var refusal *session.Refusal
	if errors.As(err, &refusal) {
		return refusedBody{Message: refusal.Message, Data: refusedCode{refusal.Code}}
	}
	return "Connection refused"
}

// awaitJoin gives a refused client until the end of its time to join all the same: else who
// was refused could stay for ever.
func (c *connection) awaitJoin() {
	if c.joining == nil {
		c.joining = time.AfterFunc(time.Until(c.opened.Add(c.server.options.ConnectTimeout)), func() {
			c.transport.Close("connect timeout")
		})
	}
}

func (c *connection) joined() {
	if c.joining != nil {
		c.joining.Stop()
		c.joining = nil
	}
}
