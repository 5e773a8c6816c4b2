package hub_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

// What may go wrong in a schedule.

// loseAnswers has changes of records take effect and fail, or no more.
func (m *model) loseAnswers() {
	h, share := m.anyHub(), []float64{0, 0, 0.05, 0.3}[m.random.IntN(4)]
	dice := rand.New(rand.NewPCG(m.random.Uint64(), 0))
	var mu sync.Mutex
	h.store.onWritten(func(string) error {
		mu.Lock()
		defer mu.Unlock()
		if dice.Float64() < share {
			return errors.New("connection reset")
		}
		return nil
	})
}

func (m *model) anyHub() *modelHub { return m.hubs[m.random.IntN(len(m.hubs))] }

// hole loses some of what an instance hears, or none from now on.
func (m *model) hole() {
	share := []float64{0, 0.1, 0.5, 1}[m.random.IntN(4)]
	dice := rand.New(rand.NewPCG(m.random.Uint64(), 0)) // used in the hub's one reader
	m.anyHub().store.lose(func(*event.Event) bool { return dice.Float64() < share })
}

func (m *model) lag() {
	h := m.anyHub()
	if h.release != nil {
		h.release()
		h.release = nil
		return
	}
	h.release = h.store.holdBack(m.t)
}

// cutFeeds is CLIENT KILL TYPE pubsub: the embedded bus does it to followers that are slow.
func (m *model) cutFeeds() { m.bus.CutOff() }

// rest lets heartbeats pass.
func (m *model) rest() { time.Sleep(time.Duration(m.random.IntN(12)) * time.Second) }

// crash ends an instance without a word, and starts another in its place.
func (m *model) crash() {
	n := m.random.IntN(len(m.hubs))
	h := m.hubs[n]
	if h.crashes > 1 || h.release != nil {
		return // each leaves goroutines of the bubble to wait for
	}
	h.crashes++
	m.figures.repairs += sum(h.observed.repairs())
	for _, c := range m.clients {
		if c.link.hub == n {
			c.link.Close("")
			c.link.released = true // nobody is there to be told
		}
	}
	for _, z := range m.zombies {
		z.released = z.released || z.hub == n
	}
	h.hub.Stop()
	m.startHub(n)
}

// restart is one with data.
func (m *model) restart() { m.succeed(0) }

// failover loses what was published last.
func (m *model) failover() { m.succeed(m.random.IntN(20)) }

func (m *model) succeed(lost int) {
	top, err := m.bus.Store().Top(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	m.figures.takeovers++
	kept := top.Sequence - min(uint64(lost), m.sinceEpoch(top))
	m.judge.lose(kept)
	m.bus.Succeed(kept)
}

// sinceEpoch is how many publications the present epoch has: what an epoch before kept is
// not lost by this one.
func (m *model) sinceEpoch(top event.Top) uint64 {
	n := uint64(0)
	for _, published := range m.judge.rooms {
		for _, p := range published {
			if p.at.Epoch == top.Epoch && !p.lost {
				n++
			}
		}
	}
	return n
}

func (m *model) wipe() {
	m.figures.takeovers++
	m.judge.lose(0)
	m.bus.Wipe()
}
