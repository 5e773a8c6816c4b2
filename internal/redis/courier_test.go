package redis_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/redis/redistest"
	"github.com/roomcast/roomcast/internal/storetest"
)

// Scripts of many callers travel together, on the stack of one of them, and none is run twice
// or forgotten, also when callers give up.
func TestScriptsOfManyCallersEachRunOnce(t *testing.T) {
	server := redistest.Start(t)
	store := open(t, server.Addr(), channel, storetest.Generous())
	const callers, each = 16, 150
	var mu sync.Mutex
	accepted := make(map[uint64]string) // ids by sequence
	var running sync.WaitGroup
	for caller := range callers {
		running.Go(func() {
			for n := range each {
				id := fmt.Sprintf("%d-%d", caller, n)
				receipt, err := publishHastily(t.Context(), store, id, n%4 == 3)
				if errors.Is(err, context.DeadlineExceeded) {
					continue
				}
				if err != nil {
					t.Errorf("publishing %s: %v", id, err)
					return
				}
				mu.Lock()
				if other, taken := accepted[receipt.Position.Sequence]; taken {
					t.Errorf("%s and %s have one sequence", id, other)
				}
				accepted[receipt.Position.Sequence] = id
				mu.Unlock()
			}
		})
	}
	running.Wait()
	if len(accepted) < callers*each*3/4 {
		t.Errorf("%d publications of %d were accepted, of which a quarter were in haste", len(accepted), callers*each)
	}
	if _, err := publishHastily(t.Context(), store, "last", false); err != nil {
		t.Errorf("publishing when all have gone: %v", err)
	}
}

type publisher interface {
	Publish(ctx context.Context, publication event.Publication) (event.Receipt, error)
}

// publishHastily publishes; in haste it gives up after less than a round trip or two.
func publishHastily(ctx context.Context, store publisher, id string, haste bool) (event.Receipt, error) {
	if haste {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, rand.N(3*time.Millisecond))
		defer cancel()
	}
	return store.Publish(ctx, event.Publication{ID: id, Remember: time.Minute, Room: room, Object: "{}"})
}
