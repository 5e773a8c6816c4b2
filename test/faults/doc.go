// Package faults breaks what a deployment can lose while numbered updates flow, and counts what
// official clients made of it.
//
// Each test starts instances of the built binary, a real Redis, and a crowd of official clients
// behind a plain TCP balancer that tries the next backend when a connect is refused. Between
// each instance and Redis there is toxiproxy, with a toxic of ours that can lose publications
// or the subscriber's connection alone. A publisher numbers updates per room, sends them over
// REST to the instances in turn, and keeps which of them were acknowledged; every client writes
// down what it gets. In the end test/continuity compares the two: lost, doubled, out of order,
// not recovered, told to reload.
//
// One line of figures a test, and the seed of what was random, are logged:
//
//	go test -v -race ./test/faults
//	go test -v -race ./test/faults -run Bursts -seed 42
//
// As part of `make test` each scenario is small and short. `make soak` runs all at full size,
// again and again with new seeds, for SOAK_TIME:
//
//	make soak SOAK_TIME=2h
//	go test -v -timeout 0 ./test/faults -run Rolling -soak 20m
//
// A benchmark tells what it would cost to wait for a replica with each publication:
//
//	go test -run '^$' -bench Replica ./test/faults
package faults
