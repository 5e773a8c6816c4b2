package load

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// barWidth is how long the longest bar of a histogram is, in characters.
const barWidth = 40

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	line := func(title, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s", title)
		fmt.Fprintf(&b, format, args...)
		b.WriteByte('\n')
	}
	line("Clients", "%d of %d joined within %.1f s", r.Joined, r.Clients, r.JoinSeconds)
	line("Connections", "%d lost or refused; %d sessions continued, %d joined again",
		r.Connections.Lost, r.Connections.Recovered, r.Connections.Rejoined)
	writeFaults(&b, r.Connections.Faults)
	line("Published", "%d accepted, %d given up, %d a second late; answers: %s",
		r.Published.Accepted, r.Published.GivenUp, r.Published.Late, r.PublishTime)
	writeFaults(&b, r.Published.Faults)
	line("Delivered", "%d of %d updates due; %d lost, %d doubled, %d out of order, %d of others, %d RESYNC",
		r.Delivered.Received, r.Delivered.Due, r.Delivered.Lost, r.Delivered.Doubled, r.Delivered.Disordered,
		r.Delivered.Strange, r.Delivered.Resyncs)
	line("", "%.1f/s, %s/s on the wire", r.Delivered.PerSecond, size(r.Delivered.BytesSecond))
	line("Latency", "%s", r.Latency)
	r.writeBuckets(&b)
	line("This side", "%.2f of %d cores", r.ThisSide.Cores, r.ThisSide.Of)
	for _, doubt := range r.ThisSide.Behind {
		line("", "could not keep up, so the figures may not be the server's: %s", doubt)
	}
	if r.Interrupted {
		line("Interrupted", "before its time was over")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeFaults(b *strings.Builder, faults map[string]int) {
	for _, text := range slices.Sorted(maps.Keys(faults)) {
		fmt.Fprintf(b, "%-12s%d × %q\n", "", faults[text], text) // quoted: a server's words may hold anything
	}
}

func (r *Report) writeBuckets(b *strings.Builder) {
	var most int64
	for _, bucket := range r.Buckets {
		most = max(most, bucket.Count)
	}
	for _, bucket := range r.Buckets {
		bar := int(bucket.Count * barWidth / most)
		if bar == 0 && bucket.Count > 0 {
			bar = 1
		}
		text := fmt.Sprintf("%12s≤ %6g ms %10d  %s", "", bucket.UpTo, bucket.Count, strings.Repeat("█", bar))
		b.WriteString(strings.TrimRight(text, " ") + "\n")
	}
}

// String is the percentiles on one line.
func (m Milliseconds) String() string {
	if m.Max == 0 {
		return "nothing was measured"
	}
	return fmt.Sprintf("p50 %.2f ms, p90 %.2f, p99 %.2f, p99.9 %.2f, max %.2f", m.P50, m.P90, m.P99, m.P999, m.Max)
}

// size is a number of bytes, rounded.
func size(bytes float64) string {
	units := []string{"B", "kB", "MB", "GB"}
	i := 0
	for ; bytes >= 1000 && i < len(units)-1; i++ {
		bytes /= 1000
	}
	return fmt.Sprintf("%.3g %s", bytes, units[i])
}
