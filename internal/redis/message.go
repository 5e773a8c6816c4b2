package redis

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

// maxMessage bounds a message on the channel, in bytes: more than any REST body may have,
// whose largest configurable bound is 3,000,000.
const maxMessage = 4 << 20

// message is what one message on the channel says: an event, several, a claim, or else a
// heartbeat.
type message struct {
	event   *event.Event
	batch   []*event.Event
	claimed event.Claimed
	beat    event.Heartbeat
}

var (
	errTooLarge  = fmt.Errorf("message is larger than %d bytes", maxMessage)
	errHeader    = errors.New("publication has no sound header")
	errObject    = errors.New("publication holds no object")
	errBatch     = errors.New("batch of publications is not sound")
	errHeartbeat = errors.New("heartbeat is not sound")
	errClaimed   = errors.New("word of a claim is not sound")
)

// parse reads a message. Errors never hold any of its content.
func parse(text string) (message, error) {
	switch {
	case len(text) > maxMessage:
		return message{}, errTooLarge
	case strings.HasPrefix(text, "P "):
		return parsePublication(text[2:])
	case strings.HasPrefix(text, "B "):
		return parseBatch(text[2:])
	case strings.HasPrefix(text, "H "):
		return parseHeartbeat(text[2:])
	case strings.HasPrefix(text, "C "):
		return parseClaimed(text[2:])
	}
	return parseForeign(text)
}

// parsePublication reads what publish.lua wrote after "P ".
func parsePublication(text string) (message, error) {
	header, object, _ := strings.Cut(text, "\n")
	var fields [4]string
	if !split(header, fields[:]) {
		return message{}, errHeader
	}
	position, err := parsePosition(fields[2], fields[0])
	if err != nil {
		return message{}, errHeader
	}
	previous, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil || previous >= position.Sequence {
		return message{}, errHeader
	}
	room, err := event.ParseRoom(fields[3])
	if err != nil {
		return message{}, errHeader
	}
	if len(object) < len("{}") || object[0] != '{' || object[len(object)-1] != '}' {
		return message{}, errObject
	}
	return message{event: event.NewDelivery(room, position, previous, object)}, nil
}

// parseBatch reads what publish.lua wrote after "B ", in which nothing may be wrong.
func parseBatch(text string) (message, error) {
	lengths, text, _ := strings.Cut(text, "\n")
	batch := make([]*event.Event, 0, strings.Count(lengths, " ")+1)
	for length := range strings.SplitSeq(lengths, " ") {
		n, err := strconv.ParseUint(length, 10, 32)
		if err != nil || n > uint64(len(text)) {
			return message{}, errBatch
		}
		// Of its own memory, or each would keep the others for as long as it is kept itself.
		one, rest := strings.Clone(text[:n]), text[n:]
		publication, found := strings.CutPrefix(one, "P ")
		if !found {
			return message{}, errBatch
		}
		parsed, err := parsePublication(publication)
		if err != nil {
			return message{}, err
		}
		batch = append(batch, parsed.event)
		text = rest
	}
	if text != "" {
		return message{}, errBatch
	}
	return message{batch: batch}, nil
}

// parseHeartbeat reads what heartbeat.lua wrote after "H ".
func parseHeartbeat(text string) (message, error) {
	var fields [4]string
	if !split(text, fields[:]) || event.CheckID("instance", fields[0]) != nil {
		return message{}, errHeartbeat
	}
	const most = math.MaxInt64 / int64(time.Microsecond)
	sent, err := strconv.ParseUint(fields[1], 10, 63)
	if err != nil || sent > uint64(most) {
		return message{}, errHeartbeat
	}
	position, err := parsePosition(fields[2], fields[3])
	if err != nil {
		return message{}, errHeartbeat
	}
	return message{beat: event.Heartbeat{
		Instance: fields[0], Sent: time.Duration(sent) * time.Microsecond, Position: position,
	}}, nil
}

// parseClaimed reads what claim.lua wrote after "C ".
func parseClaimed(text string) (message, error) {
	var fields [2]string
	if !split(text, fields[:]) || !event.CheckDigest(fields[0]) {
		return message{}, errClaimed
	}
	generation, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil || generation == 0 {
		return message{}, errClaimed
	}
	return message{claimed: event.Claimed{Digest: fields[0], Generation: generation}}, nil
}

func parsePosition(epoch, sequence string) (event.Position, error) {
	return event.ParsePosition(epoch + ":" + sequence)
}

// split cuts a header at single spaces into exactly the fields of its kind.
func split(text string, fields []string) bool {
	last := len(fields) - 1
	for i := range last {
		var found bool
		if fields[i], text, found = strings.Cut(text, " "); !found {
			return false
		}
	}
	fields[last] = text
	return !strings.Contains(text, " ")
}
