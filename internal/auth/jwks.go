package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// jwksEvery is how often the keys are fetched, whether anything has changed or not.
	jwksEvery = 10 * time.Minute
	// jwksPause is the least time between two fetches that unknown key ids ask for: anybody
	// can invent one.
	jwksPause = 10 * time.Second
	// jwksPatience bounds how long a token waits for a fetch that may bring its key.
	jwksPatience = 3 * time.Second
	// jwksTimeout bounds a fetch, jwksBytes what it brings, jwksKeys how many of it are taken.
	jwksTimeout = 5 * time.Second
	jwksBytes   = 1 << 20
	jwksKeys    = 100
	// maxRedirects is how often the URL may lead elsewhere.
	maxRedirects = 3
	// jwksFirst and jwksLongest are the pauses after a fetch that failed, doubling.
	jwksFirst   = time.Second
	jwksLongest = time.Minute
)

var (
	errUnavailable = errors.New("the keys have not been fetched yet")
	errRedirect    = errors.New("the URL leads elsewhere too often, or to another scheme")
	errUnknownKey  = errors.New("no key has the token's kid")
)

// JWKS are keys behind a URL (RFC 7517): fetched at once, every ten minutes, and when a token
// names one that is not known. While the URL fails, the keys that were had last go on.
type JWKS struct {
	url    string
	client *http.Client
	logger *slog.Logger
	wanted chan struct{} // a fetch out of turn

	mu      sync.Mutex
	keys    []Key
	fetched time.Time     // when keys were had last, zero before the first time
	tried   time.Time     // when the last fetch began
	asking  bool          // a fetch is under way
	next    chan struct{} // closed with the end of the next fetch, or of the one under way
}

// NewJWKS makes a source that fetches nothing before Run.
func NewJWKS(url string, logger *slog.Logger) *JWKS {
	return &JWKS{
		url: url, logger: logger,
		client: &http.Client{
			Timeout: jwksTimeout, CheckRedirect: staysSecure,
			// Nothing is asked again for minutes: a connection that is kept would be nobody's.
			Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true},
		},
		wanted: make(chan struct{}, 1), next: make(chan struct{}),
	}
}

// staysSecure refuses to be sent to where somebody on the way could slip in a key.
func staysSecure(next *http.Request, before []*http.Request) error {
	if next.URL.Scheme != before[0].URL.Scheme || len(before) > maxRedirects {
		return errRedirect
	}
	return nil
}

// Run keeps the keys until ctx ends.
func (j *JWKS) Run(ctx context.Context) {
	pause := time.Duration(0)
	for {
		err := j.Fetch(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			pause = min(max(2*pause, jwksFirst), jwksLongest)
			j.logger.Warn("cannot fetch the keys for tokens, trying on", "error", err, "again_in", pause)
		default:
			pause = 0
		}
		wait := pause
		if err == nil {
			wait = jwksEvery
		}
		timer := time.NewTimer(wait + rand.N(wait/10+1)) //nolint:gosec // no secret: not all instances at once
		select {
		case <-timer.C:
		case <-j.wanted:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// Fetch gets the keys once.
func (j *JWKS) Fetch(ctx context.Context) error {
	j.mu.Lock()
	j.tried, j.asking = time.Now(), true
	j.mu.Unlock()
	keys, err := j.get(ctx)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.asking = false
	if err == nil {
		j.keys, j.fetched = keys, time.Now()
	}
	close(j.next)
	j.next = make(chan struct{})
	return err
}

func (j *JWKS) get(ctx context.Context) ([]Key, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, j.url, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := j.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is %s", response.Status)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, jwksBytes+1))
	if err != nil {
		return nil, err
	}
	if len(body) > jwksBytes {
		return nil, fmt.Errorf("the answer is longer than %d bytes", jwksBytes)
	}
	return parseJWKS(body)
}

// parseJWKS takes what keys of a set can verify signatures: one that cannot be used is no
// reason to do without the others. Secrets are left out, a set is for everybody to read.
func parseJWKS(body []byte) ([]Key, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, errors.New("the answer is no set of keys")
	}
	var keys []Key
	for _, text := range set.Keys[:min(len(set.Keys), jwksKeys)] {
		var one jose.JSONWebKey
		if one.UnmarshalJSON(text) != nil || !one.IsPublic() || one.Use != "" && one.Use != "sig" {
			continue
		}
		key, err := PublicKey(one.Key)
		if err != nil {
			continue
		}
		key.id = one.KeyID
		if one.Algorithm != "" {
			if !slices.Contains(key.algorithms, one.Algorithm) {
				continue
			}
			key.algorithms = []string{one.Algorithm}
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("the answer holds no key that can verify a signature")
	}
	return keys, nil
}

// Len is how many keys there are at the moment.
func (j *JWKS) Len() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.keys)
}

// Keys implements KeySource. A token whose key is not known has the keys fetched, at most
// every ten seconds, and waits for that.
func (j *JWKS) Keys(ctx context.Context, algorithm, id string) ([]Key, error) {
	keys, next, worth := j.look(algorithm, id)
	if len(keys) > 0 {
		return keys, nil
	}
	if worth {
		j.ask()
		ctx, cancel := context.WithTimeout(ctx, jwksPatience)
		defer cancel()
		select {
		case <-next:
		case <-ctx.Done():
		}
		keys, _, _ = j.look(algorithm, id)
	}
	switch {
	case len(keys) > 0:
		return keys, nil
	case !j.known():
		return nil, errUnavailable
	case id == "":
		return nil, errAlgorithm
	}
	return nil, errUnknownKey
}

// ask has the keys fetched out of turn, unless that was done a moment ago.
func (j *JWKS) ask() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if time.Since(j.tried) < jwksPause {
		return
	}
	select {
	case j.wanted <- struct{}{}:
	default: // somebody has asked already
	}
}

// look finds the keys that serve, and tells whether the next fetch is worth waiting for: it
// may be the first that succeeds, or bring a key id that is new. The one that is under way
// serves all who come meanwhile: after a rotation many do.
func (j *JWKS) look(algorithm, id string) (keys []Key, next <-chan struct{}, worth bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, key := range j.keys {
		if key.serves(algorithm, id) {
			keys = append(keys, key)
		}
	}
	return keys, j.next, j.fetched.IsZero() || id != "" && (j.asking || time.Since(j.tried) >= jwksPause)
}

func (j *JWKS) known() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return !j.fetched.IsZero()
}
