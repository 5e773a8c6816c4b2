package redis

import (
	"context"
	"fmt"
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
	case message.claimed != event.Claimed{}:
		sink.Claimed(message.claimed)
	default:
		sink.Heartbeat(message.beat)
	}
}
