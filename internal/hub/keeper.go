package hub

import (
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

const (
	// restoreInterval is how often every record is written again although nothing was
	// lost: a session may rest for longer than a record lives.
	restoreInterval = event.RecordLife / 4
	// restorePace is how many records are written a second: a Redis that has just come
	// back, empty, has other things to do.
	restorePace = 1000
	// restoreSlice is how many of them are asked for at a time.
	restoreSlice = 50
)

// keepRecords writes the sessions' records again when a new epoch says that some may be
// gone, and now and then, until the hub stops.
func (h *Hub) keepRecords() {
	ticker := time.NewTicker(restoreInterval)
	defer ticker.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-ticker.C:
		case <-h.restoreNow:
		}
		h.restoreRecords()
	}
}

// wantRestore asks for the records to be written again, soon.
func (h *Hub) wantRestore() {
	select {
	case h.restoreNow <- struct{}{}:
	default: // asked for already
	}
}

// restoreRecords has each member's record written in the order of its own requests.
func (h *Hub) restoreRecords() {
	pause := time.NewTicker(time.Second * restoreSlice / restorePace)
	defer pause.Stop()
	for n, s := range h.tenants.list() {
		if n > 0 && n%restoreSlice == 0 {
			select {
			case <-h.ctx.Done():
				return
			case <-pause.C:
			}
		}
		s.wantRestore()
	}
}

// wantRestore has the record written in the member's turn. One that asks so much that it has
// none is left out until the next time.
func (s *Seating) wantRestore() {
	s.later(s.restore)
}

// later does something in the member's turn, if it is not too busy for that.
func (s *Seating) later(r request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.enqueue(r)
}
