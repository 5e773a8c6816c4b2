// Package hub is the room side of an instance: who sits in which room, how what the
// channel brings reaches them, and whether they can be sure to have missed nothing.
//
// One goroutine hears the channel and hands each event to the fan-out workers that have
// members in its room. A member belongs to one worker for good, so the order in which
// events arrive there is the order in which the member gets them, over all its rooms.
package hub

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
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
	// Recovery counts members that asked for a former session, by outcome.
	Recovery(outcome string)
}

// Options of a Hub; every field is required unless its comment says otherwise.
type Options struct {
	Store    Store
	Instance string // this instance's id
	Observer Observer
	Logger   *slog.Logger

	// Workers is the number of fan-out workers; GOMAXPROCS if zero.
	Workers int
	// RoomsPerMember bounds the seats of one member.
	RoomsPerMember int
	// HoldBytes bounds the events kept for a member while it is joining a room.
	HoldBytes int
	// ReplayBytes bounds the missed events that a member is sent, in bytes of JSON: beyond
	// it a reload is cheaper for everybody.
	ReplayBytes int
	// RecoveryWindow is how long after the loss of its connection a session can be continued.
	RecoveryWindow time.Duration
	// RequestTimeout bounds a join or leave, with its reads from the store.
	RequestTimeout time.Duration
	// HeartbeatInterval is the time between heartbeats; an instance that has not heard its
	// own for three of them is deaf. One second if zero.
	HeartbeatInterval time.Duration
}

// Hub serves the members of one instance.
type Hub struct {
	options   Options
	name      string // of this process, under which its heartbeats go and it holds sessions
	store     Store
	workers   []*worker
	next      atomic.Uint32 // the worker of the next member
	directory directory
	tops      sharedReader[event.Top]
	histories histories
	desk      desk
	tenants   tenants

	line       line
	health     health
	restoreNow chan struct{} // asks for all records to be written again; capacity 1
	// restoreOwed says that some were to be written again while the store was away.
	restoreOwed atomic.Bool
	vouching    chan struct{} // holds a place for each clerk who waits for a client's sign of life

	complained time.Time // of an unreadable publication; owned by the goroutine that hears the channel

	ctx     context.Context // ends with Stop
	cancel  context.CancelFunc
	reading sync.WaitGroup // reads that members share
	hearing sync.WaitGroup // the feed, the heartbeat and the keeper of records
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
	h := &Hub{options: options, store: options.Store, restoreNow: make(chan struct{}, 1), vouching: make(chan struct{}, maxVouching)}
	// Unlike any other process, also one with the same id, before or beside it: a heartbeat
	// of another must not count as heard from here, nor keep alive what was held there.
	h.name = options.Instance + "." + strings.ToLower(rand.Text()[:8])
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.directory.init(options.Workers, options.Observer)
	h.tops.ctx, h.tops.running = h.ctx, &h.reading
	h.tops.perform = func(ctx context.Context, _ uint64) (event.Top, error) { return h.readTop(ctx) }
	h.histories = histories{
		ctx: h.ctx, running: &h.reading, store: options.Store, maxBytes: options.ReplayBytes,
		rooms: make(map[roomRound]*roomReader),
	}
	h.tenants.init()
	h.desk.ctx = h.ctx
	h.line.known = make(chan struct{})
	h.health.beatNow = make(chan struct{}, 1)
	h.health.since = time.Now()
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
	h.hearing.Go(h.keepRecords)
}

// stopPatience is how long the end waits for requests under way, most of them the word of
// connections that have just ended.
const stopPatience = 2 * time.Second

// Stop ends requests under way, then hearing, then the workers, and waits for each.
// Members are not closed: that is up to whoever owns their connections.
func (h *Hub) Stop() {
	giveUp := time.AfterFunc(stopPatience, h.cancel)
	h.desk.wait()
	giveUp.Stop()
	h.cancel()
	h.reading.Wait()
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
