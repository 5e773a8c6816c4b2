package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"sync"

	"github.com/roomcast/roomcast/internal/config"
	"github.com/roomcast/roomcast/internal/playground"
)

const (
	demoInstances = 3
	// demoHost keeps the demo to this machine: it lets everybody in.
	demoHost = "127.0.0.1"
	// demoPorts is how many ports from the first on are tried.
	demoPorts = 100
	maxPort   = 65535
)

// Demo is several instances in one process, on one embedded store.
type Demo struct {
	instances []*Instance
	urls      []string
}

// NewDemo wires the instances and takes their ports: the configured one, or the next that
// is free, and so on. They listen on loopback only.
func NewDemo(cfg config.Config, build Build, logger *slog.Logger) (*Demo, error) {
	listeners, err := listenInARow(cfg.Listen.Port)
	if err != nil {
		return nil, err
	}
	d := &Demo{}
	var panes []playground.Pane
	for n, listener := range listeners {
		url := "http://" + listener.Addr().String()
		d.urls = append(d.urls, url)
		cfg.Access.Origins.List = append(cfg.Access.Origins.List, url, localhost(listener))
		panes = append(panes, playground.Pane{Label: "instance " + demoName(n), URL: url})
	}
	bus := newBus(cfg)
	for n, listener := range listeners {
		cfg.Instance = demoName(n)
		cfg.Listen.Admin, cfg.Drain = "", config.Drain{}
		d.instances = append(d.instances, New(Options{
			Config: cfg, Store: bus.Store(), Build: build,
			Page:     playground.Options{Here: panes[n].Label, Panes: panes[:2]},
			Logger:   logger.With("instance", cfg.Instance),
			Listener: listener,
		}))
	}
	return d, nil
}

func demoName(n int) string { return string(rune('A' + n)) } //nolint:gosec // three at most

func localhost(listener net.Listener) string {
	_, port, _ := net.SplitHostPort(listener.Addr().String()) // a listener's own address
	return "http://localhost:" + port
}

// listenInARow takes the first free ports from first on; any port if first is 0.
func listenInARow(first int) ([]net.Listener, error) {
	var listeners []net.Listener
	var failed error
	last := min(first+demoPorts-1, maxPort)
	for port := first; port <= last && len(listeners) < demoInstances; port++ {
		try := port
		if first == 0 {
			try = 0
		}
		listener, err := net.Listen("tcp", net.JoinHostPort(demoHost, strconv.Itoa(try)))
		if err != nil {
			failed = err
			continue
		}
		listeners = append(listeners, listener)
	}
	if len(listeners) == demoInstances {
		return listeners, nil
	}
	for _, listener := range listeners {
		_ = listener.Close()
	}
	return nil, fmt.Errorf("no %d free ports from %d to %d: %w", demoInstances, first, last, failed)
}

// Start starts all instances.
func (d *Demo) Start(ctx context.Context) error {
	for n, instance := range d.instances {
		if err := instance.Start(ctx); err != nil {
			return errors.Join(err, d.stop(ctx, d.instances[:n]))
		}
	}
	return nil
}

// Stop takes all instances down.
func (d *Demo) Stop(ctx context.Context) error { return d.stop(ctx, d.instances) }

func (d *Demo) stop(ctx context.Context, instances []*Instance) error {
	errs := make([]error, len(instances))
	var stopping sync.WaitGroup
	for n, instance := range instances {
		stopping.Go(func() { errs[n] = instance.Stop(ctx) })
	}
	stopping.Wait()
	return errors.Join(errs...)
}

// URLs is where the instances are reached.
func (d *Demo) URLs() []string { return d.urls }

// Explain writes what to try next.
func (d *Demo) Explain(w io.Writer) {
	fmt.Fprintf(w, `Roomcast is running: three instances, one channel, nothing but this process.

  instance A  %[1]s
  instance B  %[2]s
  instance C  %[3]s

1. See it: open %[1]s in a browser.
   The page has two clients, one on instance A and one on instance B, both in the room of
   workspace "demo", app "board".

2. Publish on instance C, by REST; both clients get it:

curl -X PUT %[3]s/api/v1/apps/ -d '{"workspaceId":"demo","appId":"board","displayName":"Hello from C"}'

3. Connect your own client, any Socket.IO version:

   const socket = io("%[1]s");
   socket.on("connect", () => {
     socket.emit("application", {event: "SUBSCRIBE", payload: {workspaceId: "demo", appId: "board"}});
   });
   socket.on("workspace_demo_app_board", (update) => console.log(update));

Programs on this machine may connect, and this page; pages of other origins and other
machines cannot. Stop with Ctrl-C.
`, d.urls[0], d.urls[1], d.urls[2])
}
