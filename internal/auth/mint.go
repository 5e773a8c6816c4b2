package auth

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Grant is what a token is to say.
type Grant struct {
	Subject, Name    string
	Read, Publish    []string // "<workspace>/<app>", either part an id, a prefix with * at its end, or *
	Issuer, Audience string   // empty: none
	Lifetime         time.Duration
}

var errNotSecret = errors.New("tokens are only made with a secret")

// Mint makes a token, signed with a secret by HS256. What Verify would refuse is not made.
func Mint(key Key, grant Grant) (string, error) {
	secret, ok := key.key.([]byte)
	if !ok {
		return "", errNotSecret
	}
	for name, entries := range map[string][]string{"read": grant.Read, "publish": grant.Publish} {
		if len(entries) > maxRooms {
			return "", fmt.Errorf("%s must have at most %d entries", name, maxRooms)
		}
		for _, entry := range entries {
			if _, err := parsePattern(entry); err != nil {
				return "", fmt.Errorf("%s: %q: %s", name, entry, reasonOf(err))
			}
		}
	}
	if err := checkSubject(grant.Subject); err != nil {
		return "", err
	}
	now := time.Now()
	said := jwt.MapClaims{
		"sub": grant.Subject, "iat": now.Unix(), "exp": now.Add(grant.Lifetime).Unix(), "jti": rand.Text(),
		"read": grant.Read, "publish": grant.Publish,
	}
	for name, value := range map[string]string{"name": grant.Name, "iss": grant.Issuer, "aud": grant.Audience} {
		if value != "" {
			said[name] = value
		}
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, said).SignedString(secret)
}
