package rest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/roomcast/roomcast/internal/auth"
	"github.com/roomcast/roomcast/internal/event"
)

const (
	keyHeader      = "Idempotency-Key"
	replayedHeader = "Idempotency-Replayed"

	// maxKey bounds a caller's key, in characters.
	maxKey = 255

	// remember is how long the store knows the id of a publication without a key: far longer
	// than this server tries one, so that no retry ever counts as a second publication.
	remember = 60 * time.Second
	// rememberKey is how long it knows one with a key: time for a caller to find out that it
	// has no answer, also by way of its own restart.
	rememberKey = 10 * time.Minute
)

// idempotency is what makes a request safe to send again. The zero value is that of a
// caller who sent no key: each of its requests is another publication.
type idempotency struct {
	owner string // whom the key belongs to; somebody else's same key is another one
	key   string
	route string // of the request, by its label
}

// idempotencyOf reads the caller's key.
func idempotencyOf(r *http.Request, caller *auth.Principal, route string) (idempotency, error) {
	values := r.Header.Values(keyHeader)
	switch len(values) {
	case 0:
		return idempotency{}, nil
	case 1:
	default:
		return idempotency{}, badKey("is sent more than once")
	}
	key, err := parseKey(values[0])
	if err != nil {
		return idempotency{}, err
	}
	return idempotency{owner: caller.Owner(), key: key, route: route}, nil
}

// parseKey takes a key as it is or as the quoted string of a structured field (RFC 8941),
// which is how the IETF's draft of this header spells it: "k" is the key k.
func parseKey(value string) (string, error) {
	key := value
	if value != "" && value[0] == '"' {
		var closed bool
		if key, closed = unquote(value[1:]); !closed {
			return "", badKey("begins with a quotation mark and is no quoted string")
		}
	}
	if key == "" {
		return "", badKey("must not be empty")
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return "", badKey("may hold only visible ASCII characters")
		}
	}
	if len(key) > maxKey { // last, when a byte is known to be a character
		return "", badKey(fmt.Sprintf("is longer than %d characters", maxKey))
	}
	return key, nil
}

// unquote reads up to a closing quotation mark, which must be the end of text.
func unquote(text string) (unquoted string, closed bool) {
	var plain []byte
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			return string(plain), i == len(text)-1
		case '\\':
			i++
			if i == len(text) || text[i] != '"' && text[i] != '\\' {
				return "", false
			}
			plain = append(plain, text[i])
		default:
			plain = append(plain, c)
		}
	}
	return "", false
}

func badKey(reason string) error {
	return invalid(fault{Header: keyHeader, Detail: keyHeader + " " + reason})
}

// publication is the delivery under an id: one that the caller can meet again with its
// key, or one that nobody uses twice.
func (i idempotency) publication(d delivery) event.Publication {
	p := event.Publication{ID: rand.Text(), Remember: remember, Room: d.room, Object: d.object()}
	if i.key != "" {
		p.ID = digest(i.owner, i.key)
		p.Fingerprint = digest(i.route, d.room.String(), p.Object)
		p.Remember = rememberKey
	}
	return p
}

// explain is the error of a publication as this caller may see it. Without a key nobody
// can have used its id, so what says otherwise is a fault of the server.
func (i idempotency) explain(err error) error {
	if i.key == "" || !errors.Is(err, event.ErrIDReused) {
		return err
	}
	return &failure{kind: keyReused, detail: keyHeader + " was used for another update, this one needs a key of its own"}
}

// mark tells a caller with a key that the update had been published before.
func (i idempotency) mark(header http.Header, receipt event.Receipt) {
	if i.key != "" && receipt.Duplicate {
		header.Set(replayedHeader, "true")
	}
}

// digest stands for parts in the alphabet and the length of rand.Text, whatever is in
// them. Each part is led by its length, so that none can pass for two. All instances of a
// channel must agree on it, also while one version takes over from another.
func digest(parts ...string) string {
	hash := sha256.New()
	for _, part := range parts {
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		hash.Write([]byte(part))
	}
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(hash.Sum(nil)[:16])
}
