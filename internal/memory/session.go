package memory

import (
	"context"
	"fmt"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

// Enter notes that a session has joined room, in one record with the stays it has already,
// and returns the top at which it did.
func (s *Store) Enter(ctx context.Context, record event.Record, room event.Room, number uint64) (event.Top, error) {
	if err := permitted(ctx, record); err != nil {
		return event.Top{}, fmt.Errorf("enter a room: %w", err)
	}
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	stay := event.Stay{Room: room, Joined: s.bus.top, Number: number}
	if err := s.bus.records.keep(record, &stay, s.bus.top.Epoch, time.Now()); err != nil {
		return s.bus.standing(), fmt.Errorf("enter a room: %w", err)
	}
	return event.Top{Position: stay.Joined, Previous: s.bus.previous}, nil
}

// Restore writes a whole record again.
func (s *Store) Restore(ctx context.Context, record event.Record) error {
	if err := permitted(ctx, record); err != nil {
		return fmt.Errorf("restore a session's record: %w", err)
	}
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	if err := s.bus.records.keep(record, nil, s.bus.top.Epoch, time.Now()); err != nil {
		return fmt.Errorf("restore a session's record: %w", err)
	}
	return nil
}

// Leave notes that a session has left room, which it had joined under that number or an
// earlier one.
func (s *Store) Leave(ctx context.Context, tenancy event.Tenancy, room event.Room, number uint64) error {
	if err := permitted(ctx, tenancy); err != nil {
		return fmt.Errorf("leave a room: %w", err)
	}
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	if err := s.bus.records.leave(tenancy, room, number, time.Now()); err != nil {
		return fmt.Errorf("leave a room: %w", err)
	}
	return nil
}

// Part notes that a session's connection has ended: left for good, or lost and to be
// claimed within window.
func (s *Store) Part(ctx context.Context, tenancy event.Tenancy, left bool, window time.Duration) error {
	if err := permitted(ctx, tenancy); err != nil {
		return fmt.Errorf("part from a session: %w", err)
	}
	var keep time.Duration
	if !left {
		keep = max(window, 0) + event.RecordGrace
	}
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	s.bus.records.part(tenancy, keep, time.Now())
	return nil
}

// Claim takes a session over.
func (s *Store) Claim(ctx context.Context, claim event.Claim) (event.Record, event.Top, error) {
	if err := permitted(ctx, claim); err != nil {
		return event.Record{}, event.Top{}, fmt.Errorf("claim a session: %w", err)
	}
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	record, err := s.bus.records.claim(claim, s.bus.top.Epoch, time.Now())
	if err != nil {
		return event.Record{}, event.Top{}, fmt.Errorf("claim a session: %w", err)
	}
	s.bus.tell(notice{claimed: event.Claimed{Digest: event.DigestPID(record.PID), Generation: record.Generation}})
	return record, s.bus.standing(), nil
}

// permitted reports why a request must not be carried out, if so.
func permitted(ctx context.Context, request interface{ Check() error }) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return request.Check()
}
