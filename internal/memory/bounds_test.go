package memory

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/storetest"
)

var board = event.Room{Workspace: "w", App: "a"}

func newTestBus() *Bus {
	return NewBus(Options{HistorySize: 10, HistoryBytes: 64 << 20, HistoryTTL: time.Hour})
}

// stuck is a sink that does not come back from its first event until released.
type stuck struct {
	*storetest.Ear
	release chan struct{}
}

func (s stuck) Event(e *event.Event) {
	<-s.release
	s.Ear.Event(e)
}

func TestSlowFollowerIsCutOff(t *testing.T) {
	for name, test := range map[string]struct {
		object string
		most   int // events that may wait
	}{
		"by number": {`{}`, queueLength},
		"by bytes":  {`{"pad":"` + strings.Repeat("x", queueBytes/4) + `"}`, 3},
	} {
		t.Run(name, func(t *testing.T) {
			bus := newTestBus()
			slow := stuck{Ear: storetest.NewEar(), release: make(chan struct{})}
			defer storetest.FollowWith(t, bus.Store(), slow)()
			slow.Await(t, "the subscription", func(h storetest.Heard) bool { return h.Subscribed == 1 })
			quick, stop := storetest.Listen(t, bus.Store())
			defer stop()

			publisher := storetest.NewPublisher(t, bus.Store(), "p")
			published := 0
			for count := 2; count == 2; published++ { // publishing never waits for the slow one
				publisher.Publish(board, test.object)
				quick.AwaitEvents(t, published+1)
				bus.mu.Lock()
				count = len(bus.followers)
				bus.mu.Unlock()
				if count == 2 && published > test.most { // one more is with the sink
					t.Fatalf("%d events wait for the slow follower, more than %d", published, test.most)
				}
			}
			close(slow.release)
			heard := slow.Await(t, "a new subscription", func(h storetest.Heard) bool { return h.Subscribed == 2 })
			if len(heard.Interrupted) != 1 || !errors.Is(heard.Interrupted[0], errTooSlow) {
				t.Errorf("interrupted by %v, want once by %v", heard.Interrupted, errTooSlow)
			}
			before := len(heard.Events)
			if before >= published {
				t.Errorf("the slow follower heard all of %d events", before)
			}
			last := publisher.Publish(board, test.object)
			events := slow.AwaitEvents(t, before+1)
			if got := events[len(events)-1].Position; got != last {
				t.Errorf("after its interruption it heard %v, want %v", got, last)
			}
		})
	}
}

func TestIDsAreForgottenInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTestBus().Store()
		short := event.Publication{ID: "short", Remember: time.Minute, Room: board, Object: "{}"}
		long := event.Publication{ID: "long", Remember: 10 * time.Minute, Room: board, Object: "{}"}
		for _, step := range []struct {
			wait        time.Duration
			short, long bool // answered as duplicates
		}{
			{0, false, false}, {59 * time.Second, true, true}, {time.Second, false, true}, {9*time.Minute - 1, false, true}, {1, true, false},
		} {
			time.Sleep(step.wait)
			for publication, duplicate := range map[*event.Publication]bool{&short: step.short, &long: step.long} {
				receipt, err := store.Publish(t.Context(), *publication)
				if err != nil || receipt.Duplicate != duplicate {
					t.Errorf("%v later %s is answered %+v, %v, want duplicate %v", step.wait, publication.ID, receipt, err, duplicate)
				}
			}
		}
	})
}

func TestIDsAreBounded(t *testing.T) {
	bus := newTestBus()
	publisher := storetest.NewPublisher(t, bus.Store(), "p")
	for range maxIDs + 10 {
		publisher.Publish(board, "{}")
	}
	if len(bus.ids.answers) != maxIDs || len(bus.ids.expiry) != maxIDs {
		t.Errorf("%d ids and %d times are kept, want %d", len(bus.ids.answers), len(bus.ids.expiry), maxIDs)
	}
	if bus.ids.answers["p-10"] != nil || bus.ids.answers["p-11"] == nil {
		t.Error("the ids that were forgotten are not the ten oldest")
	}
}

// Histories of rooms that nobody publishes to or reads must not stay for ever.
func TestQuietHistoriesAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := newTestBus()
		publisher := storetest.NewPublisher(t, bus.Store(), "p")
		quiet := make([]event.Room, 3)
		for i := range quiet {
			quiet[i] = event.Room{Workspace: "w", App: fmt.Sprint(i)}
			publisher.Publish(quiet[i], "{}")
			time.Sleep(time.Minute)
		}
		time.Sleep(58 * time.Minute)
		publisher.Publish(board, "{}") // an hour and a minute after the first, an hour after the second
		var kept []bool
		for _, name := range append(quiet, board) {
			kept = append(kept, len(bus.index.rooms[name].history) == 1)
		}
		if want := []bool{false, true, true, true}; !slices.Equal(kept, want) {
			t.Errorf("histories kept: %v, want %v", kept, want)
		}
	})
}
