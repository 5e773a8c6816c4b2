package hub

import (
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

// bus is the hub as the channel's feed sees it: an event.Sink. Its methods run in the one
// goroutine that hears the channel. They never wait for a member, only for space in a
// worker's inbox and, when something was lost, for the store.
type bus Hub

// Subscribed implements event.Sink. What was published while this instance was away is
// read from the history; the first time, there was nobody here to miss it.
func (b *bus) Subscribed() {
	h := (*Hub)(b)
	if h.line.position().IsZero() {
		h.setBaseline()
	} else {
		h.repair("resubscribed")
	}
	h.health.wantBeat()
}

// Interrupted implements event.Sink.
func (b *bus) Interrupted(cause error) {
	if b.line.position().IsZero() {
		b.options.Logger.Warn("cannot reach the channel yet, trying on", "error", cause)
		return
	}
	b.options.Logger.Warn("lost the channel, trying again", "error", cause)
}

// Event implements event.Sink.
func (b *bus) Event(e *event.Event) {
	h := (*Hub)(b)
	if e.Position.IsZero() {
		// A stranger's publication has no place in the sequence: delivered at most once.
		h.options.Observer.Heard("foreign")
		h.dispatch(e)
		return
	}
	h.options.Observer.Heard("roomcast")
	last := h.line.position()
	if e.Position.Epoch != last.Epoch {
		h.repair("epoch")
		last = h.line.position()
	} else if e.Position.Sequence > last.Sequence+1 {
		h.repair("gap")
		last = h.line.position()
	}
	if e.Position.Epoch == last.Epoch && e.Position.Sequence == last.Sequence+1 {
		h.dispatch(e)
		h.line.advance(e.Position)
	} // otherwise the repair has delivered it, or the hub is stopping
}

// Heartbeat implements event.Sink. Any instance's shows a loss before a quiet spell; its
// own shows that this instance can hear.
func (b *bus) Heartbeat(beat event.Heartbeat) {
	h := (*Hub)(b)
	if beat.Instance == h.name {
		h.options.Observer.BusLag(h.health.heard(beat.Sent, h.deafAfter()))
		if h.Ready() == nil && h.restoreOwed.Swap(false) {
			h.wantRestore()
		}
	}
	last := h.line.position()
	switch {
	case beat.Position.Epoch != last.Epoch:
		h.repair("epoch")
	case beat.Position.Sequence > last.Sequence:
		h.repair("heartbeat")
	case beat.Position.Sequence < last.Sequence:
		h.checkTop()
	}
}

// Claimed implements event.Sink. The connection that held the session until now is left
// over: its client is on another.
func (b *bus) Claimed(claimed event.Claimed) { b.tenants.claimed(claimed) }

// complaintInterval is how often unreadable publications are logged at most: whoever makes
// one as a rule makes many.
const complaintInterval = time.Minute

// Rejected implements event.Sink.
func (b *bus) Rejected(cause error) {
	b.options.Observer.Heard("malformed")
	if now := time.Now(); now.Sub(b.complained) >= complaintInterval {
		b.complained = now
		b.options.Logger.Warn("skipped an unreadable publication; more of them are only counted for a while", "error", cause)
	}
}

// dispatch posts an event to the workers that have members in its room.
func (h *Hub) dispatch(e *event.Event) {
	h.directory.each(e.Room, func(worker int) {
		h.workers[worker].inbox.post(work{event: e})
	})
}
