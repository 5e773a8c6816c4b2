package config

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/roomcast/roomcast/internal/auth"
)

// accessForm is what of Access is only read once all variables are known.
type accessForm struct {
	keyFiles []string
	apiKeys  string
}

func accessVariables() []spec {
	const shortest, longest = 0, 10 * time.Minute
	return []spec{
		row("ROOMCAST_AUTH", AuthJWT, "", "Who may read and publish. `jwt`: who shows a token, for which one of the three keys below has to be set. "+
			"`none`: everyone who can reach this server",
			choice(func(d *draft) *string { return &d.Access.Auth }, AuthJWT, AuthNone)),
		secret(row("ROOMCAST_JWT_SECRET", "", "", "Secrets of tokens signed with HS256, HS384 or HS512; several while one takes over from another",
			secrets())),
		row("ROOMCAST_JWT_PUBLIC_KEY_FILE", "", "", "Files with the public keys of tokens signed with RS, PS, ES or EdDSA; a file may hold several",
			keyFiles()),
		secret(row("ROOMCAST_JWKS_URL", "", "", "Where the public keys of tokens are published (RFC 7517); "+
			"fetched every ten minutes, and when a token names a key that is not known",
			jwks())),
		row("ROOMCAST_JWT_ISSUER", "", "", "The `iss` that tokens must have; unset: any",
			anyText(func(d *draft) *string { return &d.Access.Tokens.Issuer })),
		row("ROOMCAST_JWT_AUDIENCE", "", "", "The `aud` that tokens must have, among others; unset: any",
			anyText(func(d *draft) *string { return &d.Access.Tokens.Audience })),
		row("ROOMCAST_JWT_LEEWAY", "5s", "duration", "How far the clock of whoever makes tokens may be off",
			duration(shortest, longest, func(d *draft) *time.Duration { return &d.Access.Tokens.Leeway })),
		row("ROOMCAST_TOKEN_NOTICE", "1m", "duration", "How long before its token expires a client is warned",
			duration(shortest, longest, func(d *draft) *time.Duration { return &d.Access.Tokens.Notice })),
		row("ROOMCAST_TOKEN_GRACE", "25s", "duration", "How long after its token has expired a connection is closed",
			duration(shortest, longest, func(d *draft) *time.Duration { return &d.Access.Tokens.Grace })),
		secret(row("ROOMCAST_API_KEYS", "", "", "Keys of backends for the REST API, each `<name>:<secret>:<scopes>:<workspaces>`: "+
			"scopes of `publish`, `read` and `admin`, and workspaces (`*` and `acme-*` too), are joined by `+`; "+
			"instead of a secret its digest may stand, `sha256=<hex>`",
			apiKeys())),
		row("ROOMCAST_ALLOWED_ORIGINS", "", "", "Pages that may connect from a browser; unset: those of this server's own origin",
			origins()),
	}
}

// secrets are split at commas and kept as they stand: a space may be part of one.
func secrets() rule {
	allowed := fmt.Sprintf("secrets of at least %d bytes with commas between", auth.MinSecret)
	return rule{allowed, func(d *draft, text string) bool {
		for secret := range strings.SplitSeq(text, ",") {
			key, err := auth.SecretKey([]byte(secret))
			if err != nil {
				return false
			}
			d.Access.Tokens.Keys = append(d.Access.Tokens.Keys, key)
		}
		return true
	}}
}

func keyFiles() rule {
	return rule{"files with public keys in PEM form, with commas between", func(d *draft, text string) bool {
		d.access.keyFiles = list(text)
		return true
	}}
}

func apiKeys() rule {
	return rule{"keys with commas between", func(d *draft, text string) bool {
		d.access.apiKeys = text
		return true
	}}
}

// jwks takes a URL over which nobody on the way can slip in a key of his own.
func jwks() rule {
	return rule{"an https:// URL, or http:// on this machine", func(d *draft, text string) bool {
		d.Access.Tokens.JWKS = text
		u, err := url.Parse(text)
		return err == nil && hostName(u.Hostname()) && u.User == nil && u.Fragment == "" &&
			(u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()))
	}}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// checkAuth refuses to be open by accident, and keys that nobody would look at.
func (d *draft) checkAuth(add func(variable, reason string)) {
	ofTokens := []string{"ROOMCAST_JWT_SECRET", "ROOMCAST_JWT_PUBLIC_KEY_FILE", "ROOMCAST_JWKS_URL"}
	if d.Access.Auth == AuthNone {
		for _, variable := range append(ofTokens, "ROOMCAST_API_KEYS") {
			if d.isSet(variable) {
				add(variable, "would be ignored with ROOMCAST_AUTH=none, which lets everyone read and change every app; unset one of the two")
			}
		}
		return
	}
	d.readKeyFiles(add)
	if d.access.apiKeys != "" {
		keys, err := auth.ParseAPIKeys(d.access.apiKeys)
		if err != nil {
			add("ROOMCAST_API_KEYS", err.Error())
		}
		d.Access.APIKeys = keys
	}
	if !slices.ContainsFunc(ofTokens, d.isSet) {
		add("ROOMCAST_AUTH", "no key for tokens is set: "+
			"set "+ofTokens[0]+" (32 bytes or more, such as from openssl rand -base64 32), "+ofTokens[1]+" or "+ofTokens[2]+
			"; or, if everyone who can reach this server may read and change every app, ROOMCAST_AUTH=none")
	}
}

func (d *draft) isSet(variable string) bool {
	_, set := d.given[variable]
	return set
}

func (d *draft) readKeyFiles(add func(variable, reason string)) {
	for _, name := range d.access.keyFiles {
		text, err := os.ReadFile(name)
		if err != nil {
			add("ROOMCAST_JWT_PUBLIC_KEY_FILE", "cannot be read: "+err.Error())
			continue
		}
		keys, err := auth.PublicKeys(text)
		if err != nil {
			add("ROOMCAST_JWT_PUBLIC_KEY_FILE", name+" "+err.Error())
			continue
		}
		d.Access.Tokens.Keys = append(d.Access.Tokens.Keys, keys...)
	}
}
