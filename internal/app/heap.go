package app

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// heapSlack is how much a heap may grow, in bytes, before it is collected, however small it
// is. The collector by itself runs whenever the heap has doubled, which under publications is
// dozens of times a second for an instance of a few hundred clients, a tenth of its work.
const heapSlack = 32 << 20

// defaultPercent is the collector's own target for growth.
const defaultPercent = 100

// SpareSmallHeaps has the collector leave heaps smaller than heapSlack alone for longer; a
// larger one is collected as ever. Where an operator has set GOGC nothing is changed, and
// GOMEMLIMIT goes before it. It is for the process, until its end.
func SpareSmallHeaps() {
	before := debug.SetGCPercent(defaultPercent)
	if before != defaultPercent {
		debug.SetGCPercent(before)
		return
	}
	percent := new(atomic.Int64)
	percent.Store(defaultPercent)
	afterEachCollection(func() { aim(percent, liveHeap()) })
}

// aim sets the target for a heap of which so much was alive, if it differs enough to be
// worth stopping the world for.
func aim(percent *atomic.Int64, live uint64) {
	wanted, present := slackPercent(live), int(percent.Load())
	if wanted < present-present/8 || wanted > present+present/8 {
		percent.Store(int64(wanted))
		debug.SetGCPercent(wanted)
	}
}

// slackPercent is the growth, in percent of what is alive, that is heapSlack or a doubling.
func slackPercent(live uint64) int {
	return int(max(defaultPercent, 100*heapSlack/max(live, 1<<20))) //nolint:gosec // 3200 at most
}

func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
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
