// Package auth says who a caller is and what it may: from tokens (JSON Web Tokens, RFC 7519)
// and from the keys of the REST API.
//
// A token's permissions are two claims, each a list of "<workspace>/<app>":
//
//	{"sub":"u1","exp":1790000000,"read":["acme/*"],"publish":["acme/board-7"]}
//
// Whatever cannot be read with certainty permits nothing.
package auth

import (
	"strings"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

// Principal is a caller that is known, and what it may. It is not changed once made.
type Principal struct {
	// Subject tells callers apart: of a token its subject, of a key its name. The two never
	// meet: see Owner. Empty for everyone, where there is no identity.
	Subject string
	// Expires is when a token no longer holds; zero for what does not expire.
	Expires time.Time

	key           bool // of the REST API, not a token
	admin         bool
	read, publish rooms
}

// Everyone is who every caller is where nobody is asked: it may all.
func Everyone() *Principal {
	all := rooms{{workspace: part{prefix: true}, app: part{prefix: true}}}
	return &Principal{admin: true, read: all, publish: all}
}

// CanRead reports whether the principal may hear a room and what it was.
func (p *Principal) CanRead(room event.Room) bool { return p != nil && p.read.cover(room) }

// CanPublish reports whether the principal may publish to a room.
func (p *Principal) CanPublish(room event.Room) bool { return p != nil && p.publish.cover(room) }

// IsAdmin reports whether the principal may see what operators see.
func (p *Principal) IsAdmin() bool { return p != nil && p.admin }

// Owner names whom something belongs to that is kept under a name: a key and a token of one
// name are two owners. Empty for everyone.
func (p *Principal) Owner() string {
	switch {
	case p == nil || p.Subject == "":
		return ""
	case p.key:
		return "key:" + p.Subject
	}
	return "sub:" + p.Subject
}

// Refusal is why a caller is not let in, in words for the caller.
type Refusal struct {
	// Code is stable, such as "auth/token-expired".
	Code    string
	Message string
	cause   error // for the log; nil where the code says it all
}

func (r *Refusal) Error() string { return r.Code + ": " + r.Message }

// Unwrap is what went wrong beneath, never for the caller.
func (r *Refusal) Unwrap() error { return r.cause }

// The codes of refusals. They are part of the wire contract.
const (
	CodeRequired    = "auth/required"             // no token and no key
	CodeMalformed   = "auth/token-malformed"      // not a token, or too long
	CodeAlgorithm   = "auth/token-algorithm"      // none, or of no key that is configured
	CodeSignature   = "auth/token-signature"      // tampered with, or of another key
	CodeExpired     = "auth/token-expired"        //
	CodeEarly       = "auth/token-not-yet-valid"  //
	CodeNoExpiry    = "auth/token-without-expiry" //
	CodeIssuer      = "auth/token-issuer"         //
	CodeAudience    = "auth/token-audience"       //
	CodeClaims      = "auth/token-claims"         // subject or permissions cannot be read
	CodeSubject     = "auth/token-subject"        // a later token is somebody else's
	CodeSessions    = "auth/too-many-sessions"    // of one subject
	CodeForbidden   = "auth/forbidden"            // known, and not permitted
	CodeKey         = "auth/key"                  // a key of the REST API that is none
	CodeUnavailable = "auth/unavailable"          // the keys cannot be had at the moment
)

func refuse(code, message string) *Refusal { return &Refusal{Code: code, Message: message} }

// Bearer is the token or key in the value of an Authorization header (RFC 6750, section 2.1).
func Bearer(authorization string) (token string, ok bool) {
	const scheme = "Bearer "
	if len(authorization) <= len(scheme) || !strings.EqualFold(authorization[:len(scheme)], scheme) {
		return "", false
	}
	return strings.TrimSpace(authorization[len(scheme):]), true
}
