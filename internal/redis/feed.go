package redis

import (
	"context"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/roomcast/roomcast/internal/event"
)

const (
	// silence is how long a feed may hear nothing, or bring nothing of what this process
	// sends. Every instance sends a heartbeat a second, so a connection that stays silent
	// longer is deaf, however healthy it looks.
	silence = 3 * time.Second
	// drained is how long a feed must have waited for a message to have had none left to
	// be read when it began.
	drained = 5 * time.Millisecond
)

// Follow hears the channel until ctx ends and then returns nil. It reconnects by itself,
// for ever. Wherever the way to Redis breaks, and however quietly, it hears again within
// five seconds of the way's return: an attempt that is under way then fails within
// ioTimeout, the next begins within a second, and a feed that was not found to be broken
// before is within silence.
func (s *Store) Follow(ctx context.Context, sink event.Sink) error {
	pause := backoff{first: 50 * time.Millisecond, most: time.Second}
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
		waiting := time.Now()
		heard, err := feed.ReceiveTimeout(ctx, silence)
		if err != nil {
			return confirmed, fmt.Errorf("hear the channel: %w", err)
		}
		switch heard := heard.(type) {
		case *goredis.Subscription:
			confirmed = true
			s.echo.forget()
			s.eviction.looking.Go(func() { s.checkEviction(ctx) })
			sink.Subscribed()
		case *goredis.Message:
			hadNoMore := time.Since(waiting) > drained
			s.tell(sink, heard.Payload)
			if hadNoMore && s.echo.isMissing(waiting) {
				return confirmed, errNoEcho
			}
		}
	}
}

func (s *Store) tell(sink event.Sink, text string) {
	switch message, err := parse(text); {
	case err != nil:
		sink.Rejected(err)
	case message.event != nil:
		sink.Event(message.event)
	case message.batch != nil:
		for _, event := range message.batch {
			sink.Event(event)
		}
	case message.claimed != event.Claimed{}:
		sink.Claimed(message.claimed)
	default:
		s.echo.heard(message.beat.Instance)
		sink.Heartbeat(message.beat)
	}
}
