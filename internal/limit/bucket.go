// Package limit bounds how much may come in a time: a bucket that fills at an even rate, up
// to a burst, and from which each thing that comes takes its part (the generic cell rate
// algorithm, ITU-T I.371).
package limit

import "time"

// Rate is how much may come: so much in a second in the long run, and up to Burst at once.
type Rate struct {
	PerSecond float64
	Burst     float64 // at least 1, or nothing ever passes
}

// Bucket is one source's. The zero value is full. It is not safe for concurrent use, and small:
// every session has two.
type Bucket struct {
	full time.Time // when it will be full again, if nothing comes; the past if it is
}

// Take takes n from the bucket, if there is as much. Else it takes nothing, and wait is how
// long until there will be; more than Burst never is, and wait then is that for a full one.
func (b *Bucket) Take(rate Rate, n float64, now time.Time) (ok bool, wait time.Duration) {
	refill := func(n float64) time.Duration { return time.Duration(n / rate.PerSecond * float64(time.Second)) }
	full := b.full
	if full.Before(now) {
		full = now
	}
	after := full.Add(refill(n))
	if excess := after.Sub(now) - refill(rate.Burst); excess > 0 {
		return false, min(excess, full.Sub(now))
	}
	b.full = after
	return true, 0
}

// Left is how much could be taken at once.
func (b *Bucket) Left(rate Rate, now time.Time) float64 {
	if !b.full.After(now) {
		return rate.Burst
	}
	return max(0, rate.Burst-b.full.Sub(now).Seconds()*rate.PerSecond)
}
