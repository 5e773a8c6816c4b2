package main

import (
	"context"
	"errors"
	"time"
)

var durable = scenario{
	name:  "durable",
	title: "publishing by REST as fast as 32 connections get answers, kept in Redis, nobody listening; beside bare routes with one XADD in Node (http, ioredis) and Go (net/http, go-redis)",
	metrics: append([]metric{
		{key: "cpu", title: "CPU for each publication, µs"},
		{key: "redis", title: "CPU of Redis for each, µs", plain: true},
		{key: "rate", title: "publications/s"},
		{key: "p99", title: "request to answer, p99, ms"},
	}, loadMetrics...),
	contenders: func([]string) []contender { return []contender{roomcast, nodeXADD, goXADD} },
	run:        measureDurable,
}

func measureDurable(ctx context.Context, w *workbench) (measured, error) {
	const rooms = 100
	server, err := w.instance(ctx)
	if err != nil {
		return nil, err
	}
	publisher := w.publisher(server, rooms)
	defer publisher.Close()
	defer beside(ctx, publisher.Flood)()
	if err := wait(ctx, warmUp); err != nil {
		return nil, err
	}
	publisher.TakeLatency()
	before := publisher.Published()
	redis, err := w.redis.cpu()
	if err != nil {
		return nil, err
	}
	m := measured{}
	cpu, took, err := during(ctx, measuring, m, server)
	if err != nil {
		return nil, err
	}
	redisAfter, err := w.redis.cpu()
	after := publisher.Published()
	publications := float64(after.Accepted - before.Accepted)
	if publications == 0 {
		return nil, errors.New("nothing was accepted")
	}
	m["cpu"] = float64(cpu.Microseconds()) / publications
	m["redis"] = float64((redisAfter-redis)/time.Microsecond) / publications
	m["rate"] = publications / took.Seconds()
	percentiles(m, publisher.TakeLatency())
	return m, err
}
