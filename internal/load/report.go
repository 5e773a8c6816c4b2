package load

import (
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Report is what a run has found. Its JSON is for other programs: names stay, units are in
// the names.
type Report struct {
	Servers   []string `json:"servers"`
	Transport string   `json:"transport"`
	Revision  int      `json:"engineIO"`
	Clients   int      `json:"clients"`
	Rooms     int      `json:"rooms"`
	Rate      float64  `json:"rateAsked"` // publications each second
	Size      int      `json:"sizeBytes"`
	// Interrupted says that the run was cut short.
	Interrupted bool `json:"interrupted"`

	Joined      int64         `json:"joined"`   // clients that were in all their rooms when publishing began
	Unjoined    uint64        `json:"unjoined"` // the others
	JoinSeconds float64       `json:"joinSeconds"`
	Connections Connections   `json:"connections"`
	Published   Published     `json:"published"`
	PublishTime Milliseconds  `json:"publishMilliseconds"` // from when it was due to the answer
	Delivered   Delivered     `json:"delivered"`
	Latency     Milliseconds  `json:"latencyMilliseconds"` // from when it was due to its arrival
	Buckets     []Bucket      `json:"latencyBuckets"`
	ThisSide    ThisSide      `json:"thisSide"`
	took        time.Duration // of publishing
}

// Connections are what became of the clients' connections.
type Connections struct {
	Lost      uint64         `json:"lost"`
	Recovered uint64         `json:"recovered"` // sessions continued
	Rejoined  uint64         `json:"rejoined"`
	Faults    map[string]int `json:"faults,omitempty"` // by their text
}

// Delivered are updates, each counted once for each client that is in its room.
type Delivered struct {
	Due         uint64  `json:"due"`
	Received    uint64  `json:"received"`
	Lost        uint64  `json:"lost"`
	Doubled     uint64  `json:"doubled"`
	Disordered  uint64  `json:"disordered"` // behind the server's own sequence
	Strange     uint64  `json:"strange"`    // not published by this run
	Resyncs     uint64  `json:"resyncs"`    // times a client was told to load its state again
	PerSecond   float64 `json:"perSecond"`
	BytesSecond float64 `json:"bytesPerSecond"` // on the wire, without HTTP
}

// Milliseconds are percentiles of a time.
type Milliseconds struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99.9"`
	Max  float64 `json:"max"`
}

// Bucket is how many updates took longer than the bucket before, and at most UpTo.
type Bucket struct {
	UpTo  float64 `json:"upToMilliseconds"`
	Count int64   `json:"count"`
}

// ThisSide says whether the figures are the server's, or those of who measured.
type ThisSide struct {
	Cores float64 `json:"cores"` // used while publishing
	Of    int     `json:"ofCores"`
	// Behind are the reasons to doubt that this process kept up.
	Behind []string `json:"behind,omitempty"`
}

// ProcessorTime is what this process has used, in user and kernel mode.
func ProcessorTime() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0 // it does not fail with these arguments
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// report judges a run whose crowd has gone.
func (r *run) report() *Report {
	counts, accepted := r.crowd.Counts(), r.publisher.Accepted()
	seconds := max(r.publishing.took.Seconds(), 1e-9)
	made := &Report{
		Servers: r.plan.Crowd.Servers, Transport: string(r.plan.Crowd.Transport), Revision: r.plan.Crowd.Revision,
		Clients: r.plan.Crowd.Clients, Rooms: r.plan.Crowd.Rooms, Rate: r.plan.Rate, Size: r.plan.Publisher.Size,
		Interrupted: r.cut,
		Joined:      r.joined, Unjoined: uint64(int64(r.plan.Crowd.Clients) - r.joined), //nolint:gosec // not less than 0
		JoinSeconds: r.joinedIn.Seconds(),
		Connections: Connections{
			Lost: counts.Losses, Recovered: counts.Recovered, Rejoined: counts.Rejoined, Faults: r.crowd.Faults(),
		},
		Published:   r.publisher.Published(),
		PublishTime: milliseconds(r.publisher.TakeLatency()),
		Delivered: Delivered{
			Due: r.crowd.Due(accepted), Received: counts.Received, Lost: r.crowd.Missing(accepted),
			Doubled: counts.Doubled, Disordered: counts.Disordered, Strange: counts.Strange, Resyncs: counts.Resyncs,
			PerSecond:   float64(r.publishing.received) / seconds,
			BytesSecond: float64(r.publishing.wire) / seconds,
		},
		Latency: milliseconds(r.latency), Buckets: buckets(r.latency),
		took: r.publishing.took,
	}
	made.ThisSide = r.loadSide(made)
	return made
}

// loadSide looks for signs that the server waited for this process.
func (r *run) loadSide(made *Report) ThisSide {
	side := ThisSide{Of: runtime.GOMAXPROCS(0)}
	if made.took == 0 {
		return side
	}
	side.Cores = r.publishing.cpu.Seconds() / made.took.Seconds()
	doubt := func(yes bool, format string, args ...any) {
		if yes {
			side.Behind = append(side.Behind, fmt.Sprintf(format, args...))
		}
	}
	doubt(side.Cores > 0.9*float64(side.Of), "it used %.2f of %d cores", side.Cores, side.Of)
	doubt(made.Published.Late > 0, "%d updates were published a second late, or more", made.Published.Late)
	return side
}

func milliseconds(h *hdrhistogram.Histogram) Milliseconds {
	at := func(quantile float64) float64 { return float64(h.ValueAtQuantile(quantile)) / 1000 }
	return Milliseconds{P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: float64(h.Max()) / 1000}
}

// buckets puts latencies together in steps of 1, 2 and 5, from the first that holds any to
// the last.
func buckets(h *hdrhistogram.Histogram) []Bucket {
	var edges []int64 // in microseconds
	for decade := int64(100); len(edges) == 0 || edges[len(edges)-1] < longest.Microseconds(); decade *= 10 {
		edges = append(edges, decade, 2*decade, 5*decade)
	}
	counts := make([]int64, len(edges))
	for _, bar := range h.Distribution() {
		if bar.Count > 0 {
			at, _ := slices.BinarySearch(edges, bar.From)
			counts[min(at, len(edges)-1)] += bar.Count
		}
	}
	var found []Bucket
	for i, count := range counts {
		if count > 0 || len(found) > 0 {
			found = append(found, Bucket{UpTo: float64(edges[i]) / 1000, Count: count})
		}
	}
	for len(found) > 0 && found[len(found)-1].Count == 0 {
		found = found[:len(found)-1]
	}
	return found
}
