package hub

import (
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

// unobserved is an Observer that counts nothing.
type unobserved struct{}

func (unobserved) RoomsChanged(int)     {}
func (unobserved) MembersChanged(int)   {}
func (unobserved) Heard(string)         {}
func (unobserved) Delivered(int)        {}
func (unobserved) Dropped(string, int)  {}
func (unobserved) BusLag(time.Duration) {}
func (unobserved) Repaired(string)      {}
func (unobserved) Resynced(string)      {}
func (unobserved) Recovery(string)      {}

// sink is a Member that takes the bytes, as a connection without a backlog would.
type sink struct{ bytes int }

func (s *sink) Send(batch *event.Batch) { s.bytes += len(batch.In(event.Bare).Frames()) }
func (s *sink) Close(string)            {}

// notebook is a Member that writes down the batches.
type notebook struct{ batches []*event.Batch }

func (n *notebook) Send(batch *event.Batch) { n.batches = append(n.batches, batch) }
func (n *notebook) Close(string)            {}

func (n *notebook) sequences() []uint64 {
	var all []uint64
	for _, batch := range n.batches {
		for _, e := range batch.Events() {
			all = append(all, e.Position.Sequence)
		}
	}
	return all
}

// newTestWorker is a worker that the test runs itself.
func newTestWorker() *worker {
	h := New(Options{
		Observer: unobserved{}, Logger: slog.New(slog.DiscardHandler),
		Workers: 1, RoomsPerMember: 8, HoldBytes: 1 << 20, RequestTimeout: time.Minute,
	})
	return h.workers[0]
}

// seatAt gives a member seats that are open from a sequence on.
func seatAt(w *worker, member Member, after uint64, rooms ...event.Room) *Seating {
	seating := w.hub.Admit(member)
	for _, room := range rooms {
		taken := &seat{seating: seating, room: room, after: event.Position{Epoch: "e", Sequence: after}}
		seating.taken = append(seating.taken, taken)
		w.hub.directory.add(room, w.index)
		w.sit(taken)
	}
	seating.gated = false
	return seating
}

func roomNumber(n int) event.Room { return event.Room{Workspace: "w", App: strconv.Itoa(n)} }

func eventIn(room event.Room, sequence uint64) *event.Event {
	return event.NewDelivery(room, event.Position{Epoch: "e", Sequence: sequence}, 0,
		`{"event":"UPDATE_APP","workspaceId":"w","appId":"`+room.App+`","payload":{"n":1}}`)
}

func foreignIn(room event.Room) *event.Event {
	return event.NewDelivery(room, event.Position{}, 0, `{"event":"UPDATE_APP"}`)
}

func TestOneEventCostsAllocationsPerRoomNotPerMember(t *testing.T) {
	allocations := func(members int) float64 {
		w := newTestWorker()
		for range members {
			seatAt(w, &sink{}, 0, roomNumber(0))
		}
		events := []*event.Event{eventIn(roomNumber(0), 1)}
		return testing.AllocsPerRun(20, func() { w.fanOut(events) })
	}
	few, many := allocations(10), allocations(1000)
	if many != few {
		t.Errorf("%v allocations for 10 members, %v for 1000", few, many)
	}
}

func TestMembersOfOneRoomShareOneBatch(t *testing.T) {
	w := newTestWorker()
	one, other, both := &notebook{}, &notebook{}, &notebook{}
	seatAt(w, one, 0, roomNumber(1))
	seatAt(w, other, 0, roomNumber(1))
	seatAt(w, both, 0, roomNumber(2), roomNumber(1))
	w.fanOut([]*event.Event{eventIn(roomNumber(1), 1), eventIn(roomNumber(2), 2), eventIn(roomNumber(1), 3)})
	if len(one.batches) != 1 || len(other.batches) != 1 || one.batches[0] != other.batches[0] {
		t.Error("two members of one room were given two batches")
	}
	if got := one.sequences(); !slices.Equal(got, []uint64{1, 3}) {
		t.Errorf("a member of one room got %v", got)
	}
	if got := both.sequences(); !slices.Equal(got, []uint64{1, 2, 3}) || len(both.batches) != 1 {
		t.Errorf("a member of both rooms got %v in %d batches", got, len(both.batches))
	}
}

// A stranger's publication is news to everybody; what stands behind it in the round may
// not be.
func TestAStrangersEventDoesNotBringOldOnesWithIt(t *testing.T) {
	w := newTestWorker()
	ahead, present := &notebook{}, &notebook{}
	seatAt(w, ahead, 2, roomNumber(1))
	seatAt(w, present, 0, roomNumber(1))
	w.fanOut([]*event.Event{foreignIn(roomNumber(1)), eventIn(roomNumber(1), 1), eventIn(roomNumber(1), 2), eventIn(roomNumber(1), 3)})
	if got := ahead.sequences(); !slices.Equal(got, []uint64{0, 3}) {
		t.Errorf("a member that has everything up to 2 got %v", got)
	}
	if got := present.sequences(); !slices.Equal(got, []uint64{0, 1, 2, 3}) {
		t.Errorf("a member that has nothing got %v", got)
	}
}

// A worker may be past what a member's room had, because a repair delivers other rooms'
// events before it tells this room to reload. Leaving just then must not claim them.
func TestLeavingInTheMiddleOfARepairClaimsNoOtherRoomsEvents(t *testing.T) {
	w := newTestWorker()
	w.hub.line.advance(event.Position{Epoch: "e", Sequence: 5})
	seating := seatAt(w, &notebook{}, 1, roomNumber(1), roomNumber(2))
	w.fanOut([]*event.Event{eventIn(roomNumber(1), 8)}) // of a repair; room 2 is to be resynced next
	positions := map[event.Room]uint64{}
	for n := range 2 {
		room := roomNumber(1 + n)
		seating.leave(t.Context(), room, func(outcome Outcome) []*event.Event {
			positions[room] = outcome.Position.Sequence
			return nil
		})
	}
	w.process(w.inbox.takeAll(nil))
	if positions[roomNumber(1)] != 8 || positions[roomNumber(2)] != 5 {
		t.Errorf("left at %v, due are 8 and 5", positions)
	}
}

func TestLargeRoundsAreDivided(t *testing.T) {
	w := newTestWorker()
	member := &notebook{}
	seatAt(w, member, 0, roomNumber(1))
	size := roundBytes/4 + 1
	var taken []work
	for n := range 7 {
		taken = append(taken, work{event: event.NewDelivery(roomNumber(1), event.Position{Epoch: "e", Sequence: uint64(n + 1)}, 0,
			fmt.Sprintf(`{"text":"%0*d"}`, size, n))})
	}
	w.process(taken)
	var sizes []int
	for _, batch := range member.batches {
		sizes = append(sizes, batch.Len())
	}
	if !slices.Equal(sizes, []int{3, 3, 1}) || !slices.IsSorted(member.sequences()) {
		t.Errorf("rounds of %v, sequences %v", sizes, member.sequences())
	}
}

func TestUnseatingKeepsTheOthers(t *testing.T) {
	w := newTestWorker()
	members, seatings := make([]*notebook, 5), make([]*Seating, 5)
	for i := range members {
		members[i] = &notebook{}
		seatings[i] = seatAt(w, members[i], 0, roomNumber(1))
	}
	sequence := uint64(0)
	for _, gone := range []int{0, 4, 2, 1, 3} {
		w.unseat(seatings[gone].taken[0])
		sequence++
		w.fanOut([]*event.Event{eventIn(roomNumber(1), sequence)})
	}
	for i, due := range []int{0, 3, 2, 4, 1} {
		if got := len(members[i].batches); got != due {
			t.Errorf("member %d got %d events, not %d", i, got, due)
		}
	}
	if len(w.rooms) != 0 || len(w.hub.directory.list()) != 0 {
		t.Error("the empty room is still known")
	}
}

func BenchmarkFanOutOneRoom(b *testing.B) {
	for _, members := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			w := newTestWorker()
			for range members {
				seatAt(w, &sink{}, 0, roomNumber(0))
			}
			events := make([]*event.Event, 1)
			b.ReportAllocs()
			for n := uint64(1); b.Loop(); n++ {
				events[0] = eventIn(roomNumber(0), n) // a new one each time: its encoding is part of the cost
				w.fanOut(events)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(members), "ns/delivery")
		})
	}
}

func BenchmarkFanOutManyRooms(b *testing.B) {
	const rooms, members = 100, 10
	w := newTestWorker()
	for n := range rooms {
		for range members {
			seatAt(w, &sink{}, 0, roomNumber(n))
		}
	}
	benchmarkRounds(b, w, rooms, rooms*members)
}

func BenchmarkMergedMembers(b *testing.B) {
	const rooms, members = 4, 250
	w := newTestWorker()
	for range members {
		seatAt(w, &sink{}, 0, roomNumber(0), roomNumber(1), roomNumber(2), roomNumber(3))
	}
	benchmarkRounds(b, w, rooms, rooms*members)
}

// benchmarkRounds fans out rounds of one event for each room.
func benchmarkRounds(b *testing.B, w *worker, rooms, deliveries int) {
	b.Helper()
	events := make([]*event.Event, rooms)
	b.ReportAllocs()
	sequence := uint64(0)
	for b.Loop() {
		for n := range events {
			sequence++
			events[n] = eventIn(roomNumber(n), sequence)
		}
		w.fanOut(events)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(deliveries), "ns/delivery")
}
