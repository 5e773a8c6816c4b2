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
	all  map[net.Conn]*arrival
	open int           // of all, those on which a request is coming or under way
	none chan struct{} // closed when none is open, nil unless somebody waits
}

// arrival is one of them, from its beginning to its end or until it is a websocket.
type arrival struct {
	open     bool
	accepted time.Time // zero once its first request was read
}

// observe is the server's ConnState hook.
func (a *arrivals) observe(conn net.Conn, state http.ConnState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch state {
	case http.StateNew:
		a.all[conn] = &arrival{open: true, accepted: time.Now()}
		a.open++
	case http.StateActive:
		if one := a.all[conn]; one != nil {
			one.accepted = time.Time{}
			a.reopen(one)
		}
	case http.StateIdle:
		a.shut(a.all[conn])
	case http.StateHijacked, http.StateClosed:
		a.shut(a.all[conn])
		delete(a.all, conn)
	}
}

func (a *arrivals) reopen(one *arrival) {
	if !one.open {
		one.open = true
		a.open++
	}
}

func (a *arrivals) shut(one *arrival) {
	if one != nil && one.open {
		one.open = false
		a.open--
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
	for _, one := range a.all {
		if !one.accepted.IsZero() && time.Since(one.accepted) > arrivalTime {
			a.shut(one)
		}
	}
	none := make(chan struct{})
	a.none = none
	a.tell()
	return none
}

func (a *arrivals) tell() {
	if a.open == 0 && a.none != nil {
		close(a.none)
		a.none = nil
	}
}
