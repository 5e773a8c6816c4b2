package main

import (
	"path/filepath"
	"slices"

	"github.com/roomcast/roomcast/internal/load"
)

// contender is one server that is measured.
type contender struct {
	name string
	// command is what starts an instance, given the folder of what was built.
	command func(binaries string) []string
	// environment is set in addition to PORT and REDIS_URL.
	environment []string
	// alone says that it cannot publish through Redis.
	alone    bool
	revision int // of Engine.IO
	dialogue func([]load.Room) load.Dialogue
	shape    shape // of the load, in the scenario that varies it
}

const ours = "roomcast"

func binary(name string) func(string) []string {
	return func(binaries string) []string { return []string{filepath.Join(binaries, name)} }
}

func script(path string) func(string) []string {
	return func(string) []string { return []string{"node", path} }
}

var roomcast = contender{
	name: ours, revision: 4,
	command:     func(binaries string) []string { return []string{filepath.Join(binaries, ours), "serve"} },
	environment: []string{"ROOMCAST_AUTH=none", "ROOMCAST_HOST=127.0.0.1", "ROOMCAST_DRAIN=0s", "ROOMCAST_DRAIN_NOTICE=0s", "ROOMCAST_LOG_LEVEL=warn"},
}

var peers = []contender{
	{name: "floor", revision: 4, command: binary("floor")},
	{name: "node", revision: 4, command: script("peers/node/server.js"), environment: []string{"ADAPTER=pubsub"}},
	{name: "node-streams", revision: 4, command: script("peers/node/server.js"), environment: []string{"ADAPTER=streams"}},
	{name: "centrifuge", revision: 4, command: binary("centrifuge"), dialogue: newCentrifuge},
	{name: "zishang", revision: 4, command: binary("zishang"), alone: true},
	{name: "googollee", revision: 3, command: binary("googollee"), alone: true},
}

// These are measured in one scenario alone.
var (
	nodeXADD = contender{name: "node-xadd", command: script("peers/node/xadd.js")}
	goXADD   = contender{name: "goxadd", command: binary("goxadd")}
)

// revision3 is Roomcast with clients of Socket.IO 1 and 2.
var revision3 = contender{
	name: "roomcast-eio3", revision: 3, command: roomcast.command, environment: roomcast.environment,
}

func peerNames() []string {
	var names []string
	for _, p := range peers {
		names = append(names, p.name)
	}
	return names
}

// chosen is Roomcast and the peers with those names that a scenario can be done with.
func chosen(names []string, fit func(contender) bool) []contender {
	contenders := []contender{roomcast}
	for _, p := range peers {
		if slices.Contains(names, p.name) && fit(p) {
			contenders = append(contenders, p)
		}
	}
	return contenders
}

func everyone(contender) bool { return true }

func throughRedis(c contender) bool { return !c.alone }
