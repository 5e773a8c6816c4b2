package redis

import (
	"context"
	"errors"
	"net"
	"sync"
)

// link is the connection of one call of listen. go-redis neither interrupts a read when
// its context ends, nor reports a lost connection before it has tried to replace it; but
// the replacement would be opened and subscribed without the sink being told.
type link struct {
	mu          sync.Mutex
	connections []net.Conn // one, and those to sentinels that were asked for its address
	sealed      bool       // no further connection may be opened
}

type linkKey struct{}

var errSealed = errors.New("the feed opens its connections one by one")

// linked gives the connection that is opened for a feed to its link. Commands dial by
// theirs.
func linked(dial, command dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		feed, _ := ctx.Value(linkKey{}).(*link)
		if feed == nil {
			return command(ctx, network, address)
		}
		return feed.open(func() (net.Conn, error) { return dial(ctx, network, address) })
	}
}

func (l *link) open(dial func() (net.Conn, error)) (net.Conn, error) {
	if l.isSealed() {
		return nil, errSealed
	}
	connection, err := dial()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sealed {
		_ = connection.Close() // cut while dialing
		return nil, errSealed
	}
	l.connections = append(l.connections, connection)
	return connection, nil
}

func (l *link) isSealed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sealed
}

func (l *link) seal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sealed = true
}

// cut ends whatever waits for the connection.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sealed = true
	for _, connection := range l.connections {
		_ = connection.Close()
	}
}
