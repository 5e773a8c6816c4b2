// Package continuity judges what clients wrote down against what was published: whether an
// update was lost, came twice, or came out of order, and whether whoever lost something was
// told so before going on. It knows nothing of how the two came about, so real clients and
// models are judged alike.
package continuity

// Publication is what the publisher of an update knows of it. Updates are numbered per
// room. Sequences rise from epoch to epoch, so they alone say what came before what.
type Publication struct {
	Room     int
	Number   int
	Sequence uint64 // 0 while it is not acknowledged: then it may have been published or not
}

// Kind is what an entry of a log is about.
type Kind uint8

// The order is that of the numbers in test/clients/crowd.js.
const (
	Connected    Kind = iota // Recovered says whether the session was continued
	Disconnected             // Text is the client's reason
	ConnectError             // Text is the client's message
	Answered                 // a SUBSCRIBE, with the position from which on updates are due
	Refused                  // a SUBSCRIBE; Text is the code
	Updated
	Resynced // Text is the reason
)

// Entry is one thing that happened to a client. Which fields count depends on the kind.
type Entry struct {
	Kind      Kind
	Recovered bool
	Room      int
	Number    int
	Sequence  uint64
	Text      string
}

// Log is all that happened to one client, in order.
type Log struct {
	Client  string
	Entries []Entry
}
