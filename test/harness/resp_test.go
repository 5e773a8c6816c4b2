package harness

import (
	"errors"
	"testing"
)

const (
	subscription = "*3\r\n$9\r\nsubscribe\r\n$11\r\nsocketevent\r\n:1\r\n"
	publication  = "*3\r\n$7\r\nmessage\r\n$11\r\nsocketevent\r\n$20\r\nP 2 1 e w/a\n{\"\r\n\":1}\r\n"
	heartbeat    = "*3\r\n$7\r\nmessage\r\n$11\r\nsocketevent\r\n$7\r\nH i e 2\r\n"
)

func TestRepliesAreToldApart(t *testing.T) {
	for text, want := range map[string]struct{ subscription, publication bool }{
		"+OK\r\n":                   {},
		"-ERR no\r\n":               {},
		":12\r\n":                   {},
		"$-1\r\n":                   {},
		"$0\r\n\r\n":                {},
		"*-1\r\n":                   {},
		"*0\r\n":                    {},
		"*2\r\n*1\r\n:1\r\n$-1\r\n": {},
		"$3\r\n\r\n+\r\n":           {},
		subscription:                {subscription: true},
		publication:                 {publication: true},
		heartbeat:                   {},
		// The object of a publication that somebody reads as a command's answer.
		"$20\r\nP 2 1 e w/a\n{\"\r\n\":1}\r\n": {},
	} {
		for cut := range text {
			if _, err := replyLength([]byte(text[:cut])); !errors.Is(err, errPartial) {
				t.Errorf("%q: %v, want a partial reply", text[:cut], err)
			}
		}
		length, err := replyLength([]byte(text + "+more"))
		if err != nil || length != len(text) {
			t.Errorf("%q has the length %d, %v", text, length, err)
		}
		if isSubscription([]byte(text)) != want.subscription || isPublication([]byte(text)) != want.publication {
			t.Errorf("%q is taken for something else", text)
		}
	}
	for _, text := range []string{"%1\r\n", "OK\r\n", "$x\r\n", "*1\r\n!\r\n", "\r\n"} {
		if _, err := replyLength([]byte(text)); !errors.Is(err, errReply) {
			t.Errorf("%q: %v, want no reply", text, err)
		}
	}
}
