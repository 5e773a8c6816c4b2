package continuity

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Verdict is what was counted in all logs together.
type Verdict struct {
	Clients      int
	Published    int // publications that are known to exist
	Acknowledged int // those whose publisher was told so
	Due          int // deliveries that publications and members add up to
	Delivered    int
	Excused      int // due, not delivered, and told by a RESYNC before the room went on
	Voided       int // delivered at a position that was lost, and told by a RESYNC

	Lost       int // due, and neither delivered nor excused
	Doubled    int
	Disordered int // delivered behind something of a higher sequence
	Invented   int // delivered, and not what was published

	Connects      int
	Reconnects    int
	NotRecovered  int // reconnects that did not continue their session
	Resyncs       int
	FewestResyncs int // of one member in one room
	MostResyncs   int

	Disconnects   Causes
	ConnectErrors Causes
	Refusals      Causes // of SUBSCRIBE

	faults []string
}

// shownFaults bounds what String tells one by one.
const shownFaults = 8

// Broken reports whether the promise was: something was lost in silence, doubled, out of
// order or invented.
func (v *Verdict) Broken() bool { return v.Lost+v.Doubled+v.Disordered+v.Invented > 0 }

// String is one line of figures, and a line for each of the first faults.
func (v *Verdict) String() string {
	line := fmt.Sprintf("clients %d, published %d (acknowledged %d), due %d, delivered %d, "+
		"lost %d, doubled %d, out of order %d, invented %d, told by RESYNC %d (void %d); "+
		"reconnects %d, not recovered %d, RESYNCs %d, disconnects %v, connect errors %v, refusals %v",
		v.Clients, v.Published, v.Acknowledged, v.Due, v.Delivered,
		v.Lost, v.Doubled, v.Disordered, v.Invented, v.Excused, v.Voided,
		v.Reconnects, v.NotRecovered, v.Resyncs, v.Disconnects, v.ConnectErrors, v.Refusals)
	return strings.Join(append([]string{line}, v.faults...), "\n\t")
}

// Causes is how often something happened, by what was said of it.
type Causes map[string]int

// Total is how often it happened at all.
func (c Causes) Total() int {
	total := 0
	for _, times := range c {
		total += times
	}
	return total
}

// String is the total and what it is made of.
func (c Causes) String() string {
	if len(c) == 0 {
		return "0"
	}
	var parts []string
	for _, cause := range slices.Sorted(maps.Keys(c)) {
		parts = append(parts, fmt.Sprintf("%s %d", cause, c[cause]))
	}
	return fmt.Sprintf("%d (%s)", c.Total(), strings.Join(parts, ", "))
}

func (v *Verdict) fault(client, format string, values ...any) {
	if len(v.faults) < shownFaults {
		v.faults = append(v.faults, client+": "+fmt.Sprintf(format, values...))
	}
}

// Judge compares the logs with the publications.
func Judge(publications []Publication, logs []Log) *Verdict {
	v := &Verdict{Clients: len(logs), Disconnects: Causes{}, ConnectErrors: Causes{}, Refusals: Causes{}}
	known := newChannel(publications, logs)
	for _, room := range known {
		v.Published += len(room.ordered)
	}
	for _, p := range publications {
		if p.Sequence != 0 {
			v.Acknowledged++
		}
	}
	v.FewestResyncs = -1
	for _, log := range logs {
		judgeClient(v, known, log)
	}
	v.FewestResyncs = max(v.FewestResyncs, 0)
	return v
}

// channel is what was published, by room.
type channel map[int]*published

type published struct {
	sequences map[int]uint64 // by number
	ordered   []Publication  // by sequence, those that are known to exist
}

// newChannel takes from the logs what the publishers do not know: whoever got a publication
// that was not acknowledged proves that it exists, and then it is due to all members.
func newChannel(publications []Publication, logs []Log) channel {
	known := make(channel)
	for _, p := range publications {
		room := known[p.Room]
		if room == nil {
			room = &published{sequences: make(map[int]uint64)}
			known[p.Room] = room
		}
		room.sequences[p.Number] = p.Sequence
	}
	for _, log := range logs {
		for _, entry := range log.Entries {
			if entry.Kind != Updated || known[entry.Room] == nil {
				continue
			}
			if sequence, ours := known[entry.Room].sequences[entry.Number]; ours && sequence == 0 {
				known[entry.Room].sequences[entry.Number] = entry.Sequence
			}
		}
	}
	for id, room := range known {
		for number, sequence := range room.sequences {
			if sequence != 0 {
				room.ordered = append(room.ordered, Publication{Room: id, Number: number, Sequence: sequence})
			}
		}
		slices.SortFunc(room.ordered, func(a, b Publication) int { return cmp.Compare(a.Sequence, b.Sequence) })
	}
	return known
}
