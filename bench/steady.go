package main

import (
	"context"
	"fmt"
	"time"
)

const (
	// warmUp is work before what is measured.
	warmUp = 2 * time.Second
	// measuring is how long a steady load is measured.
	measuring = 10 * time.Second
)

var steadyMetrics = append([]metric{
	{key: "cpu", title: "CPU for each delivery, µs"},
	{key: "p50", title: "publish to client, p50, ms"},
	{key: "p99", title: "publish to client, p99, ms"},
	{key: "wire", title: "bytes on the wire for each delivery"},
	{key: "delivered", title: "deliveries/s", plain: true},
}, loadMetrics...)

var steady = scenario{
	name:       "steady",
	title:      "one room of 1,000, 40 updates/s by REST on another instance, through Redis",
	metrics:    steadyMetrics,
	contenders: func(peers []string) []contender { return chosen(peers, everyone) },
	run: func(ctx context.Context, w *workbench) (measured, error) {
		return measureSteady(ctx, w, w.scaled(1000), 1, 40)
	},
}

var rooms = scenario{
	name:       "rooms",
	title:      "1,000 rooms of 10, 500 updates/s to rooms at random by REST on another instance, through Redis",
	metrics:    steadyMetrics,
	contenders: func(peers []string) []contender { return chosen(peers, throughRedis) },
	run: func(ctx context.Context, w *workbench) (measured, error) {
		return measureSteady(ctx, w, w.scaled(10_000), w.scaled(1000), 500)
	},
}

// measureSteady measures the delivering instance under an even load.
func measureSteady(ctx context.Context, w *workbench, clients, rooms int, rate float64) (measured, error) {
	delivering, publishingAt, err := w.pair(ctx)
	if err != nil {
		return nil, err
	}
	crowd, err := w.gather(ctx, clients, rooms, delivering)
	if err != nil {
		return nil, err
	}
	defer crowd.Close()
	publisher := w.publisher(publishingAt, rooms)
	defer publisher.Close()
	defer publishing(ctx, publisher, rate)()
	if err := wait(ctx, warmUp); err != nil {
		return nil, err
	}
	crowd.TakeLatency()
	before := crowd.Counts()
	m := measured{}
	cpu, took, err := during(ctx, measuring, m, delivering)
	if err != nil {
		return nil, err
	}
	after := crowd.Counts()
	deliveries := float64(after.Received - before.Received)
	if due := rate * float64(clients) / float64(rooms) * took.Seconds(); deliveries < 0.9*due {
		return nil, fmt.Errorf("%.0f deliveries of %.0f: %+v", deliveries, due, after)
	}
	m["cpu"] = float64(cpu.Microseconds()) / deliveries
	m["wire"] = float64(after.Wire-before.Wire) / deliveries
	m["delivered"] = deliveries / took.Seconds()
	percentiles(m, crowd.TakeLatency())
	return m, nil
}
