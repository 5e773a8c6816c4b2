package app

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// arrivalTime is how long a connection may take to its first request and still count as
// one on which a request is coming. Browsers and balancers open some to have them ready.
const arrivalTime = 2 * time.Second

// arrivals are the connections of an HTTP server on which a request is coming or under
// way: not those kept for later ones, and not websockets. http.Server knows them too, but
// when it is told to wait for them it drops, unanswered, every request it has not yet read.
type arrivals struct {
	mu   sync.Mutex
	open map[net.Conn]time.Time // when it was accepted, zero once its request was read
	none chan struct{}          // closed when open is empty, nil unless somebody waits
}

// observe is the server's ConnState hook.
func (a *arrivals) observe(conn net.Conn, state http.ConnState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch state {
	case http.StateNew:
		a.open[conn] = time.Now()
	case http.StateActive:
		a.open[conn] = time.Time{}
	case http.StateIdle, http.StateHijacked, http.StateClosed:
		delete(a.open, conn)
		a.tell()
	}
}

// await waits until there are none, or for as long as one may take to come.
func (a *arrivals) await(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, arrivalTime)
	defer cancel()
	select {
	case <-a.watch():
	case <-ctx.Done():
	}
}

// watch returns what is closed when there are none; those that have long been silent no
// longer count.
func (a *arrivals) watch() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	for conn, accepted := range a.open {
		if !accepted.IsZero() && time.Since(accepted) > arrivalTime {
			delete(a.open, conn)
		}
	}
	none := make(chan struct{})
	a.none = none
	a.tell()
	return none
}

func (a *arrivals) tell() {
	if len(a.open) == 0 && a.none != nil {
		close(a.none)
		a.none = nil
	}
}
