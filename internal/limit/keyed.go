package limit

import (
	"sync"
	"time"
)

const (
	// sweepEvery is how often full buckets are forgotten: they are as if they had never been.
	sweepEvery = 10 * time.Second
	// maxKeys bounds the buckets. Past it sources share one: strangers choose keys, and must
	// not fill the memory with them.
	maxKeys = 100_000
)

// Keyed are buckets of one rate, one for each key. It is safe for concurrent use.
type Keyed struct {
	rate Rate

	mu      sync.Mutex
	buckets map[string]*Bucket
	shared  Bucket
	swept   time.Time
}

// NewKeyed makes buckets of a rate.
func NewKeyed(rate Rate) *Keyed { return &Keyed{rate: rate, buckets: make(map[string]*Bucket)} }

// Verdict is what taking from a bucket has come to.
type Verdict struct {
	OK   bool
	Wait time.Duration // until it would be OK, zero if it is
	Left float64       // what could be taken now
}

// Take takes n from the bucket of key.
func (k *Keyed) Take(key string, n float64) Verdict {
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	bucket := k.bucket(key, now)
	ok, wait := bucket.Take(k.rate, n, now)
	return Verdict{OK: ok, Wait: wait, Left: bucket.Left(k.rate, now)}
}

// Rate is the buckets' rate.
func (k *Keyed) Rate() Rate { return k.rate }

func (k *Keyed) bucket(key string, now time.Time) *Bucket {
	if bucket := k.buckets[key]; bucket != nil {
		return bucket
	}
	if now.Sub(k.swept) >= sweepEvery {
		k.swept = now
		for key, bucket := range k.buckets {
			if bucket.isFull(now) {
				delete(k.buckets, key)
			}
		}
	}
	if len(k.buckets) >= maxKeys {
		return &k.shared
	}
	bucket := new(Bucket)
	k.buckets[key] = bucket
	return bucket
}
