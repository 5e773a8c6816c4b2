package faults

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var (
	soak = flag.Duration("soak", 0, "run at full size, for so long in all; 0: small, once")
	seed = flag.Uint64("seed", 0, "of what is random; 0: another one each time")
)

// shares is how many calls of repeat there are, which divide the time of a soak.
const shares = 11

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(m,
		// When both ends of a connection go while something is under way in it, toxiproxy's own
		// goroutines wait for ever for somebody to take it.
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
	)
}

// repeat runs a scenario once, and in a soak until its share of the time is used up, each time
// with another seed.
func repeat(t *testing.T, scenario func(t *testing.T, seed uint64)) {
	t.Helper()
	started := time.Now()
	for {
		chosen := *seed
		if chosen == 0 {
			chosen = rand.Uint64()
		}
		t.Run(fmt.Sprintf("seed %d", chosen), func(t *testing.T) { scenario(t, chosen) })
		if time.Since(started) >= *soak/shares || t.Failed() {
			return
		}
	}
}

// sized chooses between what `make test` has time for and the full size.
func sized[T any](small, full T) T {
	if *soak > 0 {
		return full
	}
	return small
}
