package main

import (
	"context"
	"fmt"
	"time"
)

var comeback = scenario{
	name:  "return",
	title: "10,000 clients in 1,000 rooms come back at once after a kill -9, while 50 updates/s go on",
	metrics: append([]metric{
		{key: "recovered", title: "sessions continued", plain: true},
		{key: "lost", title: "updates lost", plain: true},
		{key: "doubled", title: "updates doubled", plain: true},
		{key: "time", title: "until all are back, s", plain: true},
		{key: "quiet", title: "RSS at rest afterwards, MB", plain: true},
		{key: "peak", title: "RSS at its highest, MB", plain: true},
		{key: "ratio", title: "highest / at rest", plain: true},
		{key: "cpu", title: "CPU for each, µs", plain: true},
	}, loadMetrics...),
	contenders: func([]string) []contender { return []contender{roomcast} },
	run:        measureComeback,
}

func measureComeback(ctx context.Context, w *workbench) (measured, error) {
	dying, staying, err := w.pair(ctx)
	if err != nil {
		return nil, err
	}
	clients, rooms := w.scaled(10_000), w.scaled(1000)
	crowd, err := w.gather(ctx, clients, rooms, dying, staying)
	if err != nil {
		return nil, err
	}
	defer crowd.Close()
	publisher := w.publisher(staying, rooms)
	defer publisher.Close()
	stop := publishing(ctx, publisher, 50)
	defer stop()
	if err := wait(ctx, warmUp); err != nil {
		return nil, err
	}
	span, err := begin(staying)
	if err != nil {
		return nil, err
	}
	dying.kill()
	back := func() bool { c := crowd.Counts(); return c.Recovered+c.Rejoined >= uint64(clients) } //nolint:gosec // positive
	for !back() {
		if time.Since(span.began) > time.Minute {
			return nil, fmt.Errorf("not all are back: %+v; %v", crowd.Counts(), crowd.Faults())
		}
		if err := wait(ctx, time.Millisecond); err != nil {
			return nil, err
		}
	}
	m := measured{}
	cpu, took, err := span.end(m)
	if err != nil {
		return nil, err
	}
	if err := wait(ctx, warmUp); err != nil {
		return nil, err
	}
	stop()
	if err := wait(ctx, settling); err != nil {
		return nil, err
	}
	quiet, err := staying.memory("VmRSS")
	if err != nil {
		return nil, err
	}
	peak, err := staying.memory("VmHWM")
	crowd.Close()
	counts := crowd.Counts()
	m["recovered"], m["doubled"] = float64(counts.Recovered), float64(counts.Doubled+counts.Disordered)
	m["lost"] = float64(crowd.Missing(publisher.Accepted()))
	m["time"] = took.Seconds()
	m["quiet"], m["peak"], m["ratio"] = quiet/(1<<20), peak/(1<<20), peak/quiet
	m["cpu"] = float64(cpu.Microseconds()) / float64(clients)
	return m, err
}
