package main

import (
	"context"
	"time"
)

// settling is the quiet time before memory is read: every server may tidy up.
const settling = 10 * time.Second

var idle = scenario{
	name:  "idle",
	title: "5,000 websockets, joined, at rest; 500 rooms of 10",
	metrics: append([]metric{
		{key: "memory", title: "RSS for each, KB"},
		{key: "connect", title: "CPU for each connect and join, µs"},
	}, loadMetrics...),
	contenders: func(peers []string) []contender { return append(chosen(peers, everyone), revision3) },
	run:        measureIdle,
}

func measureIdle(ctx context.Context, w *workbench) (measured, error) {
	server, err := w.instance(ctx)
	if err != nil {
		return nil, err
	}
	before, err := server.memory("VmRSS")
	if err != nil {
		return nil, err
	}
	clients := w.scaled(5000)
	m := measured{}
	connecting, err := begin(server)
	if err != nil {
		return nil, err
	}
	crowd, err := w.gather(ctx, clients, max(1, clients/10), server)
	if err != nil {
		return nil, err
	}
	defer crowd.Close()
	cpu, _, err := connecting.end(m)
	if err != nil {
		return nil, err
	}
	if err := wait(ctx, settling); err != nil {
		return nil, err
	}
	after, err := server.memory("VmRSS")
	m["memory"] = (after - before) / 1024 / float64(clients)
	m["connect"] = float64(cpu.Microseconds()) / float64(clients)
	return m, err
}
