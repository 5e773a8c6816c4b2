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
	full time.Duration // since the epoch: when it will be full again, if nothing comes; 0 and the past if it is
}

// epoch is what buckets count from: a time.Time in each would be three times as large.
var epoch = time.Now()

// Take takes n from the bucket, if there is as much. Else it takes nothing, and wait is how
// long until there will be; more than Burst never is, and wait then is that for a full one.
func (b *Bucket) Take(rate Rate, n float64, now time.Time) (ok bool, wait time.Duration) {
	refill := func(n float64) time.Duration { return time.Duration(n / rate.PerSecond * float64(time.Second)) }
	at := now.Sub(epoch)
	full := at
	if !b.isFull(now) {
		full = b.full
	}
	after := full + refill(n)
	if excess := after - at - refill(rate.Burst); excess > 0 {
		return false, min(excess, full-at)
	}
	b.full = after
	return true, 0
}

// Left is how much could be taken at once.
func (b *Bucket) Left(rate Rate, now time.Time) float64 {
	if b.isFull(now) {
		return rate.Burst
	}
	return max(0, rate.Burst-(b.full-now.Sub(epoch)).Seconds()*rate.PerSecond)
}

func (b *Bucket) isFull(now time.Time) bool { return b.full == 0 || b.full <= now.Sub(epoch) }
