package load

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Plan is a whole run: the clients join, updates are published, what is on its way arrives,
// and all of it is judged.
type Plan struct {
	Crowd     Options
	Publisher PublisherOptions
	// Rate is the publications in a second, over all rooms; 0 for clients that only wait.
	Rate     float64
	Duration time.Duration // of publishing
}

// Validate reports all that is wrong, joined; each begins with the name of the flag of
// "roomcast load".
func (p *Plan) Validate() error {
	faults := []error{p.Crowd.Validate()}
	refuse := refusing(&faults)
	for _, server := range p.Publisher.Servers {
		if !slices.Contains(p.Crowd.Servers, server) { // that one was judged
			refuseURL(&faults, "publish-url", server)
		}
	}
	refuse(len(p.Publisher.Servers) == 0 && len(p.Crowd.Servers) > 0, "publish-url: must name a server")
	refuse(p.Publisher.Size < 0 || p.Publisher.Size > maxMessage/2,
		"size: must be from 0 to %d, not %d", maxMessage/2, p.Publisher.Size)
	refuse(!(p.Rate >= 0 && p.Rate <= maxRate), "rate: must be from 0 to %d, not %g", maxRate, p.Rate)
	refuse(p.Duration <= 0, "duration: must be more than 0, not %s", p.Duration)
	return errors.Join(faults...)
}

// maxRate bounds a rate to what times in nanoseconds can tell apart with sense.
const maxRate = 1_000_000

const (
	// joinPatience is how long the last client may take to join, once it has begun.
	joinPatience = 30 * time.Second
	// settlePatience is how long the last update may take to arrive: longer than a client
	// takes to come back at its second attempt.
	settlePatience = 15 * time.Second
	// observeEvery is how often progress is told.
	observeEvery = 250 * time.Millisecond
)

// Phase is a part of a run.
type Phase string

// The phases of a run, in turn.
const (
	Joining    Phase = "joining"
	Publishing Phase = "publishing"
	Settling   Phase = "settling"
)

// Moment is how far a run has come.
type Moment struct {
	Phase    Phase
	Elapsed  time.Duration // of the phase
	Share    float64       // of the phase that is done, from 0 to 1
	Last     bool          // of the phase
	Clients  int
	Counts   Counts
	Accepted uint64
	// Latency is of the updates since the last moment, in microseconds.
	Latency *hdrhistogram.Histogram
}

// run is a plan under way. One goroutine touches it.
type run struct {
	plan      *Plan
	crowd     *Crowd
	publisher *Publisher
	watch     func(Moment)

	latency    *hdrhistogram.Histogram // of all updates
	joinedIn   time.Duration
	joined     int64
	publishing span
	cut        bool // short, by the context
}

// span is what happened during the publishing phase.
type span struct {
	took     time.Duration
	received uint64
	wire     uint64
	cpu      time.Duration // of this process
}

// Run carries the plan out and tells watch of it, several times in a second; watch may be
// nil. When ctx ends, publishing does, and what is on its way is still awaited and judged.
func (p *Plan) Run(ctx context.Context, watch func(Moment)) (*Report, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if watch == nil {
		watch = func(Moment) {}
	}
	crowd, err := Gather(context.WithoutCancel(ctx), p.Crowd)
	if err != nil {
		return nil, err
	}
	r := &run{plan: p, crowd: crowd, publisher: NewPublisher(p.Publisher), watch: watch, latency: newHistogram()}
	defer r.publisher.Close()
	r.join(ctx)
	if r.joined > 0 {
		r.publish(ctx)
	}
	r.settle(ctx)
	crowd.Close()
	return r.report(), nil
}

func (r *run) join(ctx context.Context) {
	began := time.Now()
	patience := joinPatience
	if ramp := r.plan.Crowd.Ramp; ramp > 0 {
		patience += time.Duration(r.plan.Crowd.Clients) * time.Second / time.Duration(ramp)
	}
	clients := r.plan.Crowd.Clients
	r.during(ctx, Joining, patience,
		func() float64 { return float64(r.crowd.Counts().Present) / float64(clients) },
		func(ctx context.Context) { _ = r.crowd.AwaitJoined(ctx) }) // who has not joined is counted
	r.joinedIn, r.cut = time.Since(began), ctx.Err() != nil
	r.joined = r.crowd.Begin()
}

func (r *run) publish(ctx context.Context) {
	if ctx.Err() != nil {
		r.cut = true
		return
	}
	before, cpu, began := r.crowd.Counts(), ProcessorTime(), time.Now()
	r.during(ctx, Publishing, r.plan.Duration,
		func() float64 { return float64(time.Since(began)) / float64(r.plan.Duration) },
		func(ctx context.Context) {
			if r.plan.Rate == 0 {
				<-ctx.Done()
				return
			}
			r.publisher.Steady(ctx, r.plan.Rate)
		})
	after := r.crowd.Counts()
	r.publishing = span{
		took: time.Since(began), received: after.Received - before.Received,
		wire: after.Wire - before.Wire, cpu: ProcessorTime() - cpu,
	}
	r.cut = ctx.Err() != nil
}

func (r *run) settle(ctx context.Context) {
	due := r.crowd.Due(r.publisher.Accepted())
	r.during(context.WithoutCancel(ctx), Settling, settlePatience,
		func() float64 { return float64(r.crowd.Counts().Received) / float64(max(due, 1)) },
		func(ctx context.Context) { _ = r.crowd.AwaitReceived(ctx, due) }) // what has not come is counted
}

// during has work done, at most for limit, and tells how far it is.
func (r *run) during(ctx context.Context, phase Phase, limit time.Duration,
	share func() float64, work func(context.Context),
) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		work(ctx)
	}()
	began := time.Now()
	ticker := time.NewTicker(observeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			r.observe(Moment{Phase: phase, Elapsed: time.Since(began), Share: min(max(share(), 0), 1)})
		case <-done:
			r.observe(Moment{Phase: phase, Elapsed: time.Since(began), Share: 1, Last: true})
			return
		}
	}
}

// observe completes a moment and tells it.
func (r *run) observe(m Moment) {
	m.Latency = r.crowd.TakeLatency()
	r.latency.Merge(m.Latency)
	m.Clients = r.plan.Crowd.Clients
	m.Counts, m.Accepted = r.crowd.Counts(), r.publisher.Published().Accepted
	r.watch(m)
}
