package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

// Enter notes that a session has joined room, in one record with the stays it has already,
// and returns the top at which it did. It may be repeated.
func (s *Store) Enter(ctx context.Context, record event.Record, room event.Room, number uint64) (event.Top, error) {
	top, err := s.keep(ctx, record, room.String(), number)
	if err != nil {
		return top, fmt.Errorf("enter a room: %w", err)
	}
	return top, nil
}

// Restore writes a whole record again.
func (s *Store) Restore(ctx context.Context, record event.Record) error {
	if _, err := s.keep(ctx, record, "", 0); err != nil {
		return fmt.Errorf("restore a session's record: %w", err)
	}
	return nil
}

func (s *Store) keep(ctx context.Context, record event.Record, room string, number uint64) (event.Top, error) {
	if err := record.Check(); err != nil {
		return event.Top{}, err
	}
	args := []any{record.Generation, record.SID, record.Subject, record.Instance, record.Vouched, room, number}
	for _, stay := range record.Stays {
		args = append(args, stay.Room.String(), stay.Entered().String())
	}
	result, err := s.runTogether(ctx, s.scripts.keep, s.keys.session(record.PID), args...)
	if err != nil {
		return event.Top{}, err
	}
	switch result.text() {
	case "stale":
		return event.Top{}, event.ErrStaleTenancy
	case "unvouched":
		return readTop(result), cmp.Or(result.err, event.ErrUnvouched)
	}
	return readTop(result), result.err
}

// Leave notes that a session has left room, which it had joined under that number or an
// earlier one. It may be repeated.
func (s *Store) Leave(ctx context.Context, tenancy event.Tenancy, room event.Room, number uint64) error {
	err := tenancy.Check()
	if err == nil {
		var result *reply
		result, err = s.runTogether(ctx, s.scripts.leave, s.keys.session(tenancy.PID), tenancy.Generation, room.String(), number)
		if err == nil && result.text() == "stale" {
			err = event.ErrStaleTenancy
		}
	}
	if err != nil {
		return fmt.Errorf("leave a room: %w", err)
	}
	return nil
}

// Part notes that a session's connection has ended: left for good, or lost and to be
// claimed within window. It may be repeated.
func (s *Store) Part(ctx context.Context, tenancy event.Tenancy, left bool, window time.Duration) error {
	err := tenancy.Check()
	if err == nil {
		var keep int64 // milliseconds
		if !left {
			keep = (max(window, 0) + event.RecordGrace).Milliseconds()
		}
		_, err = s.runTogether(ctx, s.scripts.part, s.keys.session(tenancy.PID), tenancy.Generation, keep)
	}
	if err != nil {
		return fmt.Errorf("part from a session: %w", err)
	}
	return nil
}

// Claim takes a session over. A claim whose answer was lost is repeated and raises the
// generation again, which nobody but the claimer's own first attempt could mind.
func (s *Store) Claim(ctx context.Context, claim event.Claim) (event.Record, event.Top, error) {
	record, top, err := s.claim(ctx, claim)
	if err != nil {
		return event.Record{}, event.Top{}, fmt.Errorf("claim a session: %w", err)
	}
	return record, top, nil
}

func (s *Store) claim(ctx context.Context, claim event.Claim) (event.Record, event.Top, error) {
	if err := claim.Check(); err != nil {
		return event.Record{}, event.Top{}, err
	}
	result, err := s.runTogether(ctx, s.scripts.claim, append(s.keys.session(claim.PID), s.keys.leases()),
		s.channel, event.DigestPID(claim.PID), claim.Subject, claim.Instance,
		claim.Window.Milliseconds(), event.LeaseAlive.Milliseconds())
	if err != nil {
		return event.Record{}, event.Top{}, err
	}
	if len(result.values) == 0 {
		return event.Record{}, event.Top{}, event.ErrNoRecord
	}
	top := readTop(result)
	record := event.Record{Tenancy: event.Tenancy{
		PID: claim.PID, Generation: result.number(), SID: result.text(),
		Subject: claim.Subject, Instance: claim.Instance,
	}}
	record.Stays = readStays(result)
	return record, top, result.err
}

// readStays reads the rest of a reply, in pairs of room and offset.
func readStays(result *reply) []event.Stay {
	var stays []event.Stay
	for result.err == nil && len(result.values) > 0 {
		room, wrongRoom := event.ParseRoom(result.text())
		entered, wrongOffset := event.ParseOffset(result.text())
		if result.err == nil {
			result.err = errors.Join(wrongRoom, wrongOffset)
		}
		stays = append(stays, event.Stay{Room: room, Joined: entered.Position, Number: entered.Joins})
	}
	// Redis tells them in any order; callers and logs are served by a steady one.
	slices.SortFunc(stays, func(a, b event.Stay) int { return strings.Compare(a.Room.String(), b.Room.String()) })
	return stays
}

// session is the keys of a script about one session.
func (k keys) session(pid string) []string {
	return append(k.channel(), k.prefix+"session:"+event.DigestPID(pid))
}

func (k keys) leases() string { return k.prefix + "leases" }
