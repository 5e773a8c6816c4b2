package hub

import "github.com/roomcast/roomcast/internal/event"

// Member is a connection as the hub sees it.
type Member interface {
	// Send writes or queues the batch and never blocks. Calls come from one goroutine.
	Send(batch *event.Batch)
	// Close ends the connection; it never blocks.
	Close(reason string)
}
