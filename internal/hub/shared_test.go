package hub

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/roomcast/roomcast/internal/event"
)

// topStore answers each read of the top when the test lets it.
type topStore struct {
	Store
	answers chan topAnswer

	mu    sync.Mutex
	reads int
}

type topAnswer struct {
	sequence uint64
	err      error
}

func (s *topStore) Top(ctx context.Context) (event.Top, error) {
	s.mu.Lock()
	s.reads++
	s.mu.Unlock()
	select {
	case answer := <-s.answers:
		return event.Top{Position: event.Position{Epoch: "e", Sequence: answer.sequence}}, answer.err
	case <-ctx.Done():
		return event.Top{}, ctx.Err()
	}
}

func (s *topStore) begun() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

// answered is what one reader of the top got.
type answered struct {
	top event.Top
	err error
}

// ask has n readers read the top and waits until all of them wait.
func ask(ctx context.Context, r *sharedReader[event.Top], n int) <-chan answered {
	results := make(chan answered, n)
	for range n {
		go func() {
			top, err := r.read(ctx, 0)
			results <- answered{top, err}
		}()
	}
	synctest.Wait()
	return results
}

func expectAnswers(t *testing.T, results <-chan answered, sequence uint64, err error) {
	t.Helper()
	synctest.Wait()
	if len(results) != cap(results) {
		t.Errorf("%d of %d readers are answered", len(results), cap(results))
	}
	for range len(results) {
		got := <-results
		if !errors.Is(got.err, err) || err == nil && (got.err != nil || got.top.Sequence != sequence) {
			t.Errorf("a reader got %d and %v, due is %d and %v", got.top.Sequence, got.err, sequence, err)
		}
	}
}

func newTopReader(t *testing.T) (*sharedReader[event.Top], *topStore) {
	store := &topStore{answers: make(chan topAnswer)}
	perform := func(ctx context.Context, _ uint64) (event.Top, error) { return store.Top(ctx) }
	r := &sharedReader[event.Top]{ctx: t.Context(), running: new(sync.WaitGroup), perform: perform}
	t.Cleanup(r.running.Wait)
	return r, store
}

func TestReadersOfTheTopShareTheNextRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, store := newTopReader(t)
		first := ask(t.Context(), r, 1)
		others := ask(t.Context(), r, 1000)
		store.answers <- topAnswer{sequence: 1}
		expectAnswers(t, first, 1, nil)
		if len(others) > 0 {
			t.Error("readers got a top that was read before they asked")
		}
		store.answers <- topAnswer{sequence: 2}
		expectAnswers(t, others, 2, nil)
		if n := store.begun(); n != 2 {
			t.Errorf("the store was read %d times", n)
		}
		last := ask(t.Context(), r, 1) // nothing is left over
		store.answers <- topAnswer{sequence: 3}
		expectAnswers(t, last, 3, nil)
	})
}

func TestAFailedReadOfTheTopFailsAllItsReadersAndNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, store := newTopReader(t)
		reset := errors.New("connection reset")
		first := ask(t.Context(), r, 1)
		second := ask(t.Context(), r, 10)
		store.answers <- topAnswer{sequence: 1}
		synctest.Wait()
		third := ask(t.Context(), r, 10)
		store.answers <- topAnswer{err: reset}
		synctest.Wait()
		store.answers <- topAnswer{sequence: 3}
		expectAnswers(t, first, 1, nil)
		expectAnswers(t, second, 0, reset)
		expectAnswers(t, third, 3, nil)
	})
}

// Whoever asked first may go: the others wait for the same read.
func TestAReaderOfTheTopThatWithdrawsStrandsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, store := newTopReader(t)
		ctx, withdraw := context.WithCancel(t.Context())
		leader := ask(ctx, r, 1)
		waiting := ask(t.Context(), r, 10)
		withdrawing := ask(ctx, r, 10)
		withdraw()
		expectAnswers(t, withdrawing, 0, context.Canceled)
		expectAnswers(t, leader, 0, context.Canceled)
		store.answers <- topAnswer{sequence: 1}
		store.answers <- topAnswer{sequence: 2}
		expectAnswers(t, waiting, 2, nil)
	})
}

func TestAReadOfTheTopThatAllWithdrewFromStrandsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, store := newTopReader(t)
		leader := ask(t.Context(), r, 1)
		ctx, withdraw := context.WithCancel(t.Context())
		withdrawn := ask(ctx, r, 3)
		withdraw()
		expectAnswers(t, withdrawn, 0, context.Canceled)
		store.answers <- topAnswer{sequence: 1}
		expectAnswers(t, leader, 1, nil)
		later := ask(t.Context(), r, 1)
		store.answers <- topAnswer{sequence: 2} // for those who have gone
		store.answers <- topAnswer{sequence: 3}
		expectAnswers(t, later, 3, nil)
	})
}

// What was asked for covers everybody who shares the answer.
func TestASharedReadBeginsAtTheLowestSequence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := make(chan uint64)
		r := &sharedReader[uint64]{ctx: t.Context(), running: new(sync.WaitGroup),
			perform: func(_ context.Context, after uint64) (uint64, error) { began <- after; return after, nil }}
		t.Cleanup(r.running.Wait)
		for _, after := range []uint64{7, 30, 20, 25} {
			go func() { _, _ = r.read(t.Context(), after) }()
			synctest.Wait()
		}
		if first, second := <-began, <-began; first != 7 || second != 20 {
			t.Errorf("reads began after %d and %d, want 7 and 20", first, second)
		}
	})
}
