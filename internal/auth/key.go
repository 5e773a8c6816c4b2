package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// MinSecret is the length of the shortest secret for tokens, in bytes: as long as what HS256
// makes of it (RFC 7518, section 3.2).
const MinSecret = 32

// minRSA is the length of the shortest RSA key, in bits (RFC 7518, section 3.3).
const minRSA = 2048

// Key is what signatures of tokens are verified by. Its kind decides which algorithms are
// accepted, never the token: else whoever knows a public key could use its bytes as the
// secret of HS256.
type Key struct {
	id         string // kid; empty where there is none
	algorithms []string
	key        any // as golang-jwt takes it
}

// SecretKey is a key for HS256, HS384 and HS512.
func SecretKey(secret []byte) (Key, error) {
	if len(secret) < MinSecret {
		return Key{}, fmt.Errorf("must be at least %d bytes long", MinSecret)
	}
	return Key{algorithms: []string{"HS256", "HS384", "HS512"}, key: secret}, nil
}

// PublicKey is a key for the algorithms of its kind.
func PublicKey(public crypto.PublicKey) (Key, error) {
	switch public := public.(type) {
	case *rsa.PublicKey:
		if public.N.BitLen() < minRSA {
			return Key{}, fmt.Errorf("an RSA key of %d bits is too short, it must have %d", public.N.BitLen(), minRSA)
		}
		return Key{algorithms: []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, key: public}, nil
	case *ecdsa.PublicKey:
		algorithm, known := map[string]string{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}[public.Curve.Params().Name]
		if !known {
			return Key{}, fmt.Errorf("no algorithm is known for the curve %s", public.Curve.Params().Name)
		}
		return Key{algorithms: []string{algorithm}, key: public}, nil
	case ed25519.PublicKey:
		return Key{algorithms: []string{"EdDSA"}, key: public}, nil
	}
	return Key{}, errors.New("must be an RSA, ECDSA or Ed25519 key")
}

// PublicKeys reads all keys of a PEM file: public keys (PKIX, or PKCS #1 for RSA) and
// certificates. A private key is refused: it has no business on a server that only verifies.
func PublicKeys(text []byte) ([]Key, error) {
	var keys []Key
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		public, err := publicKeyOf(block)
		if err != nil {
			return nil, err
		}
		key, err := PublicKey(public)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("holds no key in PEM form")
	}
	return keys, nil
}

func publicKeyOf(block *pem.Block) (crypto.PublicKey, error) {
	var public crypto.PublicKey
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		public, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		public, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var certificate *x509.Certificate
		if certificate, err = x509.ParseCertificate(block.Bytes); err == nil {
			public = certificate.PublicKey
		}
	default:
		return nil, fmt.Errorf("holds a block of type %q, where a PUBLIC KEY is due", block.Type)
	}
	if err != nil {
		return nil, errors.New("holds a public key that cannot be read")
	}
	return public, nil
}

// IsSecret reports whether the key can also make tokens.
func (k Key) IsSecret() bool {
	_, secret := k.key.([]byte)
	return secret
}

// serves reports whether the key may have signed a token that names this algorithm and id.
func (k Key) serves(algorithm, id string) bool {
	return slices.Contains(k.algorithms, algorithm) && (id == "" || k.id == "" || k.id == id)
}

// Algorithms are those that the key serves, with spaces between.
func (k Key) Algorithms() string { return strings.Join(k.algorithms, " ") }

// Format shows no verb of fmt more than the algorithms: a key may be a secret.
func (k Key) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, k.Algorithms()) }
