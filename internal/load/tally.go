package load

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// tally counts what some of the clients have received.
type tally struct {
	mu      sync.Mutex
	latency *hdrhistogram.Histogram // in microseconds

	received   atomic.Uint64
	wire       atomic.Uint64 // bytes read, without HTTP
	doubled    atomic.Uint64
	disordered atomic.Uint64
	strange    atomic.Uint64 // not of this run
	resyncs    atomic.Uint64
}

// longest is the longest latency that is told apart.
const longest = 10 * time.Minute

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, longest.Microseconds(), 3)
}

func (t *tally) record(nanoseconds int64) {
	t.received.Add(1)
	microseconds := min(max(nanoseconds/1000, 1), longest.Microseconds())
	t.mu.Lock()
	_ = t.latency.RecordValue(microseconds) // within its range
	t.mu.Unlock()
}

// take adds the latencies up in sum and forgets them.
func (t *tally) take(sum *hdrhistogram.Histogram) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sum.Merge(t.latency)
	t.latency.Reset()
}

// reorderWindow is how far behind the highest number of a room another may come and still
// be told from one that came before: publishers work side by side.
const reorderWindow = 1024

// membership is what one client has got of one room.
type membership struct {
	room     int
	highest  uint64
	received uint64
	seen     [reorderWindow / 64]uint64 // of the numbers up to highest, a bit each
}

// mark notes a number and reports whether it is the first time.
func (m *membership) mark(number uint64) bool {
	if number > m.highest {
		if number-m.highest >= reorderWindow {
			m.seen = [reorderWindow / 64]uint64{}
		} else {
			for n := m.highest + 1; n < number; n++ {
				m.seen[n/64%uint64(len(m.seen))] &^= 1 << (n % 64)
			}
		}
		m.highest = number
	} else if m.highest-number >= reorderWindow || m.seen[number/64%uint64(len(m.seen))]&(1<<(number%64)) != 0 {
		return false
	}
	m.seen[number/64%uint64(len(m.seen))] |= 1 << (number % 64)
	m.received++
	return true
}
