package eio3

import (
	"sync"
	"sync/atomic"

	"github.com/roomcast/roomcast/internal/engineio"
	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/session"
)

// transportSession is what is used of an Engine.IO session. None of it blocks.
type transportSession interface {
	ID() string
	Send(out engineio.Outbound)
	SendText(message []byte)
	Close(reason string)
	RemoteAddr() string
}

// client is one stay of an Engine.IO session in the root namespace: what the gateway
// sees of it, and behind conn what the library sees. A client that leaves and joins
// again on the same transport is another client with the same id.
type client struct {
	server    *Server
	transport transportSession
	peer      session.Peer // set before the library hears of the client
	inbound   *queue

	connected chan struct{} // closed by onConnect: CONNECT has been sent
	left      chan struct{} // closed when the library has let go
	letGo     sync.Once     // closes left
	ended     atomic.Bool   // the stay is over; set before peer.Disconnected

	// Owned by the library's reader.
	current inbound // the event the library is handling, without its text
}

func newClient(s *Server, transport transportSession) *client {
	return &client{
		server:    s,
		transport: transport,
		inbound:   newQueue(s.options.MaxPayload),
		connected: make(chan struct{}),
		left:      make(chan struct{}),
	}
}

// ID is the Engine.IO session id: revision 4 clients take that for their socket id,
// whatever the server thinks.
func (c *client) ID() string { return c.transport.ID() }

// Send writes batch past the library, whose emitter stalls on one client that does not
// read and is overtaken by frames that others write.
func (c *client) Send(batch *event.Batch) {
	if !c.ended.Load() {
		c.transport.Send(batch.In(event.Escaped))
	}
}

// Close ends the transport. Events that wait for the library are dropped.
func (c *client) Close(reason string) {
	if !c.ended.Load() {
		c.kill(reason)
	}
}

func (c *client) kill(reason string) {
	c.inbound.abort(reason)
	c.transport.Close(reason)
}

// disconnected tells the gateway the end. When it was the library that ended the stay,
// on its own, the transport goes too: nobody would read it any more.
func (c *client) disconnected() {
	reason, ended := c.inbound.endReason()
	if !ended {
		reason = reasonServer
		c.kill(reason)
	}
	c.ended.Store(true)
	c.peer.Disconnected(reason)
}

// released is called when the library closes its connection; only the call that follows
// disconnected, the last thing the library does with it, means that it has let go.
func (c *client) released() {
	if !c.ended.Load() {
		return
	}
	c.letGo.Do(func() {
		close(c.left)
		c.server.leave()
	})
}
