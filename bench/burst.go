package main

import (
	"context"
	"time"
)

var burst = scenario{
	name:  "burst",
	title: "500 updates at once to one room of 1,000, by REST on another instance, through Redis",
	metrics: append([]metric{
		{key: "percpu", title: "thousand deliveries for each second of CPU"},
		{key: "time", title: "first publish to last delivery, ms"},
		{key: "p99", title: "publish to client, p99, ms"},
		{key: "rate", title: "thousand deliveries/s"},
		{key: "memory", title: "RSS at its highest, MB"},
	}, loadMetrics...),
	contenders: func(peers []string) []contender { return chosen(peers, everyone) },
	run:        measureBurst,
}

// bursts is how many bursts are averaged: one alone takes a few ticks of processor time.
const bursts = 5

func measureBurst(ctx context.Context, w *workbench) (measured, error) {
	delivering, publishingAt, err := w.pair(ctx)
	if err != nil {
		return nil, err
	}
	clients, updates := w.scaled(1000), 500
	crowd, err := w.gather(ctx, clients, 1, delivering)
	if err != nil {
		return nil, err
	}
	defer crowd.Close()
	publisher := w.publisher(publishingAt, 1)
	defer publisher.Close()
	burst := func() (time.Duration, error) {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		due := crowd.Counts().Received + uint64(updates*clients) //nolint:gosec // positive
		began := time.Now()
		publisher.Burst(ctx, updates)
		err := crowd.AwaitReceived(ctx, due)
		return time.Since(began), err
	}
	if _, err := burst(); err != nil { // warm
		return nil, err
	}
	crowd.TakeLatency()
	span, err := begin(delivering)
	if err != nil {
		return nil, err
	}
	var busy time.Duration
	for range bursts {
		took, err := burst()
		if err != nil {
			return nil, err
		}
		busy += took
	}
	m := measured{}
	cpu, _, err := span.end(m)
	if err != nil {
		return nil, err
	}
	deliveries := float64(bursts * updates * clients)
	m["percpu"] = deliveries / cpu.Seconds() / 1000
	m["time"] = float64(busy.Milliseconds()) / bursts
	m["rate"] = deliveries / busy.Seconds() / 1000
	percentiles(m, crowd.TakeLatency())
	highest, err := delivering.memory("VmHWM")
	m["memory"] = highest / (1 << 20)
	return m, err
}
