package app

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// heapSlack is how much a heap at rest may grow, in bytes, before it is collected, however
	// small it is. The collector by itself runs whenever the heap has doubled, which under
	// publications is dozens of times a second for an instance of a few hundred clients, a
	// tenth of its work.
	heapSlack = 32 << 20
	// growingPercent is how much, of what is alive, a heap may grow before it is collected while
	// clients come. What each leaves of its handshake then goes before the next ones' sessions
	// are laid down around it: the gaps would stay, a kilobyte for each client.
	growingPercent = 40
	// defaultPercent is the collector's own target for growth.
	defaultPercent = 100
)

// TuneCollector has the collector run less often where nothing but garbage is made, and more
// often where clients come. Where an operator has set GOGC to another value than its default
// nothing is changed, and GOMEMLIMIT goes before it. It is for the process, until its end.
func TuneCollector() {
	before := debug.SetGCPercent(defaultPercent)
	if before != defaultPercent {
		debug.SetGCPercent(before)
		return
	}
	tuning := &collectorTuning{percent: defaultPercent}
	afterEachCollection(func() {
		if percent, changed := tuning.collected(liveHeap(), runtime.NumGoroutine()); changed {
			debug.SetGCPercent(percent)
		}
	})
}

// rush is how many goroutines more than at the last collection say that clients come: each
// has one, or three.
const rush = 64

// collectorTuning is what a collection is compared with: the one before.
type collectorTuning struct {
	goroutines int
	percent    int
}

// collected takes how many bytes a collection found alive, and of how many goroutines. It
// returns the growth to allow until the next, and whether that differs enough to be worth
// stopping the world for.
func (t *collectorTuning) collected(live uint64, goroutines int) (percent int, changed bool) {
	percent = int(max(defaultPercent, 100*heapSlack/max(live, 1<<20))) //nolint:gosec // 3200 at most
	if goroutines > t.goroutines+rush {
		percent = growingPercent
	}
	t.goroutines = goroutines
	if percent >= t.percent-t.percent/8 && percent <= t.percent+t.percent/8 {
		return t.percent, false
	}
	t.percent = percent
	return percent, true
}

// liveHeap is how many bytes the last collection found alive.
func liveHeap() uint64 { return runtimeMetric("/gc/heap/live:bytes") }

// runtimeMetric reads one of the runtime's own metrics that is a count.
func runtimeMetric(name string) uint64 {
	sample := []metrics.Sample{{Name: name}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// afterEachCollection calls do when the collector has run, in the runtime's goroutine for
// that: a finalizer, which makes an object to die in the next collection.
func afterEachCollection(do func()) {
	type mayfly struct{ _ *byte } // a pointer, so that it is not allocated with others
	var hatch func()
	hatch = func() {
		runtime.SetFinalizer(&mayfly{}, func(*mayfly) {
			do()
			hatch()
		})
	}
	hatch()
}
