package continuity

import (
	"cmp"
	"fmt"
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
	ConnectErrors int
	Refusals      int
	Resyncs       int
	FewestResyncs int // of one member in one room
	MostResyncs   int

	Disconnects map[string]int // by reason

	faults []string
}

// shownFaults bounds what String tells one by one.
const shownFaults = 8

// Broken reports whether the promise was: something was lost in silence, doubled, out of
// order or invented.
func (v *Verdict) Broken() bool { return v.Lost+v.Doubled+v.Disordered+v.Invented > 0 }

// String is one line of figures, and a line for each of the first faults.
func (v *Verdict) String() string {
	var reasons []string
	for reason, times := range v.Disconnects {
		reasons = append(reasons, fmt.Sprintf("%s %d", reason, times))
	}
	slices.Sort(reasons)
	line := fmt.Sprintf("clients %d, published %d (acknowledged %d), due %d, delivered %d, "+
		"lost %d, doubled %d, out of order %d, invented %d, told by RESYNC %d (void %d); "+
		"reconnects %d, not recovered %d, RESYNCs %d, connect errors %d, refusals %d, disconnects [%s]",
		v.Clients, v.Published, v.Acknowledged, v.Due, v.Delivered,
		v.Lost, v.Doubled, v.Disordered, v.Invented, v.Excused, v.Voided,
		v.Reconnects, v.NotRecovered, v.Resyncs, v.ConnectErrors, v.Refusals, strings.Join(reasons, ", "))
	return strings.Join(append([]string{line}, v.faults...), "\n\t")
}

func (v *Verdict) fault(client, format string, values ...any) {
	if len(v.faults) < shownFaults {
		v.faults = append(v.faults, client+": "+fmt.Sprintf(format, values...))
	}
}

// Judge compares the logs with the publications.
func Judge(publications []Publication, logs []Log) *Verdict {
	v := &Verdict{Clients: len(logs), Disconnects: make(map[string]int)}
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
