package event

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

const (
	// MaxSessionID bounds a public or private session id, in characters.
	MaxSessionID = 64
	// MaxSubject bounds a subject, in bytes.
	MaxSubject = 256

	// RecordLife is how long stores keep a record after its last change, and a lease after
	// its last renewal.
	RecordLife = 24 * time.Hour
	// RecordGrace is how long the record of a lost connection outlives its window, so that
	// it is a claim's judgement that ends it and not two clocks' disagreement.
	RecordGrace = time.Minute
	// LeaseAlive is the age up to which an instance's lease shows that it lives: five of
	// the heartbeats that renew it.
	LeaseAlive = 5 * time.Second
)

var (
	// ErrNoRecord refuses a claim: there is no such record, it is somebody else's, or its
	// connection was lost too long ago. Which of them is nobody's business.
	ErrNoRecord = errors.New("no record of this session")
	// ErrStaleTenancy says that the session was claimed meanwhile. Its former connection
	// has to close and must not touch the record.
	ErrStaleTenancy = errors.New("the session was claimed by a later connection")
	// ErrUnvouched says that the store has begun an epoch since the tenancy was last known
	// to be the session's present one: a claim may have been lost with the epoch before.
	ErrUnvouched = errors.New("the session may have been claimed in an epoch that has ended")
)

// Tenancy is one connection's hold on a session: which session it is, and up to when the
// connection may change its record.
type Tenancy struct {
	// PID is the private id by which the client claims the session after losing its
	// connection. It is a secret of at least 128 random bits that stays in this process:
	// stores keep and publish its DigestPID.
	PID string
	// Generation is raised by each claim, by any number; a tenancy of a lower generation
	// than the record's is over. New sessions begin at 1.
	Generation uint64
	SID        string // public id, kept over recoveries
	Subject    string // whom the session belongs to; empty when nobody is identified
	Instance   string // the instance that serves it
}

// Check reports an *InvalidID naming what is out of bounds: both ids are 1 to
// MaxSessionID characters of A-Z a-z 0-9 _ -.
func (t Tenancy) Check() error {
	if t.Generation == 0 {
		return &InvalidID{Field: "generation", Reason: "must be at least 1"}
	}
	if err := checkSessionID("sid", t.SID); err != nil {
		return err
	}
	return Claim{PID: t.PID, Subject: t.Subject, Instance: t.Instance}.Check()
}

// Stay is a session's time in a room.
type Stay struct {
	Room Room
	// Joined is where the channel stood when the room was joined, or earlier: what the
	// room got up to there is not this session's, whatever offset its client brings.
	Joined Position
	// Number is the place of this join among the session's, from 1 on. Together they make
	// the offset from which on the client has got the answer to it.
	Number uint64
}

// Entered is the offset of the stay's beginning.
func (s Stay) Entered() Offset { return Offset{Position: s.Joined, Joins: s.Number} }

// Answered reports whether a client that stands at an offset has got the answer to the
// join.
func (s Stay) Answered(offset Offset) bool {
	return offset.Joins >= s.Number || offset.Sequence > s.Joined.Sequence
}

// Record is what any instance needs to continue a session whose connection was lost.
type Record struct {
	Tenancy
	// Vouched is the latest epoch in which the client is known to have been on this tenancy's
	// connection and no other. Empty for none.
	Vouched string
	Stays   []Stay // at most one for a room
}

// Check reports an error naming what is out of bounds; see Tenancy.Check. A stay without
// a position could not be told from one that was never written.
func (r Record) Check() error {
	for _, stay := range r.Stays {
		if stay.Joined.IsZero() {
			return fmt.Errorf("the stay in %s: %w", stay.Room, ErrBadPosition)
		}
	}
	return r.Tenancy.Check()
}

// Claim asks for a session on behalf of a client that knows its private id.
type Claim struct {
	PID      string
	Subject  string // whom the client has shown to be; must be the record's
	Instance string // the instance that will serve the session
	// Window is how long ago the connection may have been lost.
	Window time.Duration
}

// Check reports an *InvalidID naming what is out of bounds, as Tenancy.Check does.
func (c Claim) Check() error {
	if err := checkSessionID("pid", c.PID); err != nil {
		return err
	}
	if len(c.Subject) > MaxSubject {
		return &InvalidID{Field: "subject", Reason: fmt.Sprintf("is longer than %d bytes", MaxSubject)}
	}
	return CheckID("instance", c.Instance)
}

// Claimed tells that a session was claimed: every connection that holds it under a lower
// generation is left over and closes.
type Claimed struct {
	Digest     string // DigestPID of the session's private id
	Generation uint64
}

const (
	digestBytes  = 16
	digestLength = 22 // of its base64url form
)

// DigestPID stands for a private id wherever others can read along: in Redis' keys, in
// its log and on the channel, none of which may be enough to take over a session. 128
// bits of SHA-256 suffice without salt or stretching, because the id itself is random.
func DigestPID(pid string) string {
	sum := sha256.Sum256([]byte(pid))
	return base64.RawURLEncoding.EncodeToString(sum[:digestBytes])
}

// CheckDigest reports whether DigestPID could have written text.
func CheckDigest(text string) bool {
	return len(text) == digestLength && checkSessionID("digest", text) == nil
}

func checkSessionID(field, id string) error {
	if id == "" {
		return &InvalidID{Field: field, Reason: "is required"}
	}
	for i := 0; i < len(id); i++ {
		if !unreserved(id[i]) || id[i] == '.' || id[i] == '~' {
			return &InvalidID{Field: field, Reason: "may hold only A-Z a-z 0-9 _ -"}
		}
	}
	if len(id) > MaxSessionID {
		return &InvalidID{Field: field, Reason: fmt.Sprintf("is longer than %d characters", MaxSessionID)}
	}
	return nil
}
