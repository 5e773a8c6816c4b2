package hub_test

import (
	"fmt"
	"sort"
	"testing"

	"github.com/roomcast/roomcast/internal/event"
)

// modelPublication is one that was accepted.
type modelPublication struct {
	number int
	at     event.Position
	lost   bool // with the data of a Redis that went down
}

// judge knows what was published, and finds what is wrong with what a client got.
type judge struct {
	rooms map[event.Room][]*modelPublication // in the order of their sequences
}

// lose marks what was published after a sequence: it never happened, for whoever has not
// got it; whoever has must be told.
func (j *judge) lose(kept uint64) {
	for _, published := range j.rooms {
		for _, p := range published {
			p.lost = p.lost || p.at.Sequence > kept
		}
	}
}

// after is the place of the first publication after a sequence.
func (j *judge) after(room event.Room, sequence uint64) int {
	published := j.rooms[room]
	return sort.Search(len(published), func(i int) bool { return published[i].at.Sequence > sequence })
}

// check walks through one segment. A RESYNC excuses what lies before it, nothing else.
func (j *judge) check(room event.Room, s *segment) error {
	published := j.rooms[room]
	next := j.after(room, s.from.Sequence)
	tainted := 0 // a publication that it has and that was lost since
	for n, got := range s.got {
		if got.number == 0 {
			next, tainted = max(next, j.after(room, got.at.Sequence)), 0
			continue
		}
		place := j.find(room, got.number)
		switch {
		case place < 0:
			return fmt.Errorf("entry %d: publication %d is of another room", n, got.number)
		case place < next:
			return fmt.Errorf("entry %d: publication %d came twice, or out of order", n, got.number)
		case tainted != 0 && !published[place].lost:
			return fmt.Errorf("entry %d: after publication %d, which is lost, it was not told to reload", n, tainted)
		}
		for ; next < place; next++ {
			if !published[next].lost {
				return fmt.Errorf("entry %d: publication %d is missing before %d", n, published[next].number, got.number)
			}
		}
		next++
		if published[place].lost {
			tainted = got.number
		}
	}
	return j.checkEnd(room, s, next, tainted)
}

func (j *judge) checkEnd(room event.Room, s *segment, next, tainted int) error {
	if s.vague {
		return nil
	}
	end := len(j.rooms[room])
	if !s.until.IsZero() {
		end = j.after(room, s.until.Sequence)
	}
	for ; next < end; next++ {
		if p := j.rooms[room][next]; !p.lost {
			return fmt.Errorf("at the end: publication %d is missing", p.number)
		}
	}
	if tainted != 0 && s.until.IsZero() {
		return fmt.Errorf("at the end: it has publication %d, which is lost, and was not told", tainted)
	}
	return nil
}

func (j *judge) find(room event.Room, number int) int {
	for place, p := range j.rooms[room] {
		if p.number == number {
			return place
		}
	}
	return -1
}

// The judge must find what it is there to find.
func TestTheJudgeOfSchedules(t *testing.T) {
	room := newRoom(t, "w", "a")
	at := func(sequence uint64) event.Position { return event.Position{Epoch: "e", Sequence: sequence} }
	cases := map[string]struct {
		got  []int // numbers; 0 is a RESYNC at 3
		lost []uint64
		good bool
	}{
		"all":                       {got: []int{2, 3, 4}, good: true},
		"one missing":               {got: []int{2, 4}},
		"the last missing":          {got: []int{2, 3}},
		"twice":                     {got: []int{2, 2, 3, 4}},
		"out of order":              {got: []int{3, 2, 4}},
		"of another room":           {got: []int{2, 9}},
		"excused":                   {got: []int{0, 4}, good: true},
		"not excused after":         {got: []int{0}},
		"doubled by a resync":       {got: []int{2, 0, 3, 4}},
		"lost for all":              {got: []int{2, 4}, lost: []uint64{3}, good: true},
		"lost, had, not told":       {got: []int{2, 3, 4}, lost: []uint64{3}},
		"lost, had, told":           {got: []int{2, 3, 0, 4}, lost: []uint64{3}, good: true},
		"lost at the end, not told": {got: []int{2, 3, 4}, lost: []uint64{4}},
	}
	for name, c := range cases {
		j := judge{rooms: map[event.Room][]*modelPublication{}}
		for n := uint64(1); n <= 4; n++ {
			lost := false
			for _, l := range c.lost {
				lost = lost || l == n
			}
			j.rooms[room] = append(j.rooms[room], &modelPublication{number: int(n), at: at(n), lost: lost})
		}
		s := &segment{from: at(1)}
		for _, n := range c.got {
			e := entry{number: n, at: at(uint64(n))}
			if n == 0 {
				e.at = at(3)
			}
			s.got = append(s.got, e)
		}
		if err := j.check(room, s); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}
