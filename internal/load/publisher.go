package load

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// PublisherOptions say where and what to publish.
type PublisherOptions struct {
	// Servers are base URLs; a publication that one did not take goes to the next.
	Servers   []string
	Workspace string
	Rooms     int
	// Size of the data of a publication, in bytes, about; at least some 40.
	Size int
	// Key is the API key, sent as bearer token; empty for none.
	Key string
	// Keyless sends no Idempotency-Key. Nothing is tried again then: it might be published
	// twice.
	Keyless bool
	// Workers publish side by side; 0 for 32. One worker keeps the order of a room.
	Workers int
}

// Publisher publishes by REST, and remembers what was accepted.
type Publisher struct {
	options PublisherOptions
	http    *http.Client
	targets [][]string // URLs, by room and server
	pad     []byte
	run     string // random, in front of all idempotency keys

	next     []atomic.Uint64 // by room: the last number given out
	accepted []atomic.Uint64 // by room
	faults   faults          // of attempts

	mu      sync.Mutex
	latency *hdrhistogram.Histogram // of accepted publications, in microseconds
	lost    uint64                  // publications given up
	late    uint64                  // publications begun a second after they were due, or more
}

const defaultWorkers = 32

// NewPublisher makes a publisher. Close lets its connections go.
func NewPublisher(options PublisherOptions) *Publisher {
	if options.Workers == 0 {
		options.Workers = defaultWorkers
	}
	p := &Publisher{
		options: options,
		http: &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: options.Workers, IdleConnTimeout: time.Minute, DisableCompression: true,
		}},
		pad:      padding(options.Size),
		run:      strconv.FormatUint(rand.Uint64(), 36), //nolint:gosec // no secret
		next:     make([]atomic.Uint64, options.Rooms),
		accepted: make([]atomic.Uint64, options.Rooms),
		latency:  newHistogram(),
	}
	rooms := Options{Workspace: options.Workspace}
	for i := range options.Rooms {
		room := rooms.room(i)
		var urls []string
		for _, server := range options.Servers {
			urls = append(urls, strings.TrimSuffix(server, "/")+"/api/v1/workspaces/"+
				url.PathEscape(room.Workspace)+"/apps/"+url.PathEscape(room.App)+"/updates")
		}
		p.targets = append(p.targets, urls)
	}
	return p
}

// job is one publication that is due.
type job struct {
	room int
	due  int64 // see now
}

// Steady publishes at an even rate, each to a random room, until ctx ends. What is due while
// all workers are busy waits, and its latency counts from when it was due.
func (p *Publisher) Steady(ctx context.Context, rate float64) {
	jobs := make(chan job, 1024)
	var workers sync.WaitGroup
	p.work(ctx, &workers, jobs)
	began := now()
	for i := 0; ctx.Err() == nil; i++ {
		due := began + int64(float64(i)*float64(time.Second)/rate)
		if wait := time.Duration(due - now()); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
		}
		select {
		case jobs <- job{room: rand.IntN(p.options.Rooms), due: due}: //nolint:gosec // no secret
		case <-ctx.Done():
		}
	}
	close(jobs)
	workers.Wait()
}

// Burst publishes n at once, to all rooms in turn, and returns when all are done.
func (p *Publisher) Burst(ctx context.Context, n int) {
	jobs := make(chan job, n)
	due := now()
	for i := range n {
		jobs <- job{room: i % p.options.Rooms, due: due}
	}
	close(jobs)
	var workers sync.WaitGroup
	p.work(ctx, &workers, jobs)
	workers.Wait()
}

// Flood publishes as fast as the workers get their answers, until ctx ends.
func (p *Publisher) Flood(ctx context.Context) {
	jobs := make(chan job)
	var workers sync.WaitGroup
	p.work(ctx, &workers, jobs)
	for ctx.Err() == nil {
		select {
		case jobs <- job{room: rand.IntN(p.options.Rooms), due: now()}: //nolint:gosec // no secret
		case <-ctx.Done():
		}
	}
	close(jobs)
	workers.Wait()
}

func (p *Publisher) work(ctx context.Context, workers *sync.WaitGroup, jobs <-chan job) {
	for range p.options.Workers {
		workers.Go(func() {
			var body []byte
			for j := range jobs {
				if ctx.Err() == nil {
					body = p.publish(ctx, j, body[:0])
				}
			}
		})
	}
}

// patience is how long a publication is tried again before it is given up.
const patience = 30 * time.Second

// publish publishes once, however many attempts it takes: they carry one idempotency key.
// An attempt under way when ctx ends is finished.
func (p *Publisher) publish(ctx context.Context, j job, body []byte) []byte {
	number := p.next[j.room].Add(1)
	key := p.run + "-" + strconv.Itoa(j.room) + "-" + strconv.FormatUint(number, 10)
	body = append(body, `{"event":"LOAD","data":`...)
	body = append(appendData(body, number, j.due, p.pad), `,"userId":"load"}`...)
	late := now()-j.due > int64(time.Second)
	attempts, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	for attempt := 0; ; attempt++ {
		wait, err := p.try(attempts, p.targets[j.room][attempt%len(p.options.Servers)], key, body)
		p.note(j, err, late && attempt == 0)
		if err == nil {
			return body
		}
		select {
		case <-time.After(wait):
		case <-attempts.Done():
		}
		if wait == never || p.options.Keyless || attempts.Err() != nil {
			p.mu.Lock()
			p.lost++
			p.mu.Unlock()
			return body
		}
	}
}

// note takes down how an attempt went.
func (p *Publisher) note(j job, err error, late bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if late {
		p.late++
	}
	if err != nil {
		p.faults.note(err)
		return
	}
	p.accepted[j.room].Add(1)
	_ = p.latency.RecordValue(min(max((now()-j.due)/1000, 1), longest.Microseconds())) // within its range
}

// never says that another attempt would fare no better.
const never = time.Duration(0)

// retryDelay is how long to wait before another attempt, where the server says nothing.
const retryDelay = 100 * time.Millisecond

// try makes one attempt. wait is how long to wait before the next, or never.
func (p *Publisher) try(ctx context.Context, address, key string, body []byte) (wait time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return never, err
	}
	request.Header.Set("Content-Type", "application/json")
	if !p.options.Keyless {
		request.Header.Set("Idempotency-Key", key)
	}
	if p.options.Key != "" {
		request.Header.Set("Authorization", "Bearer "+p.options.Key)
	}
	response, err := p.http.Do(request)
	if err != nil {
		return retryDelay, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxMessage))
	if err != nil {
		return retryDelay, err
	}
	switch {
	case response.StatusCode/100 == 2:
		return never, nil
	case response.StatusCode == http.StatusTooManyRequests || response.StatusCode >= 500:
		wait = retryDelay
		if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
			wait = min(time.Duration(seconds)*time.Second, patience)
		}
	}
	return wait, fmt.Errorf("%s: %.200s", response.Status, answer)
}

// Accepted is how many publications of each room the server has accepted.
func (p *Publisher) Accepted() []uint64 {
	accepted := make([]uint64, len(p.accepted))
	for i := range p.accepted {
		accepted[i] = p.accepted[i].Load()
	}
	return accepted
}

// Published is what became of the publications.
type Published struct {
	Accepted uint64         `json:"accepted"`
	GivenUp  uint64         `json:"givenUp"`
	Late     uint64         `json:"late"` // begun a second after they were due, or more
	Faults   map[string]int `json:"faults,omitempty"`
}

// Published is the count up to now.
func (p *Publisher) Published() Published {
	var published Published
	for i := range p.accepted {
		published.Accepted += p.accepted[i].Load()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	published.GivenUp, published.Late = p.lost, p.late
	published.Faults = p.faults.counts()
	return published
}

// TakeLatency returns the times from the moment a publication was due to the server's answer,
// in microseconds, and forgets them.
func (p *Publisher) TakeLatency() *hdrhistogram.Histogram {
	p.mu.Lock()
	defer p.mu.Unlock()
	sum := p.latency
	p.latency = newHistogram()
	return sum
}

// Close lets the connections go.
func (p *Publisher) Close() { p.http.CloseIdleConnections() }
