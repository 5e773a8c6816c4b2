package harness

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
)

// maxReady bounds what waits for an instance, in bytes. Beyond it Redis has to wait.
const maxReady = 32 << 20

// Deafness is a way to lose the subscriber's connection alone, while commands go on working.
type Deafness int

const (
	// Hearing is the healthy state.
	Hearing Deafness = iota
	// Cut ends the connection, and every new one as soon as it has subscribed.
	Cut
	// Held lets the connection stand and bring nothing; what has waited comes later.
	Held
)

// feed is a toxic on everything that Redis says to one instance. It knows which connection is
// the subscriber's, and what on it is a publication of Roomcast. It has to be there from the
// start of each connection: in the middle of a stream nobody could say where a message begins.
type feed struct {
	mu       sync.Mutex
	random   *rand.Rand
	loss     float64 // probability that a publication is lost
	lost     int     // publications
	deafness Deafness
	changed  chan struct{} // closed and replaced with deafness
	failure  error
}

// lose makes the instance miss publications, each with a probability.
func (f *feed) lose(probability float64, random *rand.Rand) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.loss, f.random = probability, random
}

func (f *feed) become(deafness Deafness) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deafness = deafness
	if f.changed != nil { // toxiproxy makes toxics without asking
		close(f.changed)
	}
	f.changed = make(chan struct{})
}

func (f *feed) state() (Deafness, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.deafness, f.changed
}

// reading is how far one connection's stream has been understood.
type reading struct {
	partial    []byte // the beginning of a reply
	ready      []byte // for the instance
	subscriber bool
}

// NewState implements toxics.StatefulToxic: one for each connection.
func (f *feed) NewState() any { return new(reading) }

// Pipe implements toxics.Toxic. It goes on reading while it cannot write, or it would not
// notice the end of a connection.
func (f *feed) Pipe(stub *toxics.ToxicStub) {
	r := stub.State.(*reading)
	for {
		deafness, changed := f.state()
		if r.subscriber && deafness == Cut {
			break
		}
		output, input := stub.Output, stub.Input
		if len(r.ready) == 0 || r.subscriber && deafness == Held {
			output = nil
		}
		if len(r.ready) > maxReady {
			input = nil
		}
		select {
		case <-stub.Interrupt:
			return
		case <-changed:
			continue
		case output <- &stream.StreamChunk{Data: r.ready, Timestamp: time.Now()}:
			r.ready = nil
			continue
		case chunk := <-input:
			if chunk != nil && f.read(r, chunk.Data) {
				continue
			}
		}
		if output != nil { // what Redis said before its end
			_ = stub.WriteOutput(&stream.StreamChunk{Data: r.ready, Timestamp: time.Now()}, time.Second)
		}
		break
	}
	stub.Close()
	for range stub.Input { // until toxiproxy has noticed
	}
}

// read moves whole replies to what is ready. It returns false when the stream makes no sense.
func (f *feed) read(r *reading, text []byte) bool {
	r.partial = append(r.partial, text...)
	for {
		length, err := replyLength(r.partial)
		if errors.Is(err, errPartial) {
			return true
		}
		if err != nil {
			f.fail(err)
			return false
		}
		reply := r.partial[:length]
		r.subscriber = r.subscriber || isSubscription(reply)
		if !isPublication(reply) || !f.loses() {
			r.ready = append(r.ready, reply...)
		}
		r.partial = slices.Clone(r.partial[length:])
	}
}

func (f *feed) loses() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.loss == 0 || f.random.Float64() >= f.loss {
		return false
	}
	f.lost++
	return true
}

func (f *feed) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failure = err
}

// report is how many publications were lost so far, and what the toxic did not understand.
func (f *feed) report() (lost int, failure error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lost, f.failure
}
