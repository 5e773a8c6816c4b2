package rest

import (
	"crypto/rand"
	"net/http"
	"strconv"
	"sync/atomic"
)

const (
	requestIDHeader = "X-Request-Id"
	maxRequestID    = 128
)

// requestIDs name requests whose callers do not: a random prefix and a number, since they are
// to be told apart and not to be kept from guessing.
type requestIDs struct {
	prefix string
	last   *atomic.Uint64
}

func newRequestIDs() requestIDs {
	return requestIDs{prefix: rand.Text()[:12] + "-", last: new(atomic.Uint64)}
}

// of is the caller's id if it can stand in a log and a URI as it is, else a new one.
func (i requestIDs) of(r *http.Request) string {
	id := r.Header.Get(requestIDHeader)
	if id == "" || len(id) > maxRequestID {
		return i.next()
	}
	for at := range len(id) {
		if !unreserved(id[at]) {
			return i.next()
		}
	}
	return id
}

func (i requestIDs) next() string { return i.prefix + strconv.FormatUint(i.last.Add(1), 10) }

// unreserved is RFC 3986, section 2.3.
func unreserved(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	return c == '.' || c == '_' || c == '~' || c == '-'
}
