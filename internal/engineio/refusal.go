package engineio

import (
	"fmt"
	"net/http"
	"strconv"
)

// refusal is an answer from the protocol's error table, or our own for a full server.
type refusal struct {
	code    int
	status  int // for plain requests; an upgrade is refused with 400, or 503 or 429 for one too many
	message string
	cause   string // for metrics
}

var (
	refuseTransport    = &refusal{0, http.StatusBadRequest, "Transport unknown", "transport_unknown"}
	refuseSession      = &refusal{1, http.StatusBadRequest, "Session ID unknown", "session_unknown"}
	refuseMethod       = &refusal{2, http.StatusBadRequest, "Bad handshake method", "bad_method"}
	refuseRequest      = &refusal{3, http.StatusBadRequest, "Bad request", "bad_request"}
	refuseOrigin       = &refusal{4, http.StatusForbidden, "Forbidden", "origin"}
	refuseRevision     = &refusal{5, http.StatusBadRequest, "Unsupported protocol version", "revision"}
	refuseFull         = &refusal{4, http.StatusServiceUnavailable, "Too many sessions", "full"}
	refuseHurry        = &refusal{4, http.StatusServiceUnavailable, "Too many handshakes", "handshake_rate"}
	refuseAddress      = &refusal{4, http.StatusTooManyRequests, "Too many sessions of one address", "address"}
	refuseAddressHurry = &refusal{4, http.StatusTooManyRequests, "Too many handshakes of one address", "address_rate"}
	refuseURL          = &refusal{3, http.StatusRequestURITooLong, "URL too long", "url"}
	refuseStopping     = &refusal{4, http.StatusServiceUnavailable, "Server is shutting down", "stopping"}
)

// passes reports whether the same request may be answered otherwise later.
func (r *refusal) passes() bool {
	return r.status == http.StatusServiceUnavailable || r.status == http.StatusTooManyRequests
}

// refuse is the only way an error leaves this package over HTTP.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, why *refusal) {
	s.options.Observer.Refused(why.cause)
	if why.passes() {
		w.Header().Set("Retry-After", "5")
	}
	if isUpgrade(r) {
		refuseUpgrade(w, why)
		return
	}
	body := fmt.Sprintf(`{"code":%d,"message":%q}`, why.code, why.message)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(why.status)
	_, _ = w.Write([]byte(body))
}

// refuseUpgrade answers as the reference does: the message as text, status 400 whatever
// the code, and the connection dropped.
func refuseUpgrade(w http.ResponseWriter, why *refusal) {
	status := http.StatusBadRequest
	if why.passes() {
		status = why.status
	}
	w.Header().Set("Connection", "close")
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("Content-Length", strconv.Itoa(len(why.message)))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(why.message))
}

// answerEmpty ends a polling request that broke the protocol.
func answerEmpty(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(status)
}
