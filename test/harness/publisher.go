package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/test/continuity"
)

const (
	// publishTimeout is more than an instance takes to give up by itself.
	publishTimeout = 15 * time.Second
	// atOnce bounds the publications of Run that wait for their answers.
	atOnce = 200
)

// Publisher publishes updates that are numbered per room, over REST on the instances in turn,
// and keeps what it was told of each. A refused connect is tried on the next instance, since
// nothing was sent; nothing else is tried again, as whoever has no answer cannot know.
type Publisher struct {
	servers []*Server
	rooms   []Room
	client  *http.Client

	mu           sync.Mutex
	turn         int
	numbers      []int // last used, by room
	publications []continuity.Publication
	outcomes     map[string]int
}

// NewPublisher publishes to the rooms on the instances until the test ends.
func NewPublisher(t testing.TB, servers []*Server, rooms []Room) *Publisher {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: atOnce}
	t.Cleanup(transport.CloseIdleConnections)
	return &Publisher{
		servers: servers, rooms: rooms,
		client:  &http.Client{Transport: transport, Timeout: publishTimeout},
		numbers: make([]int, len(rooms)), outcomes: make(map[string]int),
	}
}

// Run publishes to the rooms in turn, so many updates a second, until ctx ends, and waits for
// the answers to all.
func (p *Publisher) Run(ctx context.Context, perSecond int) {
	ticker := time.NewTicker(time.Second / time.Duration(perSecond))
	defer ticker.Stop()
	var group sync.WaitGroup
	defer group.Wait()
	slots := make(chan struct{}, atOnce)
	for room := 0; ; room = (room + 1) % len(p.rooms) {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		slots <- struct{}{}
		group.Go(func() {
			p.publish(room)
			<-slots
		})
	}
}

// Start is Run in a goroutine; the function it returns ends it and waits for the answers.
func (p *Publisher) Start(t testing.TB, perSecond int) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Run(ctx, perSecond)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

// Burst publishes so many updates at once, spread over the rooms, and waits for the answers.
func (p *Publisher) Burst(count int) {
	var group sync.WaitGroup
	for n := range count {
		group.Go(func() { p.publish(n % len(p.rooms)) })
	}
	group.Wait()
}

// Mark publishes one more update to each room, and again until it is acknowledged. It returns
// their numbers, for those who wait until everybody has everything.
func (p *Publisher) Mark(t testing.TB) []int {
	t.Helper()
	marks := make([]int, len(p.rooms))
	for room := range p.rooms {
		Eventually(t, "an update is acknowledged", func() bool {
			number, acknowledged := p.publish(room)
			marks[room] = number
			return acknowledged
		})
	}
	return marks
}

// Publications is what is known of all publications so far.
func (p *Publisher) Publications() []continuity.Publication {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.publications)
}

// String is how often which answer came.
func (p *Publisher) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var counts []string
	for _, outcome := range slices.Sorted(maps.Keys(p.outcomes)) {
		counts = append(counts, fmt.Sprintf("%s: %d", outcome, p.outcomes[outcome]))
	}
	return "answers to publishers {" + strings.Join(counts, ", ") + "}"
}

func (p *Publisher) publish(room int) (number int, acknowledged bool) {
	p.mu.Lock()
	p.numbers[room]++
	number = p.numbers[room]
	p.mu.Unlock()

	sequence, outcome := p.post(p.rooms[room], number)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.publications = append(p.publications, continuity.Publication{Room: room, Number: number, Sequence: sequence})
	p.outcomes[outcome]++
	return number, sequence != 0
}

// post returns the sequence of what was acknowledged, otherwise 0, and the outcome in a word.
func (p *Publisher) post(room Room, number int) (sequence uint64, outcome string) {
	body := fmt.Appendf(nil, `{"event":"COUNTED","data":{"n":%d}}`, number)
	path := "/api/v1/workspaces/" + room.Workspace + "/apps/" + room.App + "/updates"
	first := p.next()
	for n := range p.servers {
		server := p.servers[(first+n)%len(p.servers)]
		response, err := p.client.Post(server.URL+path, "application/json", bytes.NewReader(body))
		var operation *net.OpError
		switch {
		case errors.As(err, &operation) && operation.Op == "dial":
			continue
		case err != nil:
			return 0, "none"
		}
		return readReceipt(response)
	}
	return 0, "refused"
}

func readReceipt(response *http.Response) (sequence uint64, outcome string) {
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, "cut short"
	}
	if response.StatusCode != http.StatusCreated {
		return 0, http.StatusText(response.StatusCode)
	}
	var receipt struct {
		Position string `json:"position"`
	}
	if err := json.Unmarshal(text, &receipt); err != nil {
		return 0, err.Error()
	}
	at, err := event.ParsePosition(receipt.Position)
	if err != nil {
		return 0, err.Error()
	}
	return at.Sequence, "Created"
}

// next is the index of the instance whose turn it is.
func (p *Publisher) next() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn++
	return p.turn % len(p.servers)
}
