package memory

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

// maxRecords bounds the sessions whose records are kept; at about 800 bytes for one in two
// rooms, 160 MB. When there are more, the one that would be forgotten next goes first,
// which is one that was lost, if there is any.
const maxRecords = 200_000

// records keeps what continues sessions whose connections were lost. In one process that
// is for instances that come and go within it; the rules are those of the redis package.
type records struct {
	byPID  map[string]*record
	expiry expiry[*record]
	leases map[string]time.Time // last heartbeats of instances
	most   int                  // maxRecords, but for tests
}

type record struct {
	event.Tenancy
	stays   map[event.Room]event.Stay
	written time.Time
	epoch   string    // of the last write
	gone    time.Time // when the connection was seen to be lost, zero otherwise
	deadline
}

func newRecords() records {
	return records{byPID: make(map[string]*record), leases: make(map[string]time.Time), most: maxRecords}
}

// renew notes a heartbeat.
func (m *records) renew(instance string, now time.Time) {
	m.leases[instance] = now
	maps.DeleteFunc(m.leases, func(_ string, renewed time.Time) bool { return now.Sub(renewed) >= event.RecordLife })
}

// find returns a record that has not expired, nil if there is none.
func (m *records) find(pid string, now time.Time) *record {
	for m.expiry.due(now) {
		delete(m.byPID, m.expiry.pop().PID)
	}
	return m.byPID[pid]
}

// keep writes a record, making it if there is none, and begins a stay if there is one; that
// of the same or a later number which is there is put in its place.
func (m *records) keep(kept event.Record, entered *event.Stay, epoch string, now time.Time) error {
	r := m.find(kept.PID, now)
	switch {
	case r != nil && r.Generation > kept.Generation:
		return event.ErrStaleTenancy
	case kept.Vouched != epoch && (r == nil || r.Generation < kept.Generation || r.epoch != epoch):
		return event.ErrUnvouched
	case r == nil:
		r = m.add(kept.PID, now)
	case r.Generation < kept.Generation:
		r.gone = time.Time{}
		clear(r.stays) // they are all named, by the one who holds the session
	}
	r.Tenancy, r.written, r.epoch = kept.Tenancy, now, epoch
	for _, stay := range kept.Stays {
		if r.stays[stay.Room].Number <= stay.Number { // a later one is no news that came late
			r.stays[stay.Room] = stay
		}
	}
	if entered != nil {
		if stay, there := r.stays[entered.Room]; there && stay.Number >= entered.Number {
			*entered = stay
		}
		r.stays[entered.Room] = *entered
	}
	m.linger(r, now)
	return nil
}

func (m *records) add(pid string, now time.Time) *record {
	if len(m.expiry) >= m.most {
		delete(m.byPID, m.expiry.pop().PID)
	}
	r := &record{stays: make(map[event.Room]event.Stay), deadline: deadline{until: now.Add(event.RecordLife)}}
	m.byPID[pid] = r
	r.PID = pid
	m.expiry.push(r)
	return r
}

// linger renews the life of a record whose session has a connection; another one keeps
// its end.
func (m *records) linger(r *record, now time.Time) {
	if r.gone.IsZero() {
		m.expiry.postpone(r, now.Add(event.RecordLife))
	}
}

func (m *records) leave(tenancy event.Tenancy, room event.Room, number uint64, now time.Time) error {
	r := m.find(tenancy.PID, now)
	switch {
	case r == nil:
		return nil
	case r.Generation > tenancy.Generation:
		return event.ErrStaleTenancy
	}
	if r.stays[room].Number <= number {
		delete(r.stays, room)
	}
	m.linger(r, now)
	return nil
}

// part dates the loss; if keep is zero, or the record is what a failover has left of an
// earlier generation, the session is over, and only its generation is kept for a while.
func (m *records) part(tenancy event.Tenancy, keep time.Duration, now time.Time) {
	r := m.find(tenancy.PID, now)
	switch {
	case r == nil || r.Generation > tenancy.Generation:
	case keep == 0 || r.Generation < tenancy.Generation:
		r.Generation, r.gone, r.epoch = tenancy.Generation, time.Unix(0, 0), ""
		clear(r.stays)
		m.expiry.postpone(r, now.Add(event.RecordGrace))
	default:
		r.gone = now
		m.expiry.postpone(r, now.Add(keep))
	}
}

func (m *records) claim(claim event.Claim, epoch string, now time.Time) (event.Record, error) {
	r := m.find(claim.PID, now)
	if r == nil || r.Subject != claim.Subject || r.epoch != epoch || m.tooOld(r, claim.Window, now) {
		return event.Record{}, event.ErrNoRecord
	}
	// As in Redis, so that nobody comes to rely on generations without gaps.
	r.Generation = max(r.Generation+1, uint64(now.UnixMicro()))
	r.Instance, r.written, r.gone = claim.Instance, now, time.Time{}
	m.linger(r, now)
	return r.copy(), nil
}

// tooOld dates the loss: by its report, else by the owner's lease, else by the last change.
func (m *records) tooOld(r *record, window time.Duration, now time.Time) bool {
	if !r.gone.IsZero() {
		return now.Sub(r.gone) > window
	}
	if renewed, known := m.leases[r.Instance]; known {
		return now.Sub(renewed) > max(window, event.LeaseAlive)
	}
	return now.Sub(r.written) > window
}

func (r *record) copy() event.Record {
	copied := event.Record{Tenancy: r.Tenancy}
	for _, stay := range r.stays {
		copied.Stays = append(copied.Stays, stay)
	}
	slices.SortFunc(copied.Stays, func(a, b event.Stay) int { return strings.Compare(a.Room.String(), b.Room.String()) })
	return copied
}
