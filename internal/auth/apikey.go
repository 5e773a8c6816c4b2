package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// hashed marks a secret that is configured by its digest.
const hashed = "sha256="

// APIKeys are the keys of the REST API. The zero value has none.
type APIKeys struct{ keys []apiKey }

type apiKey struct {
	digest    [sha256.Size]byte // of the secret
	principal *Principal
}

// ParseAPIKeys reads keys, separated by commas:
//
//	<name>:<secret>:<scopes>:<workspaces>
//
// Scopes (publish, read, admin) and workspaces are joined by +; a workspace is an id, a prefix
// with * at its end, or *. A secret is plain, or "sha256=" and its digest in hexadecimal.
// Errors name the key, never its secret.
func ParseAPIKeys(text string) (APIKeys, error) {
	var keys APIKeys
	for i, entry := range strings.Split(text, ",") {
		key, err := parseAPIKey(entry)
		if err != nil {
			return APIKeys{}, fmt.Errorf("the key at place %d: %w", i+1, err)
		}
		if slices.ContainsFunc(keys.keys, func(k apiKey) bool { return k.principal.Subject == key.principal.Subject }) {
			return APIKeys{}, fmt.Errorf("the key at place %d: the name %s is another's", i+1, key.principal.Subject)
		}
		if slices.ContainsFunc(keys.keys, func(k apiKey) bool { return k.digest == key.digest }) {
			return APIKeys{}, fmt.Errorf("the key at place %d: the secret is another's", i+1)
		}
		keys.keys = append(keys.keys, key)
	}
	return keys, nil
}

func parseAPIKey(entry string) (apiKey, error) {
	fields := strings.Split(entry, ":")
	if len(fields) != 4 {
		return apiKey{}, errors.New("must be <name>:<secret>:<scopes>:<workspaces>")
	}
	name, secret := fields[0], fields[1]
	if !isKeyName(name) {
		return apiKey{}, errors.New("its name must be 1 to 64 characters of A-Z a-z 0-9 . _ -")
	}
	key := apiKey{principal: &Principal{Subject: name, key: true}}
	var err error
	if key.digest, err = digestOf(secret); err != nil {
		return apiKey{}, err
	}
	workspaces, err := parseWorkspaces(fields[3])
	if err != nil {
		return apiKey{}, err
	}
	return key, key.principal.grant(fields[2], workspaces)
}

func digestOf(secret string) ([sha256.Size]byte, error) {
	text, isDigest := strings.CutPrefix(secret, hashed)
	if !isDigest {
		if secret == "" {
			return [sha256.Size]byte{}, errors.New("its secret is empty")
		}
		return sha256.Sum256([]byte(secret)), nil
	}
	digest, err := hex.DecodeString(text)
	if err != nil || len(digest) != sha256.Size {
		return [sha256.Size]byte{}, errors.New("sha256= must be followed by 64 hexadecimal digits")
	}
	return [sha256.Size]byte(digest), nil
}

func parseWorkspaces(text string) (rooms, error) {
	var all rooms
	for workspace := range strings.SplitSeq(text, "+") {
		p, err := parsePart("workspace", workspace)
		if err != nil {
			return nil, fmt.Errorf("its %w", err)
		}
		all = append(all, pattern{workspace: p, app: part{prefix: true}})
	}
	return all, nil
}

func (p *Principal) grant(scopes string, workspaces rooms) error {
	for scope := range strings.SplitSeq(scopes, "+") {
		switch scope {
		case "publish":
			p.publish = workspaces
		case "read":
			p.read = workspaces
		case "admin":
			p.admin = true
		default:
			return errors.New("its scopes must be of publish, read and admin, joined by +")
		}
	}
	return nil
}

func isKeyName(name string) bool {
	if name == "" || len(name) > 64 {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
	})
}

// Len is how many keys there are.
func (k APIKeys) Len() int { return len(k.keys) }

// Find returns whose secret this is, nil if it is nobody's. It takes as long for each: what is
// compared are digests, and all of them.
func (k APIKeys) Find(secret string) *Principal {
	digest := sha256.Sum256([]byte(secret))
	var found *Principal
	for _, key := range k.keys {
		if subtle.ConstantTimeCompare(digest[:], key.digest[:]) == 1 {
			found = key.principal
		}
	}
	return found
}

// Format shows every verb of fmt the keys as Describe does.
func (k APIKeys) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, strings.Join(k.Describe(), "; "))
}

// Describe says of each key its name and what it may, never its secret.
func (k APIKeys) Describe() []string {
	var lines []string
	for _, key := range k.keys {
		lines = append(lines, key.principal.describe())
	}
	return lines
}

func (p *Principal) describe() string {
	var may []string
	if p.publish != nil {
		may = append(may, "publishes to "+p.publish.String())
	}
	if p.read != nil {
		may = append(may, "reads "+p.read.String())
	}
	if p.admin {
		may = append(may, "sees /metrics")
	}
	return p.Subject + " " + strings.Join(may, ", ")
}
