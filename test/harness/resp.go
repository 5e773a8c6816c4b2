package harness

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

var (
	errPartial = errors.New("the reply is not complete")
	errReply   = errors.New("not a reply in the second revision of Redis' protocol")
)

// replyLength is the length of the first reply in the text, elements included.
func replyLength(text []byte) (int, error) {
	end := bytes.Index(text, []byte("\r\n"))
	if end < 0 {
		return 0, errPartial
	}
	length := end + len("\r\n")
	switch text[0] {
	case '+', '-', ':':
		return length, nil
	case '$', '*':
	default:
		return 0, errReply
	}
	count, err := strconv.Atoi(string(text[1:end]))
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errReply, err)
	}
	if text[0] == '$' {
		if count >= 0 { // -1 is nil, without any content
			length += count + len("\r\n")
		}
		if length > len(text) {
			return 0, errPartial
		}
		return length, nil
	}
	for range count {
		element, err := replyLength(text[length:])
		if err != nil {
			return 0, err
		}
		length += element
	}
	return length, nil
}

// isSubscription reports whether a reply confirms a subscription.
func isSubscription(reply []byte) bool {
	return bytes.HasPrefix(reply, []byte("*3\r\n$9\r\nsubscribe\r\n"))
}

// isPublication reports whether a reply is a message on the channel that begins as Roomcast's
// publications do, one or several, not a heartbeat or word of a claim.
func isPublication(reply []byte) bool {
	channel, ours := bytes.CutPrefix(reply, []byte("*3\r\n$7\r\nmessage\r\n"))
	if !ours {
		return false
	}
	length, err := replyLength(channel)
	if err != nil {
		return false
	}
	_, payload, found := bytes.Cut(channel[length:], []byte("\r\n"))
	return found && (bytes.HasPrefix(payload, []byte("P ")) || bytes.HasPrefix(payload, []byte("B ")))
}
