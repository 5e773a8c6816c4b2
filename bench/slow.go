package main

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/gobwas/ws"

	"github.com/roomcast/roomcast/internal/load"
)

var slow = scenario{
	name:  "slow",
	title: "one room of 1,000, 200 updates/s, without and then with one member more that reads 1 KB/s for 120 s",
	metrics: append([]metric{
		{key: "quiet", title: "p99 of the others without it, ms", plain: true},
		{key: "p99", title: "p99 of the others with it, ms", plain: true},
		{key: "ratio", title: "with / without", plain: true},
		{key: "cut", title: "times it was cut off", plain: true},
		{key: "before", title: "RSS after 10 s, MB", plain: true},
		{key: "after", title: "RSS at the end, MB", plain: true},
	}, loadMetrics...),
	contenders: func([]string) []contender { return []contender{roomcast} },
	run:        measureSlow,
}

const (
	slowRate    = 1024 // bytes a second
	slowTime    = 120 * time.Second
	slowUpdates = 200 // a second
)

func measureSlow(ctx context.Context, w *workbench) (measured, error) {
	delivering, publishingAt, err := w.pair(ctx)
	if err != nil {
		return nil, err
	}
	crowd, err := w.gather(ctx, w.scaled(1000), 1, delivering)
	if err != nil {
		return nil, err
	}
	defer crowd.Close()
	publisher := w.publisher(publishingAt, 1)
	defer publisher.Close()
	defer publishing(ctx, publisher, slowUpdates)()
	if err := wait(ctx, 2*warmUp); err != nil {
		return nil, err
	}
	length := slowTime
	if w.small {
		length /= 10
	}
	m := measured{}
	if m["quiet"], err = p99Over(ctx, crowd, length/4); err != nil {
		return nil, err
	}
	cuts, stop := readSlowly(ctx, delivering)
	defer stop()
	if err := wait(ctx, length/12); err != nil {
		return nil, err
	}
	if m["before"], err = delivering.memory("VmRSS"); err != nil {
		return nil, err
	}
	span, err := begin(delivering)
	if err != nil {
		return nil, err
	}
	if m["p99"], err = p99Over(ctx, crowd, length-length/12); err != nil {
		return nil, err
	}
	if _, _, err := span.end(m); err != nil {
		return nil, err
	}
	m["after"], err = delivering.memory("VmRSS")
	m["before"] /= 1 << 20
	m["after"] /= 1 << 20
	m["ratio"] = m["p99"] / m["quiet"]
	m["cut"] = float64(cuts())
	return m, err
}

func p99Over(ctx context.Context, crowd *load.Crowd, d time.Duration) (milliseconds float64, err error) {
	crowd.TakeLatency()
	err = wait(ctx, d)
	return float64(crowd.TakeLatency().ValueAtQuantile(99)) / 1000, err
}

// readSlowly is a member that reads slowRate, with a small receive buffer so that the server
// feels it; when it was cut off it comes back.
func readSlowly(ctx context.Context, server *process) (cuts func() int, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	n, done := 0, make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if slowMember(ctx, server) != nil && ctx.Err() == nil {
				n++
				_ = wait(ctx, time.Second)
			}
		}
	}()
	stop = func() { cancel(); <-done }
	return func() int { stop(); return n }, stop
}

// slowMember joins and reads, until the connection ends.
func slowMember(ctx context.Context, server *process) error {
	dialer := ws.Dialer{NetDial: func(ctx context.Context, network, address string) (net.Conn, error) {
		d := net.Dialer{Control: func(_, _ string, socket syscall.RawConn) error {
			return socket.Control(func(fd uintptr) {
				_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
			})
		}}
		return d.DialContext(ctx, network, address)
	}}
	conn, _, _, err := dialer.Dial(ctx, "ws://"+server.address()+"/socket.io/?EIO=4&transport=websocket")
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	subscribe := fmt.Sprintf(`42["application",{"event":"SUBSCRIBE","payload":{"workspaceId":%q,"appId":"room-0"}}]`, workspace)
	for _, text := range []string{"40", subscribe} {
		if err := ws.WriteFrame(conn, ws.MaskFrame(ws.NewTextFrame([]byte(text)))); err != nil {
			return err
		}
	}
	buffer := make([]byte, slowRate/10)
	for {
		if _, err := conn.Read(buffer); err != nil {
			return err
		}
		if err := wait(ctx, time.Second/10); err != nil {
			return err
		}
	}
}
