package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/roomcast/roomcast/internal/event"
)

const (
	// MaxToken bounds a token, in bytes, before any of it is decoded.
	MaxToken = 16 << 10
	// maxSubject bounds a subject, in bytes: it is part of a session's record.
	maxSubject = 256
)

// KeySource knows keys that may change, such as those behind a URL.
type KeySource interface {
	// Keys returns those for a token that names this algorithm and key id; the context
	// bounds looking for an id that is not known. An error says that none can be had.
	Keys(ctx context.Context, algorithm, id string) ([]Key, error)
}

// Options are what a Verifier accepts. Without a key of any kind it accepts nothing.
type Options struct {
	Keys   []Key
	Source KeySource // nil: Keys alone
	// Issuer and Audience must be those of the token, unless they are empty.
	Issuer, Audience string
	// Leeway is how far the clock of whoever makes tokens may be off.
	Leeway time.Duration
}

// Verifier turns tokens into principals. It is safe for concurrent use.
type Verifier struct {
	options Options
	parser  *jwt.Parser
}

// NewVerifier makes a Verifier.
func NewVerifier(options Options) *Verifier {
	rules := []jwt.ParserOption{
		jwt.WithLeeway(options.Leeway), jwt.WithExpirationRequired(), jwt.WithStrictDecoding(),
	}
	if options.Issuer != "" {
		rules = append(rules, jwt.WithIssuer(options.Issuer))
	}
	if options.Audience != "" {
		rules = append(rules, jwt.WithAudience(options.Audience))
	}
	return &Verifier{options: options, parser: jwt.NewParser(rules...)}
}

// claims are what is read of a token. Permissions are only looked at once the signature is
// known to be good.
type claims struct {
	jwt.RegisteredClaims
	Read    json.RawMessage `json:"read"`
	Publish json.RawMessage `json:"publish"`
}

// Verify returns whom a token was made for. The error is a *Refusal.
func (v *Verifier) Verify(ctx context.Context, token string) (*Principal, error) {
	if len(token) > MaxToken {
		return nil, refuse(CodeMalformed, "the token is too long")
	}
	var read claims
	_, err := v.parser.ParseWithClaims(token, &read, func(token *jwt.Token) (any, error) {
		return v.keysFor(ctx, token)
	})
	switch {
	case err == nil:
		return principalOf(&read)
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing) && !errors.Is(err, jwt.ErrTokenExpired):
		return nil, v.missing(&read)
	}
	return nil, refusalOf(err)
}

// missing says which claim is not there: golang-jwt has one error for all.
func (v *Verifier) missing(read *claims) *Refusal {
	switch {
	case read.ExpiresAt == nil:
		return refuse(CodeNoExpiry, "the token has no exp")
	case v.options.Issuer != "" && read.Issuer == "":
		return refuse(CodeIssuer, "the token has no iss")
	}
	return refuse(CodeAudience, "the token has no aud")
}

var errAlgorithm = errors.New("no key is configured for the token's algorithm")

// keysFor is who may have signed a token. The algorithm "none" has no key, so it is refused
// as any other that nobody has configured.
func (v *Verifier) keysFor(ctx context.Context, token *jwt.Token) (any, error) {
	algorithm := token.Method.Alg()
	id, _ := token.Header["kid"].(string)
	var keys []Key
	for _, key := range v.options.Keys {
		if key.serves(algorithm, id) {
			keys = append(keys, key)
		}
	}
	if v.options.Source != nil {
		more, err := v.options.Source.Keys(ctx, algorithm, id)
		if err != nil && len(keys) == 0 {
			return nil, err
		}
		keys = append(keys, more...)
	}
	if len(keys) == 0 {
		return nil, errAlgorithm
	}
	var set jwt.VerificationKeySet
	for _, key := range keys {
		set.Keys = append(set.Keys, key.key)
	}
	return set, nil
}

// refusalOf says what golang-jwt found wrong. A token may be wrong in several ways; what
// makes it worth least is said.
func refusalOf(err error) *Refusal {
	for _, known := range []struct {
		cause         error
		code, message string
	}{
		{errUnavailable, CodeUnavailable, "the keys for tokens cannot be had at the moment, try again"},
		{errUnknownKey, CodeSignature, "the token's signature is of no key that is known"},
		{errAlgorithm, CodeAlgorithm, "the token's algorithm is not accepted"},
		{jwt.ErrTokenMalformed, CodeMalformed, "the token cannot be read"},
		{jwt.ErrTokenUnverifiable, CodeAlgorithm, "the token's algorithm is not accepted"},
		{jwt.ErrTokenSignatureInvalid, CodeSignature, "the token's signature is not good"},
		{jwt.ErrTokenExpired, CodeExpired, "the token has expired"},
		{jwt.ErrTokenNotValidYet, CodeEarly, "the token is not valid yet"},
		{jwt.ErrTokenUsedBeforeIssued, CodeEarly, "the token is not valid yet"},
		{jwt.ErrTokenInvalidIssuer, CodeIssuer, "the token is of another issuer"},
		{jwt.ErrTokenInvalidAudience, CodeAudience, "the token is for another audience"},
	} {
		if errors.Is(err, known.cause) {
			return &Refusal{Code: known.code, Message: known.message, cause: err}
		}
	}
	return &Refusal{Code: CodeMalformed, Message: "the token cannot be read", cause: err}
}

func principalOf(read *claims) (*Principal, error) {
	if err := checkSubject(read.Subject); err != nil {
		return nil, refuse(CodeClaims, "the token's "+err.Error())
	}
	p := &Principal{Subject: strings.Clone(read.Subject), Expires: read.ExpiresAt.Time}
	for name, claim := range map[string]struct {
		value json.RawMessage
		into  *rooms
	}{"read": {read.Read, &p.read}, "publish": {read.Publish, &p.publish}} {
		var err error
		if *claim.into, err = parseClaim(claim.value); err != nil {
			return nil, refuse(CodeClaims, "the token's "+name+": "+reasonOf(err))
		}
	}
	return p, nil
}

// reasonOf is the text of an error about an entry, which names what part of it is wrong.
func reasonOf(err error) string {
	var id *event.InvalidID
	if errors.As(err, &id) {
		return "the " + id.Error() + ", and a * at its end"
	}
	return err.Error()
}

func checkSubject(subject string) error {
	switch {
	case subject == "":
		return errors.New("sub is missing")
	case len(subject) > maxSubject:
		return fmt.Errorf("sub is longer than %d bytes", maxSubject)
	case strings.ContainsFunc(subject, isControl):
		return errors.New("sub holds a control character")
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }
