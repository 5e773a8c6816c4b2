package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/roomcast/roomcast/internal/load"
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
		return measureSteady(ctx, w, shape{clients: 1000, rooms: 1, rate: 40}, measuring)
	},
}

var rooms = scenario{
	name:       "rooms",
	title:      "1,000 rooms of 10, 500 updates/s to rooms at random by REST on another instance, through Redis",
	metrics:    steadyMetrics,
	contenders: func(peers []string) []contender { return chosen(peers, throughRedis) },
	run: func(ctx context.Context, w *workbench) (measured, error) {
		return measureSteady(ctx, w, shape{clients: 10_000, rooms: 1000, rate: 500}, measuring)
	},
}

// measureSteady measures the delivering instances under an even load.
func measureSteady(ctx context.Context, w *workbench, s shape, length time.Duration) (measured, error) {
	delivering, publishingAt, err := w.sides(ctx, max(s.instances, 1))
	if err != nil {
		return nil, err
	}
	options := w.shaped(s, delivering)
	crowd, err := join(ctx, options)
	if err != nil {
		return nil, err
	}
	defer crowd.Close()
	to := w.publisherOptions(publishingAt, options.Rooms)
	to.Size = cmp.Or(s.size, to.Size)
	publisher := load.NewPublisher(to)
	defer publisher.Close()
	defer publishing(ctx, publisher, s.rate)()
	if err := wait(ctx, warmUp); err != nil {
		return nil, err
	}
	crowd.TakeLatency()
	before, accepted := crowd.Counts(), publisher.Published().Accepted
	m := measured{}
	cpu, took, err := during(ctx, length, m, delivering...)
	if err != nil {
		return nil, err
	}
	after := crowd.Counts()
	published := float64(publisher.Published().Accepted - accepted)
	if due := s.rate * took.Seconds(); published < 0.9*due {
		return nil, fmt.Errorf("%.0f publications of %.0f", published, due)
	}
	m["heard"] = float64(cpu.Microseconds()) / published / float64(len(delivering))
	if s.clients == 1 {
		return m, nil // nobody but the one that a crowd needs
	}
	deliveries := float64(after.Received - before.Received)
	members := float64(options.Clients*options.RoomsPerClient) / float64(options.Rooms)
	if due := s.rate * members * took.Seconds(); deliveries < 0.9*due {
		return nil, fmt.Errorf("%.0f deliveries of %.0f: %+v", deliveries, due, after)
	}
	m["cpu"] = float64(cpu.Microseconds()) / deliveries
	m["wire"] = float64(after.Wire-before.Wire) / deliveries
	m["delivered"] = deliveries / took.Seconds()
	percentiles(m, crowd.TakeLatency())
	return m, nil
}
