package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/roomcast/roomcast/internal/event"
)

// silence is how long a feed may hear nothing. Every instance sends a heartbeat a second,
// so a connection that stays silent longer is deaf, however healthy it looks.
const silence = 5 * time.Second

// Follow hears the channel until ctx ends and then returns nil. It reconnects by itself,
// for ever.
func (s *Store) Follow(ctx context.Context, sink event.Sink) error {
	pause := backoff{first: 50 * time.Millisecond, most: 2 * time.Second}
	interrupted := false
	for {
		confirmed, err := s.listen(ctx, sink)
		if ctx.Err() != nil {
			return nil
		}
		if confirmed {
			pause.reset()
			interrupted = false
		}
		if !interrupted {
			interrupted = true
			sink.Interrupted(err)
		} else {
			s.logger.Debug("the feed could not reconnect", "error", err)
		}
		if !pause.wait(ctx) {
			return nil
		}
	}
}

// listen hears the channel over one connection until that fails, and reports whether the
// subscription was confirmed.
func (s *Store) listen(ctx context.Context, sink event.Sink) (confirmed bool, err error) {
	connection := new(link)
	ctx = context.WithValue(ctx, linkKey{}, connection)
	defer context.AfterFunc(ctx, connection.cut)()

	feed := s.client.Subscribe(ctx)
	defer func() { _ = feed.Close() }() // why it failed is in err already
	if err := feed.Subscribe(ctx, s.channel); err != nil {
		return false, fmt.Errorf("subscribe: %w", err)
	}
	connection.seal()
	for {
		heard, err := feed.ReceiveTimeout(ctx, silence)
		if err != nil {
			return confirmed, fmt.Errorf("hear the channel: %w", err)
		}
		switch heard := heard.(type) {
		case *goredis.Subscription:
			confirmed = true
			sink.Subscribed()
		case *goredis.Message:
			tell(sink, heard.Payload)
		}
	}
}

func tell(sink event.Sink, text string) {
	switch message, err := parse(text); {
	case err != nil:
		sink.Rejected(err)
	case message.event != nil:
		sink.Event(message.event)
	default:
		sink.Heartbeat(message.beat)
	}
}

// link is the connection of one call of listen. go-redis neither interrupts a read when
// its context ends, nor reports a lost connection before it has tried to replace it; but
// the replacement would be opened and subscribed without the sink being told.
type link struct {
	mu         sync.Mutex
	connection net.Conn
	sealed     bool // no further connection may be opened
}

type linkKey struct{}

var errSealed = errors.New("the feed opens its connections one by one")

// linked gives the connection that is opened for a feed to its link.
func linked(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		feed, _ := ctx.Value(linkKey{}).(*link)
		if feed == nil {
			return dial(ctx, network, address)
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
	l.connection = connection
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
	if l.connection != nil {
		_ = l.connection.Close()
	}
}
