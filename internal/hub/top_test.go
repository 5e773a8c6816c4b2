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
func ask(ctx context.Context, r *topReader, n int) <-chan answered {
	results := make(chan answered, n)
	for range n {
		go func() {
			top, err := r.read(ctx)
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

func newTopReader(t *testing.T) (*topReader, *topStore) {
	store := &topStore{answers: make(chan topAnswer)}
	return &topReader{store: store, ctx: t.Context()}, store
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

// The one who reads does so for the others too, whatever becomes of its own client.
func TestAReaderOfTheTopThatWithdrawsStrandsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, store := newTopReader(t)
		ctx, withdraw := context.WithCancel(t.Context())
		leader := ask(ctx, r, 1)
		waiting := ask(t.Context(), r, 10)
		withdrawing := ask(ctx, r, 10)
		withdraw()
		expectAnswers(t, withdrawing, 0, context.Canceled)
		store.answers <- topAnswer{sequence: 1}
		expectAnswers(t, leader, 1, nil)
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
		store.answers <- topAnswer{sequence: 2}
		expectAnswers(t, later, 2, nil)
	})
}

// One that withdraws at the very moment it is chosen to read must not keep the token.
func TestWithdrawingWhileChosenReadsForTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, store := newTopReader(t)
		mine := r.enlist() // chosen, since nobody reads
		others := ask(t.Context(), r, 1)
		if n := store.begun(); n != 1 {
			t.Fatalf("the token made %d reads begin", n)
		}
		store.answers <- topAnswer{sequence: 1}
		expectAnswers(t, others, 1, nil)
		<-mine.done

		mine = r.enlist() // chosen again, and gone before anybody else asks
		ctx, withdraw := context.WithCancel(t.Context())
		withdraw()
		withdrawn := make(chan error, 1)
		go func() { withdrawn <- r.withdraw(ctx, mine) }()
		synctest.Wait()
		others = ask(t.Context(), r, 5)
		store.answers <- topAnswer{sequence: 2}
		synctest.Wait()
		store.answers <- topAnswer{sequence: 3}
		expectAnswers(t, others, 3, nil)
		if err := <-withdrawn; !errors.Is(err, context.Canceled) {
			t.Errorf("the one that withdrew got %v", err)
		}
	})
}
