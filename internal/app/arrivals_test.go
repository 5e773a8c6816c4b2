package app

import (
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// A request that is coming is waited for, not a connection that somebody keeps for later.
func TestArrivals(t *testing.T) {
	const soon, late = 300 * time.Millisecond, arrivalTime + time.Millisecond
	type change struct {
		after time.Duration
		state http.ConnState
	}
	for name, c := range map[string]struct {
		changes []change
		begin   time.Duration // when the waiting begins
		want    time.Duration // how long it lasts
	}{
		"none":                      {},
		"a handshake":               {[]change{{0, http.StateNew}, {soon, http.StateActive}, {soon, http.StateHijacked}}, 0, 2 * soon},
		"a request, then kept":      {[]change{{0, http.StateNew}, {soon, http.StateActive}, {soon, http.StateIdle}}, 0, 2 * soon},
		"another on a kept one":     {[]change{{0, http.StateNew}, {0, http.StateActive}, {0, http.StateIdle}, {soon, http.StateActive}, {soon, http.StateClosed}}, soon, soon},
		"gone without a request":    {[]change{{0, http.StateNew}, {soon, http.StateClosed}}, 0, soon},
		"kept":                      {[]change{{0, http.StateNew}, {0, http.StateActive}, {0, http.StateIdle}}, soon, 0},
		"silent":                    {[]change{{0, http.StateNew}}, soon, arrivalTime},
		"silent for long":           {[]change{{0, http.StateNew}}, late, 0},
		"a request that takes long": {[]change{{0, http.StateNew}, {0, http.StateActive}}, late, arrivalTime},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				coming := newArrivals(0, nil)
				conn, other := net.Pipe()
				defer conn.Close()
				defer other.Close()
				go func() {
					for _, change := range c.changes {
						time.Sleep(change.after)
						coming.observe(conn, change.state)
					}
				}()
				synctest.Wait()
				time.Sleep(c.begin)
				synctest.Wait()
				began := time.Now()
				coming.await(t.Context())
				if lasted := time.Since(began); lasted != c.want {
					t.Errorf("waited for %s, want %s", lasted, c.want)
				}
				time.Sleep(late) // the changes are over
			})
		})
	}
}

// Connections on which nothing is asked are closed for newcomers, the oldest first; one whose
// request has come is none of them, and nobody is closed for one that has gone by itself.
func TestConnectionsWithoutARequestMakeRoom(t *testing.T) {
	dropped := 0
	coming := newArrivals(3, func() { dropped++ })
	var ends []net.Conn
	arrive := func() net.Conn {
		conn, other := net.Pipe()
		t.Cleanup(func() { _, _ = conn.Close(), other.Close() })
		ends = append(ends, other)
		coming.observe(conn, http.StateNew)
		return conn
	}
	closed := func(n int) bool {
		_ = ends[n].SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		_, err := ends[n].Read(make([]byte, 1))
		return errors.Is(err, io.EOF)
	}
	asks := arrive()
	coming.observe(asks, http.StateActive)
	goes := arrive()
	for range 2 {
		arrive()
	}
	coming.observe(goes, http.StateClosed)
	arrive()
	if dropped != 0 {
		t.Errorf("%d were closed, and there was room", dropped)
	}
	arrive()
	for n, want := range []bool{false, false, true, false, false, false} {
		if closed(n) != want {
			t.Errorf("number %d is closed: %t", n, !want)
		}
	}
	if dropped != 1 {
		t.Errorf("%d are counted", dropped)
	}
}
