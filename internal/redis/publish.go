package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

var errNoID = errors.New("a publication needs an id")

// Publish gives the publication the next sequence, keeps it in the room's history and
// sends it on the channel, all or nothing. A fault of the connection leaves open whether
// it happened, so it is repeated under the publication's id until ctx ends; what Redis
// refuses for longer than that fails at once (see passing).
func (s *Store) Publish(ctx context.Context, publication event.Publication) (event.Receipt, error) {
	if publication.ID == "" {
		return event.Receipt{}, fmt.Errorf("publish: %w", errNoID)
	}
	room := publication.Room
	keys := append(s.keys.channel(), s.keys.room(room), s.keys.id(publication.ID))
	// Redis refuses a time to live of zero, after everything else has been written.
	remember := max(publication.Remember, time.Millisecond).Milliseconds()
	result, err := s.runTogether(ctx, s.scripts.publish, keys,
		s.channel, room.String(), publication.Object, publication.Fingerprint, remember,
		s.history.size, s.history.bytes, s.history.ttl, s.history.rooms, s.process.Load())
	s.refusals.published(err)
	if err != nil {
		return event.Receipt{}, fmt.Errorf("publish: %w", err)
	}
	outcome, position := result.text(), result.position()
	switch {
	case result.err != nil:
		return event.Receipt{}, fmt.Errorf("publish: %w", result.err)
	case outcome == "reused":
		return event.Receipt{}, fmt.Errorf("publish: %w", event.ErrIDReused)
	}
	return event.Receipt{Position: position, Duplicate: outcome == "duplicate"}, nil
}

// Beat sends a heartbeat with the current top on the channel, consuming no sequence, and
// renews the instance's lease. It is not repeated: the next one is due soon and tells more.
func (s *Store) Beat(ctx context.Context, instance string, sent time.Duration) error {
	if err := event.CheckID("instance", instance); err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	number := s.echo.begin(instance)
	err := s.scripts.heartbeat.Run(ctx, s.client, append(s.keys.channel(), s.keys.leases()),
		newEpoch(), s.channel, instance, sent.Microseconds()).Err()
	s.echo.end(number, err)
	if err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	return nil
}
