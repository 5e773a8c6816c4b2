package load

import "time"

// Dialogue is one client's side of a protocol of text messages over a websocket. Its
// methods are called by one goroutine at a time.
type Dialogue interface {
	// Target is the path and query of the websocket.
	Target() string
	// Opened is called when a connection is there, a new one after each loss.
	Opened(l *Link) error
	// Message takes one message; text is good until it returns. An error ends the connection.
	Message(l *Link, text []byte) error
}

// Link is what a dialogue does on its connection.
type Link struct {
	client *client
	send   func(text []byte) error
	joined bool

	overdue *time.Timer // ends the connection unless it has joined
}

// Say sends one message.
func (l *Link) Say(text []byte) error { return l.send(text) }

// Joined says that the client is in all its rooms, and whether its session was continued.
func (l *Link) Joined(recovered bool) {
	if !l.joined {
		l.joined = true
		l.overdue.Stop()
		l.client.joined(recovered)
	}
}

// Delivered takes an update of the client's room with an index, or -1 where the client has
// one room alone; text is, or holds, the data that a Publisher has made.
func (l *Link) Delivered(room int, text []byte) { l.client.delivered(room, text) }

// Ordered takes the place in the server's sequence of the update that was delivered.
func (l *Link) Ordered(sequence uint64) { l.client.ordered(sequence) }

// Resync says that the server could not prove that nothing is missing.
func (l *Link) Resync() { l.client.tally.resyncs.Add(1) }
