package hub

import "github.com/roomcast/roomcast/internal/event"

// Member is a connection as the hub sees it.
type Member interface {
	// Send writes or queues the batch and never blocks. It is safe for concurrent use.
	Send(batch *event.Batch)
	// Close ends the connection; it never blocks.
	Close(reason string)
}
