package limit

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestBucket(t *testing.T) {
	rate := Rate{PerSecond: 10, Burst: 5}
	now := time.Unix(1_000, 0)
	var b Bucket
	for n := range 5 {
		if ok, wait := b.Take(rate, 1, now); !ok || wait != 0 {
			t.Errorf("of a burst of 5, number %d was refused for %v", n+1, wait)
		}
	}
	if ok, wait := b.Take(rate, 1, now); ok || wait != 100*time.Millisecond {
		t.Errorf("one more than the burst: %t, wait %v, want 100ms", ok, wait)
	}
	if left := b.Left(rate, now); left != 0 {
		t.Errorf("%v are left, want none", left)
	}
	now = now.Add(100 * time.Millisecond)
	if ok, _ := b.Take(rate, 1, now); !ok {
		t.Error("after the wait it is refused")
	}
	if ok, wait := b.Take(rate, 3, now); ok || wait != 300*time.Millisecond {
		t.Errorf("three: %t, wait %v, want 300ms", ok, wait)
	}
	now = now.Add(time.Hour)
	if left := b.Left(rate, now); left != 5 {
		t.Errorf("after an hour %v are left, want the burst", left)
	}
	if ok, _ := b.Take(rate, 5.5, now); ok {
		t.Error("more than the burst passed")
	}
	if ok, _ := b.Take(rate, 5, now); !ok {
		t.Error("the burst was refused after an hour")
	}
}

// In the long run no more passes than the rate, however it comes.
func TestRateOverTime(t *testing.T) {
	rate := Rate{PerSecond: 100, Burst: 20}
	now, passed := time.Unix(1_000, 0), 0.0
	var b Bucket
	for i := range 100_000 {
		n := float64(1 + i%3)
		if ok, _ := b.Take(rate, n, now); ok {
			passed += n
		}
		now = now.Add(time.Duration(i%7) * time.Millisecond)
	}
	seconds := now.Sub(time.Unix(1_000, 0)).Seconds()
	if most := seconds*100 + 20; passed > most || passed < most*0.99 {
		t.Errorf("%.0f passed in %.0f s, want about %.0f", passed, seconds, most)
	}
}

func TestKeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := NewKeyed(Rate{PerSecond: 1, Burst: 2})
		for _, key := range []string{"a", "b"} {
			if v := k.Take(key, 2); !v.OK || v.Left != 0 {
				t.Errorf("%s: %+v", key, v)
			}
		}
		if v := k.Take("a", 1); v.OK || v.Wait != time.Second {
			t.Errorf("one more of a: %+v, want to wait a second", v)
		}
		time.Sleep(sweepEvery)
		for n := range 3 * maxKeys / 2 {
			k.Take(fmt.Sprint(n), 1)
		}
		if len(k.buckets) > maxKeys {
			t.Errorf("%d buckets are kept, want at most %d", len(k.buckets), maxKeys)
		}
		if v := k.Take("one more", 1); v.OK {
			t.Error("keys past the bound do not share a bucket")
		}
		time.Sleep(sweepEvery)
		if v := k.Take("a", 1); !v.OK || len(k.buckets) != 1 {
			t.Errorf("%+v with %d buckets, want those that are full forgotten", v, len(k.buckets))
		}
	})
}
