package harness

import (
	"encoding/json"
	"reflect"
	"sync"
	"testing"
	"time"
)

// Message is one thing that happened to a client.
type Message struct {
	Client    string            `json:"client"`
	Type      string            `json:"type"`      // connect, connect_error, disconnect, transport, event, ack
	ID        string            `json:"id"`        // of connect: the socket's id
	Engine    string            `json:"engine"`    // of connect: the Engine.IO session's id
	Transport string            `json:"transport"` // of connect and transport
	Text      string            `json:"message"`   // of connect_error and disconnect
	Code      string            `json:"code"`      // of connect_error, where the server gave one
	Name      string            `json:"name"`      // of event
	Args      []json.RawMessage `json:"args"`      // of event and ack
	Call      int               `json:"call"`      // of ack
}

// Client is one official client, connected or trying to be.
type Client struct {
	runner *Runner
	name   string

	mu      sync.Mutex
	log     []Message     // everything since the client was opened, in order
	read    int           // how much of log Await has passed
	calls   int           // asked for acks so far
	changed chan struct{} // closed and replaced with each message
}

func (c *Client) receive(message Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = append(c.log, message)
	close(c.changed)
	c.changed = make(chan struct{})
}

// Await waits for the first message that matches, after those that were awaited before.
func (c *Client) Await(t testing.TB, what string, match func(Message) bool) Message {
	t.Helper()
	timeout := time.After(Patience)
	for {
		message, changed, ok := c.next(match)
		if ok {
			return message
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("client %s waited %s in vain for %s; it saw %s", c.name, Patience, what, c.summary())
		}
	}
}

func (c *Client) next(match func(Message) bool) (Message, <-chan struct{}, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, message := range c.log[c.read:] {
		if match(message) {
			c.read += i + 1
			return message, nil, true
		}
	}
	return Message{}, c.changed, false
}

func (c *Client) summary() string {
	messages := c.Log()
	const shown = 12
	messages = messages[max(0, len(messages)-shown):]
	text, err := json.Marshal(messages)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Log is everything that happened to the client so far.
func (c *Client) Log() []Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Message(nil), c.log...)
}

// String names the client in failures.
func (c *Client) String() string { return "client " + c.name }

// AwaitConnect waits until the namespace is joined and returns the message that says so.
func (c *Client) AwaitConnect(t testing.TB) Message {
	t.Helper()
	return c.Await(t, "connect", ofType("connect"))
}

// AwaitTransport waits until the client has moved to a transport.
func (c *Client) AwaitTransport(t testing.TB, transport string) {
	t.Helper()
	Eventually(t, "client "+c.name+" uses "+transport, func() bool {
		for _, message := range c.Log() {
			if message.Type == "transport" && message.Transport == transport {
				return true
			}
		}
		return false
	})
}

// AwaitDisconnect waits until the connection is lost and returns the reason.
func (c *Client) AwaitDisconnect(t testing.TB) string {
	t.Helper()
	return c.Await(t, "disconnect", ofType("disconnect")).Text
}

// Disconnect has the client go, and not come back.
func (c *Client) Disconnect(t testing.TB) {
	t.Helper()
	c.runner.command(t, map[string]any{"do": "disconnect", "client": c.name})
}

// Disconnected reports whether the client has ever lost its connection.
func (c *Client) Disconnected() bool {
	for _, message := range c.Log() {
		if message.Type == "disconnect" {
			return true
		}
	}
	return false
}

func ofType(kind string) func(Message) bool {
	return func(m Message) bool { return m.Type == kind }
}

// Emit sends an event without asking for an ack.
func (c *Client) Emit(t testing.TB, event string, data any) {
	t.Helper()
	c.runner.command(t, map[string]any{"do": "emit", "client": c.name, "event": event, "data": data})
}

// Ask sends an `application` event with an ack callback. The answer has to come both ways,
// to the callback and as `application_response`, and to be the same.
func (c *Client) Ask(t testing.TB, data any) Reply {
	t.Helper()
	return c.ask(t, map[string]any{"data": data})
}

// AskBinary does the same with bytes.
func (c *Client) AskBinary(t testing.TB, base64 string) Reply {
	t.Helper()
	return c.ask(t, map[string]any{"binary": base64})
}

func (c *Client) ask(t testing.TB, fields map[string]any) Reply {
	t.Helper()
	c.mu.Lock()
	c.calls++
	call, mark := c.calls, c.read
	c.mu.Unlock()
	fields["do"], fields["client"], fields["event"], fields["call"] = "emit", c.name, "application", call
	c.runner.command(t, fields)

	ack := c.Await(t, "ack", func(m Message) bool { return m.Type == "ack" && m.Call == call })
	acked := decode[Reply](t, ack.Args)
	// Either may come first.
	c.mu.Lock()
	c.read = mark
	c.mu.Unlock()
	response := c.Await(t, "application_response", func(m Message) bool {
		return m.Type == "event" && m.Name == "application_response"
	})
	if said := decode[Reply](t, response.Args); !reflect.DeepEqual(said, acked) {
		t.Errorf("application_response %+v and ack %+v differ", said, acked)
	}
	return acked
}

// Subscribe joins a room and returns the reply, which has to be a success.
func (c *Client) Subscribe(t testing.TB, room Room) Reply {
	t.Helper()
	return c.membership(t, "SUBSCRIBE", room)
}

// Unsubscribe leaves a room.
func (c *Client) Unsubscribe(t testing.TB, room Room) {
	t.Helper()
	c.membership(t, "UNSUBSCRIBE", room)
}

func (c *Client) membership(t testing.TB, event string, room Room) Reply {
	t.Helper()
	reply := c.Ask(t, map[string]any{"event": event, "payload": room.payload()})
	if reply.Status != "SUCCESS" || reply.Event != event || !reflect.DeepEqual(reply.Payload, room.payload()) {
		t.Fatalf("%s of %v answered %+v", event, room, reply)
	}
	if event == "SUBSCRIBE" && reply.Position == "" {
		t.Errorf("SUBSCRIBE of %v answered no position", room)
	}
	return reply
}

// AwaitUpdate waits for the next update of a room.
func (c *Client) AwaitUpdate(t testing.TB, room Room) Update {
	t.Helper()
	message := c.Await(t, "an update of "+room.Name(), func(m Message) bool {
		return m.Type == "event" && m.Name == room.Name()
	})
	return decode[Update](t, message.Args)
}

// Updates is every update of a room so far, in the order of arrival.
func (c *Client) Updates(t testing.TB, room Room) []Update {
	t.Helper()
	var updates []Update
	for _, message := range c.Log() {
		if message.Type == "event" && message.Name == room.Name() {
			updates = append(updates, decode[Update](t, message.Args))
		}
	}
	return updates
}

// decode reads the first argument; an offset may follow it.
func decode[T any](t testing.TB, args []json.RawMessage) T {
	t.Helper()
	var value T
	if len(args) == 0 {
		t.Fatal("no argument where one was expected")
	}
	if err := json.Unmarshal(args[0], &value); err != nil {
		t.Fatalf("%s: %v", args[0], err)
	}
	return value
}
