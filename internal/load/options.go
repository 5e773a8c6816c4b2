// Package load is a crowd of clients and a publisher, for finding out what a server of
// Roomcast's contract takes, and what it loses.
package load

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Transport is how clients reach the server.
type Transport string

const (
	// Websocket opens a websocket at once.
	Websocket Transport = "websocket"
	// Polling stays with long-polling.
	Polling Transport = "polling"
	// Upgrade begins with long-polling and goes over to a websocket, as official clients do.
	Upgrade Transport = "upgrade"
)

// Options say what a crowd of clients is and does.
type Options struct {
	// Servers are base URLs, http or https; clients are spread over them in turn, and one
	// that was lost tries the next.
	Servers []string
	// AllAtFirst has all clients begin at the first server.
	AllAtFirst bool
	Clients    int
	// Rooms is how many rooms there are; each client joins RoomsPerClient of them.
	Rooms          int
	RoomsPerClient int
	Transport      Transport
	// Revision is that of Engine.IO: 4 for clients 3.x and 4.x, 3 for 1.x and 2.x.
	Revision int
	// Ramp is how many clients connect each second; 0 for as fast as it goes.
	Ramp int
	// ReconnectDelay is the mean time before a lost client comes back, drawn between half
	// and one and a half of it each time. Official clients' first delay is 1 s.
	ReconnectDelay time.Duration
	// Token is sent with CONNECT, as auth.token; empty for none.
	Token string
	// Workspace is the workspace of all rooms.
	Workspace string
	// Dialogue makes what one client says on its websocket. Nil is Socket.IO.
	Dialogue func(rooms []Room) Dialogue
}

// Validate reports all that is wrong, joined; each begins with the name of the flag of
// "roomcast load".
func (o *Options) Validate() error {
	var faults []error
	refuse := refusing(&faults)
	refuse(len(o.Servers) == 0, "url: must name a server")
	for _, server := range o.Servers {
		refuseURL(&faults, "url", server)
	}
	refuse(o.Clients < 1, "clients: must be at least 1, not %d", o.Clients)
	refuse(o.Rooms < 1, "rooms: must be at least 1, not %d", o.Rooms)
	refuse(o.RoomsPerClient < 1 || o.RoomsPerClient > max(o.Rooms, 1),
		"rooms-per-client: must be from 1 to the number of rooms, not %d", o.RoomsPerClient)
	refuse(o.Transport != Websocket && o.Transport != Polling && o.Transport != Upgrade,
		"transport: must be websocket, polling or upgrade, not %q", o.Transport)
	refuse(o.Revision != 3 && o.Revision != 4, "protocol: must be 3 or 4, not %d", o.Revision)
	refuse(o.Ramp < 0, "ramp: must be 0 or more, not %d", o.Ramp)
	refuse(o.ReconnectDelay < 0, "reconnect-delay: must be 0 or more, not %s", o.ReconnectDelay)
	refuse(o.Workspace == "", "workspace: must not be empty")
	return errors.Join(faults...)
}

func refusing(faults *[]error) func(wrong bool, format string, args ...any) {
	return func(wrong bool, format string, args ...any) {
		if wrong {
			*faults = append(*faults, fmt.Errorf(format, args...))
		}
	}
}

func refuseURL(faults *[]error, name, text string) {
	u, err := url.Parse(text)
	refusing(faults)(err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "",
		"%s: must be of the form http://host:port, not %q", name, text)
}

// Room is one room of the run.
type Room struct {
	Index     int
	Workspace string
	App       string
}

// Name is the room's name on the wire, which is also the name of its events.
func (r Room) Name() string { return "workspace_" + r.Workspace + "_app_" + r.App }

func (o *Options) room(index int) Room {
	return Room{Index: index, Workspace: o.Workspace, App: fmt.Sprintf("room-%d", index)}
}

// roomsOf are a client's rooms: each room has as many clients as any other, give or take one.
func (o *Options) roomsOf(client int) []Room {
	rooms := make([]Room, o.RoomsPerClient)
	for i := range rooms {
		rooms[i] = o.room((client*o.RoomsPerClient + i) % o.Rooms)
	}
	return rooms
}

// server is where a client goes at an attempt.
func (o *Options) server(client, attempt int) string {
	at := attempt
	if !o.AllAtFirst {
		at += client
	}
	return strings.TrimSuffix(o.Servers[at%len(o.Servers)], "/")
}
