package redis

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/redis/redistest"
)

// together publishes what is given in one run of the script and returns what each was told.
func together(t *testing.T, s *Store, publications ...event.Publication) []string {
	t.Helper()
	var batch []*parcel[*outgoing]
	for _, p := range publications {
		p.Remember = time.Minute
		batch = append(batch, newParcel(&outgoing{Publication: p}, len(p.Object)))
	}
	s.publishAll(t.Context(), batch)
	var told []string
	for _, p := range batch {
		answer := p.cargo.answer
		if p.cargo.err != nil {
			answer = p.cargo.err.Error()
		}
		told = append(told, answer)
	}
	return told
}

func openForBatches(t *testing.T, change func(*Options)) (*Store, *redistest.Server) {
	t.Helper()
	server := redistest.Start(t)
	options := Options{
		Server: Server{Addresses: []string{server.Addr()}}, Instance: "test", Logger: slog.New(slog.DiscardHandler),
		HistorySize: 100, HistoryBytes: 1 << 20, HistoryTTL: time.Minute,
	}
	change(&options)
	store, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store, server
}

// Publications that come together are each answered for themselves: one whose keys somebody
// has spoilt fails alone, one that is sent twice at a time is published once.
func TestWhatComesTogetherStandsAlone(t *testing.T) {
	t.Parallel()
	store, server := openForBatches(t, func(*Options) {})
	a, b, spoilt := event.Room{Workspace: "w", App: "a"}, event.Room{Workspace: "w", App: "b"}, event.Room{Workspace: "w", App: "spoilt"}
	server.Do("SET", store.keys.room(spoilt), "somebody else's")
	server.Do("SET", store.keys.id("spoilt"), "somebody else's")
	server.Do("HSET", store.keys.tails(), b.String(), "somebody else's")
	server.Do("XADD", store.keys.room(b), "1", "somebody", "else's")

	told := together(t, store,
		event.Publication{ID: "1", Room: a, Object: `{"n":1}`, Fingerprint: "f"},
		event.Publication{ID: "2", Room: spoilt, Object: `{}`},
		event.Publication{ID: "1", Room: a, Object: `{"n":1}`, Fingerprint: "f"},
		event.Publication{ID: "1", Room: a, Object: `{}`, Fingerprint: "another"},
		event.Publication{ID: "2", Room: spoilt, Object: `{}`},
		event.Publication{ID: "3", Room: b, Object: `{"n":2}`},
		event.Publication{ID: "4", Room: a, Object: `{"n":3}`},
		event.Publication{ID: "spoilt", Room: a, Object: `{}`},
	)
	first, err := parseReceipt(told[0])
	if err != nil {
		t.Fatal(err)
	}
	epoch, base := first.Position.Epoch, first.Position.Sequence
	want := []string{
		fmt.Sprintf("new %s %d", epoch, base),
		"WRONGTYPE",
		fmt.Sprintf("duplicate %s %d", epoch, base),
		fmt.Sprintf("reused %s %d", epoch, base),
		"WRONGTYPE",
		fmt.Sprintf("new %s %d", epoch, base+2),
		fmt.Sprintf("new %s %d", epoch, base+3),
		"ERR the memory of its id is not sound",
	}
	for i := range want {
		if told[i] != want[i] && (want[i] != "WRONGTYPE" || !strings.HasPrefix(told[i], want[i])) {
			t.Errorf("the publication at place %d was told %q, want %q", i, told[i], want[i])
		}
	}
	found, err := store.Range(t.Context(), a, base-1, 1<<20)
	if err != nil || len(found.Events) != 2 {
		t.Fatalf("the room's history is %+v, %v, want two events", found, err)
	}
	if events := found.Events; events[1].Previous != base || events[1].Object() != `{"n":3}` {
		t.Errorf("the second event follows %d and is %s", events[1].Previous, events[1].Object())
	}
	if entries := server.Do("XLEN", store.keys.room(b)); entries != int64(1) {
		t.Errorf("%d entries are in the history that somebody else wrote to, want the one publication", entries)
	}
	if top, err := store.Top(t.Context()); err != nil || top.Sequence != base+3 {
		t.Errorf("the top is %+v, %v, want sequence %d", top, err, base+3)
	}

	// Sent once more, each is what it was. What had failed is tried again.
	server.Do("DEL", store.keys.room(spoilt))
	told = together(t, store,
		event.Publication{ID: "4", Room: a, Object: `{"n":3}`},
		event.Publication{ID: "2", Room: spoilt, Object: `{}`},
	)
	want = []string{fmt.Sprintf("duplicate %s %d", epoch, base+3), fmt.Sprintf("new %s %d", epoch, base+4)}
	for i := range want {
		if told[i] != want[i] {
			t.Errorf("sent again, the publication was told %q, want %q", told[i], want[i])
		}
	}
}

// The bounds of a history hold over a batch as over one by one, and across batches.
func TestHistoryBoundsOverBatches(t *testing.T) {
	t.Parallel()
	const kept = 4
	object := `{"pad":"` + strings.Repeat("x", 100) + `"}`
	// What is told of a history beside it is made again from the history.
	for name, change := range map[string]func(*Options){
		"entries": func(o *Options) { o.HistorySize = kept },
		"bytes":   func(o *Options) { o.HistoryBytes = kept*len(object) + 1 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, server := openForBatches(t, change)
			rooms := []event.Room{{Workspace: "w", App: "a"}, {Workspace: "w", App: "b"}}
			n := 0
			for i, size := range []int{2, 7, 1, 12, 1} {
				if i%2 == 0 {
					server.Do("DEL", store.keys.tails())
				}
				var batch []event.Publication
				for range size {
					n++
					batch = append(batch, event.Publication{ID: fmt.Sprint(n), Room: rooms[n%2], Object: object})
				}
				told := together(t, store, batch...)
				for _, room := range rooms {
					found, err := store.Range(t.Context(), room, 0, 1<<20)
					published := n / 2
					if room == rooms[1] {
						published = (n + 1) / 2
					}
					if err != nil || len(found.Events) != min(kept, published) {
						t.Fatalf("after %d publications %s keeps %d, %v, want %d (told %q)", published, room, len(found.Events), err, min(kept, published), told)
					}
					if last := found.Events[len(found.Events)-1]; last.Position.Sequence != found.Last {
						t.Errorf("the newest of %s is %d, the index says %d", room, last.Position.Sequence, found.Last)
					}
				}
			}
		})
	}
}
