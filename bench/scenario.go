package main

import (
	"context"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/roomcast/roomcast/internal/load"
)

// scenario is one kind of work, and what is measured of a server that does it.
type scenario struct {
	name       string
	title      string
	metrics    []metric
	contenders func(peers []string) []contender
	rows       bool // the table has a row for each contender, not a column
	run        func(context.Context, *workbench) (measured, error)
}

// metric is one figure.
type metric struct {
	key   string
	title string // with the unit
	// plain says that its ratio to others means nothing.
	plain bool
}

// measured is figures by the metric's key.
type measured map[string]float64

func scenarios() []scenario {
	return []scenario{idle, steady, burst, rooms, durable, slow, comeback, growth}
}

func scenarioNames() []string {
	var names []string
	for _, s := range scenarios() {
		names = append(names, s.name)
	}
	return names
}

func scenarioNamed(name string) scenario {
	for _, s := range scenarios() {
		if s.name == name {
			return s
		}
	}
	return scenario{}
}

// loadMetrics say whether the load side had processor time enough.
var loadMetrics = []metric{
	{key: "load", title: "load side, cores", plain: true},
	{key: "spare", title: "machine's processor idle, %", plain: true},
}

// span measures the processor time that goes by, that of servers together.
type span struct {
	servers []*process
	cpu     time.Duration
	load    time.Duration
	machine machine
	began   time.Time
}

func begin(servers ...*process) (*span, error) {
	cpu, err := together(servers)
	if err != nil {
		return nil, err
	}
	now, err := readMachine()
	return &span{servers: servers, cpu: cpu, load: load.ProcessorTime(), machine: now, began: time.Now()}, err
}

// together is the processor time of several processes.
func together(servers []*process) (sum time.Duration, err error) {
	for _, server := range servers {
		cpu, err := server.cpu()
		if err != nil {
			return 0, err
		}
		sum += cpu
	}
	return sum, nil
}

// end returns the servers' processor time, and adds to m what the load side has used and
// what was left over.
func (s *span) end(m measured) (cpu, took time.Duration, err error) {
	cpu, err = together(s.servers)
	if err != nil {
		return 0, 0, err
	}
	after, err := readMachine()
	if err != nil {
		return 0, 0, err
	}
	took = time.Since(s.began)
	m["load"] = (load.ProcessorTime() - s.load).Seconds() / took.Seconds()
	m["spare"] = 100 * float64(after.idle-s.machine.idle) / float64(max(after.all-s.machine.all, 1))
	return cpu - s.cpu, took, nil
}

// percentiles adds p50 and p99 in milliseconds.
func percentiles(m measured, h *hdrhistogram.Histogram) {
	m["p50"] = float64(h.ValueAtQuantile(50)) / 1000
	m["p99"] = float64(h.ValueAtQuantile(99)) / 1000
}

// during measures servers for a time, as begin and end do.
func during(ctx context.Context, d time.Duration, m measured, servers ...*process) (cpu, took time.Duration, err error) {
	span, err := begin(servers...)
	if err != nil {
		return 0, 0, err
	}
	if err := wait(ctx, d); err != nil {
		return 0, 0, err
	}
	return span.end(m)
}

// beside has work done until the function it returns is called.
func beside(ctx context.Context, work func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		work(ctx)
		close(done)
	}()
	return func() { cancel(); <-done }
}

// publishing has a publisher publish at a rate until the function it returns is called.
func publishing(ctx context.Context, p *load.Publisher, rate float64) (stop func()) {
	return beside(ctx, func(ctx context.Context) { p.Steady(ctx, rate) })
}

// wait lets the work go on for a while.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
