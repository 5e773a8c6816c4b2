package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

var (
	errNoID   = errors.New("a publication needs an id")
	errAnswer = errors.New("publish.lua answers what it is not to")
)

// outgoing is a publication on its way.
type outgoing struct {
	event.Publication

	answer string
	err    error
}

// Publish gives the publication the next sequence, keeps it in the room's history and
// sends it on the channel, all or nothing. A fault of the connection leaves open whether
// it happened, so it is repeated under the publication's id until ctx ends; what Redis
// refuses for longer than that fails at once (see passing).
func (s *Store) Publish(ctx context.Context, publication event.Publication) (event.Receipt, error) {
	if publication.ID == "" {
		return event.Receipt{}, fmt.Errorf("publish: %w", errNoID)
	}
	out := &outgoing{Publication: publication}
	err := retry(ctx, func() error {
		if err := s.outbox.take(ctx, out, len(out.Object)); err != nil {
			return err
		}
		return out.err
	})
	s.refusals.note(err)
	s.refusals.published(err)
	var receipt event.Receipt
	if err == nil {
		receipt, err = parseReceipt(out.answer)
	}
	if err != nil {
		return event.Receipt{}, fmt.Errorf("publish: %w", err)
	}
	return receipt, nil
}

// publishAll publishes what has come together, in one run of the script. What goes wrong with
// all of it is everyone's error.
func (s *Store) publishAll(ctx context.Context, batch []*parcel[*outgoing]) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ioTimeout)
	defer cancel()
	keys := append(append(make([]string, 0, 3+2*len(batch)), s.keys.channel()...), s.keys.tails())
	args := append(make([]any, 0, 7+4*len(batch)), newEpoch(), s.channel, s.process.Load(),
		s.history.size, s.history.bytes, s.history.ttl, s.history.rooms)
	for _, p := range batch {
		out := p.cargo
		keys = append(keys, s.keys.room(out.Room), s.keys.id(out.ID))
		// Redis refuses a time to live of zero.
		remember := max(out.Remember, time.Millisecond).Milliseconds()
		args = append(args, out.Room.String(), out.Object, out.Fingerprint, remember)
	}
	answers, err := s.scripts.publish.Run(ctx, s.client, keys, args...).StringSlice()
	if err == nil && len(answers) != len(batch) {
		err = errAnswer
	}
	for i, p := range batch {
		p.cargo.answer, p.cargo.err = "", err
		if err == nil {
			p.cargo.accept(answers[i])
		}
	}
}

// accept takes what publish.lua says of the publication.
func (o *outgoing) accept(answer string) {
	if text, failed := strings.CutPrefix(answer, "failed "); failed {
		o.err = refused(text)
		return
	}
	o.answer = answer
}

// parseReceipt reads what publish.lua says of a publication that did not fail.
func parseReceipt(answer string) (event.Receipt, error) {
	outcome, rest, _ := strings.Cut(answer, " ")
	epoch, sequence, _ := strings.Cut(rest, " ")
	position, err := parsePosition(epoch, sequence)
	switch {
	case err != nil:
		return event.Receipt{}, fmt.Errorf("%w: %w", errAnswer, err)
	case outcome == "reused":
		return event.Receipt{}, event.ErrIDReused
	}
	return event.Receipt{Position: position, Duplicate: outcome == "duplicate"}, nil
}

// refused is what Redis answered to a command of a script that went on.
type refused string

func (r refused) Error() string { return string(r) }

// RedisError marks it for go-redis as an answer of Redis.
func (refused) RedisError() {}

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
