package app

import (
	"context"
	"runtime/debug"
	"time"
)

const (
	// tidyEvery is how often allocation is looked at.
	tidyEvery = 2 * time.Second
	// quietBytes is what a process at rest allocates in that time, at most: heartbeats,
	// pings, a scrape of its metrics.
	quietBytes = 512 << 10
	// quietSpans is how often in a row it must be so.
	quietSpans = 2
	// worthBytes is what must have been allocated since, for there to be much to give back.
	worthBytes = 16 << 20
)

// KeepTidy gives memory back to the operating system once it is quiet after a rush, until
// ctx ends. The collector only runs when the heap has doubled, so that what thousands of
// handshakes have left would stay for as long as their clients then do nothing: a third of
// what an idle connection seems to cost. It is for the process, and not for each instance.
func KeepTidy(ctx context.Context) {
	ticker := time.NewTicker(tidyEvery)
	defer ticker.Stop()
	var t tidying
	for {
		select {
		case <-ticker.C:
			if t.due(allocated()) {
				debug.FreeOSMemory()
			}
		case <-ctx.Done():
			return
		}
	}
}

// tidying judges when it is time.
type tidying struct {
	tidied uint64 // allocated when it was done last
	last   uint64 // allocated when it was looked at last
	quiet  int    // spans in a row
}

// due takes the bytes allocated since the process began.
func (t *tidying) due(allocated uint64) bool {
	if allocated-t.last > quietBytes {
		t.quiet = 0
	} else {
		t.quiet++
	}
	t.last = allocated
	if t.quiet < quietSpans || allocated-t.tidied < worthBytes {
		return false
	}
	t.tidied = allocated
	return true
}

// allocated is how many bytes of heap the process has ever allocated.
func allocated() uint64 { return runtimeMetric("/gc/heap/allocs:bytes") }
