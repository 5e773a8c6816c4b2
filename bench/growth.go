package main

import (
	"cmp"
	"context"
	"time"

	"github.com/roomcast/roomcast/internal/load"
)

// shape is the form of a load: how many are in how many rooms, and what they get.
type shape struct {
	clients, rooms int
	roomsPerClient int     // 0 for 1
	size           int     // of a publication, in bytes; 0 for payloadBytes
	rate           float64 // publications in a second
	transport      load.Transport
	revision       int // of Engine.IO; 0 for 4
	instances      int // that deliver; 0 for 1. One more is published at
}

// shapes are rows of the table. Where it can be, about 20,000 updates are delivered in a
// second, so that rows can be compared.
var shapes = []struct {
	name string
	shape
}{
	{"rooms of 1", shape{clients: 2000, rooms: 2000, rate: 2000}},
	{"rooms of 10", shape{clients: 2000, rooms: 200, rate: 1000}},
	{"rooms of 100", shape{clients: 2000, rooms: 20, rate: 200}},
	{"a room of 1,000", shape{clients: 1000, rooms: 1, rate: 20}},
	{"a room of 10,000", shape{clients: 10_000, rooms: 1, rate: 2}},
	{"a room of 1,000 on 2 instances", shape{clients: 1000, rooms: 1, rate: 20, instances: 2}},
	{"a room of 1,000 on 4 instances", shape{clients: 1000, rooms: 1, rate: 20, instances: 4}},
	{"rooms of 100, each client in 10", shape{clients: 1000, rooms: 100, roomsPerClient: 10, rate: 200}},
	{"a room of 1,000, 2 KB", shape{clients: 1000, rooms: 1, rate: 20, size: 2 << 10}},
	{"a room of 1,000, 16 KB", shape{clients: 1000, rooms: 1, rate: 10, size: 16 << 10}},
	{"a room of 1,000, 64 KB", shape{clients: 1000, rooms: 1, rate: 2, size: 64 << 10}},
	{"a room of 1,000, Engine.IO 3", shape{clients: 1000, rooms: 1, rate: 20, revision: 3}},
	{"a room of 500, polling", shape{clients: 500, rooms: 1, rate: 10, transport: load.Polling}},
	{"nobody there", shape{clients: 1, rooms: 1000, rate: 1000}},
}

var growth = scenario{
	name:  "growth",
	title: "Roomcast alone, from small rooms to large ones; publications by REST on another instance, through Redis",
	rows:  true,
	metrics: []metric{
		{key: "cpu", title: "CPU for each delivery, µs", plain: true},
		{key: "heard", title: "CPU for each publication, on each instance, µs", plain: true},
		{key: "delivered", title: "deliveries/s", plain: true},
		{key: "p50", title: "p50, ms", plain: true},
		{key: "p99", title: "p99, ms", plain: true},
		{key: "load", title: "load side, cores", plain: true},
		{key: "spare", title: "idle, %", plain: true},
	},
	contenders: func([]string) []contender {
		var rows []contender
		for _, s := range shapes {
			row := roomcast
			row.name, row.shape = s.name, s.shape
			rows = append(rows, row)
		}
		return rows
	},
	run: func(ctx context.Context, w *workbench) (measured, error) {
		return measureSteady(ctx, w, w.contender.shape, growthTime)
	},
}

// growthTime is how long one shape is measured.
const growthTime = 6 * time.Second

// shaped are the clients of a shape, spread over the instances.
func (w *workbench) shaped(s shape, instances []*process) load.Options {
	options := w.options(w.scaled(s.clients), w.scaled(s.rooms), instances...)
	options.AllAtFirst = false
	options.RoomsPerClient = min(max(s.roomsPerClient, 1), options.Rooms)
	options.Revision = cmp.Or(s.revision, options.Revision)
	options.Transport = cmp.Or(s.transport, options.Transport)
	return options
}
