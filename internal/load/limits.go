package load

import "fmt"

// Unlimited is a limit that nothing exceeds.
const Unlimited = -1

// Limits say what a run may have found and still pass. Each may be Unlimited.
type Limits struct {
	P99Milliseconds float64 // of the time from publishing to arrival
	Lost            int64   // updates
	Doubled         int64   // updates
	Unjoined        int64   // clients
	Failed          int64   // publications given up
}

// Judge says what exceeds the limits; nothing if all is well. A run that was to publish and
// did not deliver anything has not passed, whatever the limits say.
func (l Limits) Judge(r *Report) (exceeded []string) {
	over := func(what string, found uint64, limit int64) {
		if limit >= 0 && found > uint64(limit) {
			exceeded = append(exceeded, fmt.Sprintf("%s: %d, at most %d", what, found, limit))
		}
	}
	over("clients not joined", r.Unjoined, l.Unjoined)
	over("publications given up", r.Published.GivenUp, l.Failed)
	over("updates lost", r.Delivered.Lost, l.Lost)
	over("updates doubled", r.Delivered.Doubled, l.Doubled)
	if l.P99Milliseconds >= 0 && r.Latency.P99 > l.P99Milliseconds {
		exceeded = append(exceeded, fmt.Sprintf("p99: %.3g ms, at most %.3g ms", r.Latency.P99, l.P99Milliseconds))
	}
	if r.Rate > 0 && r.Delivered.Received == 0 && !r.Interrupted {
		exceeded = append(exceeded, "no update was delivered")
	}
	return exceeded
}
