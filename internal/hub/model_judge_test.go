package hub_test

import (
	"fmt"
	"sort"

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
