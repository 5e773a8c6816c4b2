package app

import (
	"container/list"
	"context"
	"crypto/tls"
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
	// most bounds the connections whose first request has not come. Beyond it the one that has
	// waited longest is closed: who means it well has sent its request within a moment, and must
	// not wait behind those who never will. Zero: no bound.
	most    int
	dropped func() // is told of each that is closed so

	mu   sync.Mutex
	all  map[net.Conn]*arrival
	open int           // of all, those on which a request is coming or under way
	none chan struct{} // closed when none is open, nil unless somebody waits

	requestless list.List // of net.Conn, in the order they came
}

// arrival is one of them, from its beginning to its end or until it is a websocket.
type arrival struct {
	open     bool
	accepted time.Time     // zero once its first request was read
	place    *list.Element // in requestless; nil likewise
}

func newArrivals(most int, dropped func()) *arrivals {
	return &arrivals{most: most, dropped: dropped, all: make(map[net.Conn]*arrival)}
}

// observe is the server's ConnState hook.
func (a *arrivals) observe(conn net.Conn, state http.ConnState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch state {
	case http.StateNew:
		a.all[conn] = &arrival{open: true, accepted: time.Now(), place: a.requestless.PushBack(conn)}
		a.open++
		a.makeRoom()
	case http.StateActive:
		if one := a.all[conn]; one != nil {
			one.accepted = time.Time{}
			a.unplace(one)
			a.reopen(one)
		}
	case http.StateIdle:
		a.shut(a.all[conn])
	case http.StateHijacked, http.StateClosed:
		a.unplace(a.all[conn])
		a.shut(a.all[conn])
		delete(a.all, conn)
	}
}

// makeRoom closes the connection that has waited longest for its first request, if too many do.
func (a *arrivals) makeRoom() {
	if a.most == 0 || a.requestless.Len() <= a.most {
		return
	}
	oldest, _ := a.requestless.Front().Value.(net.Conn)
	a.unplace(a.all[oldest])
	if encrypted, ok := oldest.(*tls.Conn); ok {
		oldest = encrypted.NetConn() // its own Close would wait for the other side
	}
	_ = oldest.Close() // the server hears of it from its next read
	a.dropped()
}

func (a *arrivals) unplace(one *arrival) {
	if one != nil && one.place != nil {
		a.requestless.Remove(one.place)
		one.place = nil
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
