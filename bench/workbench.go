package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/roomcast/roomcast/internal/load"
)

// workbench is the processes of one measurement: Redis and instances of one server.
type workbench struct {
	contender contender
	binaries  string
	small     bool
	redis     *process
	folder    string // of Redis
	instances []*process
}

func newWorkbench(ctx context.Context, c contender, binaries string, small bool) (*workbench, error) {
	w := &workbench{contender: c, binaries: binaries, small: small}
	if c.alone {
		return w, nil
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	if w.folder, err = os.MkdirTemp("", "roomcast-bench-redis-"); err != nil {
		return nil, err
	}
	w.redis, err = start(ctx, []string{"redis-server", "--port", strconv.Itoa(port), "--bind", "127.0.0.1",
		"--dir", w.folder, "--save", "", "--appendonly", "no"}, nil, port, accepts)
	if err != nil {
		w.close()
		return nil, fmt.Errorf("redis-server: %w", err)
	}
	return w, nil
}

// instance starts one more instance.
func (w *workbench) instance(ctx context.Context) (*process, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	environment := append([]string{"PORT=" + strconv.Itoa(port)}, w.contender.environment...)
	if w.redis != nil {
		environment = append(environment, "REDIS_URL=redis://"+w.redis.address())
	}
	command := w.contender.command(w.binaries)
	ready := accepts
	if command[len(command)-1] == "serve" {
		ready = answersReady
	}
	p, err := start(ctx, command, environment, port, ready)
	if err != nil {
		return nil, err
	}
	w.instances = append(w.instances, p)
	return p, nil
}

// pair starts the instance that delivers and the one that is published at.
func (w *workbench) pair(ctx context.Context) (delivering, publishing *process, err error) {
	all, publishing, err := w.sides(ctx, 1)
	if err != nil {
		return nil, nil, err
	}
	return all[0], publishing, nil
}

// sides starts instances that deliver and one that is published at: the first of them where
// the server cannot do it through Redis.
func (w *workbench) sides(ctx context.Context, n int) (delivering []*process, publishing *process, err error) {
	for range n {
		instance, err := w.instance(ctx)
		if err != nil {
			return nil, nil, err
		}
		delivering = append(delivering, instance)
	}
	if w.contender.alone {
		return delivering, delivering[0], nil
	}
	publishing, err = w.instance(ctx)
	return delivering, publishing, err
}

// scaled is a count of a scenario, or a tenth of it.
func (w *workbench) scaled(n int) int {
	if w.small {
		return max(1, n/10)
	}
	return n
}

const workspace = "bench"

// gather has clients connect to a process, and to the next ones whenever they were lost, and
// waits until they have joined.
func (w *workbench) gather(ctx context.Context, clients, rooms int, servers ...*process) (*load.Crowd, error) {
	return join(ctx, w.options(clients, rooms, servers...))
}

// options are clients of one room each, all at the first process.
func (w *workbench) options(clients, rooms int, servers ...*process) load.Options {
	options := load.Options{
		Clients: clients, Rooms: rooms, RoomsPerClient: 1, Transport: load.Websocket, AllAtFirst: true,
		Revision: w.contender.revision, Workspace: workspace, Dialogue: w.contender.dialogue,
	}
	for _, server := range servers {
		options.Servers = append(options.Servers, server.url())
	}
	return options
}

// join has clients connect, and waits until they are in their rooms.
func join(ctx context.Context, options load.Options) (*load.Crowd, error) {
	crowd, err := load.Gather(ctx, options)
	if err != nil {
		return nil, err
	}
	joining, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := crowd.AwaitJoined(joining); err != nil {
		crowd.Close()
		return nil, err
	}
	return crowd, nil
}

// payloadBytes is the size of what is published.
const payloadBytes = 200

func (w *workbench) publisher(server *process, rooms int) *load.Publisher {
	return load.NewPublisher(w.publisherOptions(server, rooms))
}

func (w *workbench) publisherOptions(server *process, rooms int) load.PublisherOptions {
	return load.PublisherOptions{
		Servers: []string{server.url()}, Workspace: workspace, Rooms: rooms, Size: payloadBytes,
		Keyless: true, // the peers know none
	}
}

// diagnosis is what the processes have said, of a measurement that failed.
func (w *workbench) diagnosis() error {
	var said []error
	for i, p := range w.instances {
		if text := p.output.String(); text != "" {
			said = append(said, fmt.Errorf("instance %d said: %s", i+1, text))
		}
	}
	return errors.Join(said...)
}

func (w *workbench) close() {
	for _, p := range w.instances {
		p.kill()
	}
	if w.redis != nil {
		w.redis.kill()
	}
	if w.folder != "" {
		_ = os.RemoveAll(w.folder)
	}
}
