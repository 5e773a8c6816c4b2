// Package hub is the room side of an instance: who sits in which room, how what the
// channel brings reaches them, and whether they can be sure to have missed nothing.
//
// One goroutine hears the channel and hands each event to the fan-out workers that have
// members in its room. A member belongs to one worker for good, so the order in which
// events arrive there is the order in which the member gets them, over all its rooms.
package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

// Observer counts what happens. Methods are called on hot paths and must be cheap.
type Observer interface {
	RoomsChanged(delta int)
	MembersChanged(delta int)
	// Heard counts publications by origin: "roomcast", "foreign" or "malformed".
	Heard(origin string)
	// Delivered counts events handed to members.
	Delivered(n int)
	// Dropped counts events that did not reach a member, by cause.
	Dropped(cause string, n int)
	// BusLag is the time from sending a heartbeat to hearing it.
	BusLag(lag time.Duration)
	// Repaired counts holes in the heard sequence that were filled, by cause.
	Repaired(cause string)
	// Resynced counts rooms told to reload, by cause.
	Resynced(cause string)
}

// Options of a Hub; every field is required unless its comment says otherwise.
type Options struct {
	Store    Store
	Instance string // this instance's id, to know its own heartbeats
	Observer Observer
	Logger   *slog.Logger

	// Workers is the number of fan-out workers; GOMAXPROCS if zero.
	Workers int
	// RoomsPerMember bounds the seats of one member.
	RoomsPerMember int
	// HoldBytes bounds the events kept for a member while it is joining a room.
	HoldBytes int
	// RequestTimeout bounds a join or leave, with its reads from the store.
	RequestTimeout time.Duration
	// HeartbeatInterval is the time between heartbeats; an instance that has not heard its
	// own for three of them is deaf. One second if zero.
	HeartbeatInterval time.Duration
}

// Hub serves the members of one instance.
type Hub struct {
	options   Options
	store     Store
	workers   []*worker
	next      atomic.Uint32 // the worker of the next member
	directory directory
	tops      topReader
	desk      desk

	line   line
	health health

	complained time.Time // of an unreadable publication; owned by the goroutine that hears the channel

	ctx     context.Context // ends with Stop
	cancel  context.CancelFunc
	hearing sync.WaitGroup // the feed and the heartbeat
	fanning sync.WaitGroup // the workers
}

// New makes a hub that does nothing until Start.
func New(options Options) *Hub {
	if options.Workers == 0 {
		options.Workers = runtime.GOMAXPROCS(0)
	}
	if options.HeartbeatInterval == 0 {
		options.HeartbeatInterval = time.Second
	}
	h := &Hub{options: options, store: options.Store}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.directory.init(options.Workers, options.Observer)
	h.tops.store, h.tops.ctx = options.Store, h.ctx
	h.desk.ctx = h.ctx
	h.line.known = make(chan struct{})
	h.health.beatNow = make(chan struct{}, 1)
	for i := range options.Workers {
		h.workers = append(h.workers, newWorker(h, i))
	}
	return h
}

// Start begins to hear the channel. It returns at once, whether the store can be reached
// or not; Ready tells.
func (h *Hub) Start() {
	for _, w := range h.workers {
		h.fanning.Go(w.run)
	}
	h.hearing.Go(func() {
		if err := h.store.Follow(h.ctx, (*bus)(h)); err != nil {
			h.options.Logger.Error("the feed ended", "error", err)
		}
	})
	h.hearing.Go(h.beat)
}

// Stop ends hearing, then requests under way, then the workers, and waits for each.
// Members are not closed: that is up to whoever owns their connections.
func (h *Hub) Stop() {
	h.cancel()
	h.desk.wait()
	for _, w := range h.workers {
		w.inbox.close()
	}
	h.hearing.Wait()
	h.fanning.Wait()
}

// Publish sends a publication to the room's members on every instance, this one's
// included: they all hear it from the channel, in one order. It fails with
// ErrUnavailable while the store is away or this instance is deaf, since its own members
// would miss what everybody else gets.
func (h *Hub) Publish(ctx context.Context, publication event.Publication) (event.Receipt, error) {
	if err := h.Ready(); err != nil {
		return event.Receipt{}, err
	}
	receipt, err := h.store.Publish(ctx, publication)
	switch {
	case err == nil, errors.Is(err, event.ErrIDReused):
		return receipt, err
	}
	return event.Receipt{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// Admit gives a member the right to take seats. Release must be called when it is gone.
func (h *Hub) Admit(member Member) *Seating {
	w := h.workers[int(h.next.Add(1))%len(h.workers)]
	return &Seating{hub: h, worker: w, member: member}
}
