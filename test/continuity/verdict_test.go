package continuity_test

import (
	"strings"
	"testing"

	"github.com/roomcast/roomcast/test/continuity"
)

// Entries in few words. A room's update number n has the sequence n, unless said otherwise.
func joined(room int, at uint64) continuity.Entry {
	return continuity.Entry{Kind: continuity.Answered, Room: room, Sequence: at}
}

func got(room, number int) continuity.Entry {
	return continuity.Entry{Kind: continuity.Updated, Room: room, Number: number, Sequence: uint64(number)}
}

func told(room int, at uint64) continuity.Entry {
	return continuity.Entry{Kind: continuity.Resynced, Room: room, Sequence: at}
}

func connected(recovered bool) continuity.Entry {
	return continuity.Entry{Kind: continuity.Connected, Recovered: recovered}
}

// published is numbers 1 to last, alternately to rooms 0 and 1: odd ones to room 1.
func published(last int) []continuity.Publication {
	var all []continuity.Publication
	for n := 1; n <= last; n++ {
		all = append(all, continuity.Publication{Room: n % 2, Number: n, Sequence: uint64(n)})
	}
	return all
}

type counts struct{ lost, doubled, disordered, invented, excused, voided int }

func judge(publications []continuity.Publication, logs ...[]continuity.Entry) *continuity.Verdict {
	var all []continuity.Log
	for _, entries := range logs {
		all = append(all, continuity.Log{Client: "c", Entries: entries})
	}
	return continuity.Judge(publications, all)
}

func TestFaultsAreFound(t *testing.T) {
	wrong, early := got(0, 4), got(0, 4)
	wrong.Sequence, early.Sequence = 5, 1
	for name, test := range map[string]struct {
		log  []continuity.Entry
		want counts
	}{
		"all is well":                    {log: entries(joined(0, 0), joined(1, 0), got(1, 1), got(0, 2), got(1, 3), got(0, 4))},
		"joined late":                    {log: entries(joined(0, 2), got(0, 4))},
		"a room that was not joined":     {log: entries(joined(0, 0), got(0, 2), got(0, 4))},
		"one in the middle is missing":   {log: entries(joined(0, 0), got(0, 4)), want: counts{lost: 1}},
		"the last is missing":            {log: entries(joined(0, 0), got(0, 2)), want: counts{lost: 1}},
		"all are missing":                {log: entries(joined(0, 0), joined(1, 0)), want: counts{lost: 4}},
		"twice in a row":                 {log: entries(joined(0, 0), got(0, 2), got(0, 2), got(0, 4)), want: counts{doubled: 1}},
		"twice, with others between":     {log: entries(joined(0, 0), got(0, 2), got(0, 4), got(0, 2)), want: counts{doubled: 1}},
		"twice after a reconnect":        {log: entries(joined(0, 0), got(0, 2), connected(true), got(0, 2), got(0, 4)), want: counts{doubled: 1}},
		"backwards in a room":            {log: entries(joined(0, 0), got(0, 4), got(0, 2)), want: counts{disordered: 1}},
		"backwards over rooms":           {log: entries(joined(0, 0), joined(1, 2), got(0, 2), got(0, 4), got(1, 3)), want: counts{disordered: 1}},
		"from before the join":           {log: entries(joined(0, 2), got(0, 2), got(0, 4)), want: counts{disordered: 1}},
		"never published":                {log: entries(joined(0, 0), got(0, 2), got(0, 4), got(0, 6)), want: counts{invented: 1}},
		"of another room":                {log: entries(joined(0, 0), got(0, 2), got(0, 3), got(0, 4)), want: counts{invented: 1}},
		"at another position":            {log: entries(joined(0, 0), got(0, 2), wrong), want: counts{lost: 1, invented: 1}},
		"published again, not told":      {log: entries(joined(0, 0), early, got(0, 2), got(0, 4)), want: counts{invented: 1}},
		"published again, told between":  {log: entries(joined(0, 0), early, told(0, 2), got(0, 4)), want: counts{excused: 1, voided: 1}},
		"published again, told of less":  {log: entries(joined(0, 0), early, got(0, 2), told(0, 2)), want: counts{lost: 1, voided: 1}},
		"before the answer":              {log: entries(got(0, 2), joined(0, 2), got(0, 4)), want: counts{invented: 1}},
		"a RESYNC before the answer":     {log: entries(told(0, 2), joined(0, 2), got(0, 4)), want: counts{invented: 1}},
		"told, then on":                  {log: entries(joined(0, 0), told(0, 2), got(0, 4)), want: counts{excused: 1}},
		"told of all":                    {log: entries(joined(0, 0), told(0, 4)), want: counts{excused: 2}},
		"told of too little":             {log: entries(joined(0, 0), told(0, 1), got(0, 4)), want: counts{lost: 1}},
		"told too late":                  {log: entries(joined(0, 0), got(0, 4), told(0, 4)), want: counts{lost: 1}},
		"told of another room":           {log: entries(joined(0, 0), joined(1, 4), told(1, 4), got(0, 4)), want: counts{lost: 1}},
		"told, and nothing after":        {log: entries(joined(0, 0), got(0, 2), told(0, 3)), want: counts{lost: 1}},
		"told backwards":                 {log: entries(joined(0, 0), got(0, 2), got(0, 4), told(0, 3)), want: counts{disordered: 1}},
		"told, and got it after all":     {log: entries(joined(0, 0), told(0, 4), got(0, 2)), want: counts{disordered: 1, excused: 1}},
		"replayed room by room":          {log: entries(joined(0, 0), joined(1, 0), connected(false), joined(0, 4), got(0, 2), got(0, 4), joined(1, 4), got(1, 1), got(1, 3))},
		"replayed before others":         {log: entries(joined(0, 0), joined(1, 0), connected(false), joined(0, 1), joined(1, 3), got(1, 1), got(1, 3), got(0, 2), got(0, 4))},
		"replayed beyond what was asked": {log: entries(joined(0, 0), joined(1, 0), connected(false), joined(0, 1), got(0, 2), got(0, 4), joined(1, 2), got(1, 1), got(1, 3)), want: counts{disordered: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			v := judge(published(4), test.log)
			if got := (counts{v.Lost, v.Doubled, v.Disordered, v.Invented, v.Excused, v.Voided}); got != test.want {
				t.Errorf("counted %+v, want %+v: %v", got, test.want, v)
			}
			test.want.excused, test.want.voided = 0, 0
			if broken := test.want != (counts{}); v.Broken() != broken {
				t.Errorf("broken: %t, want %t", v.Broken(), broken)
			}
		})
	}
}

func entries(all ...continuity.Entry) []continuity.Entry { return all }

// What one client got exists, acknowledged or not; then the others have to get it too.
func TestPublicationsThatWereNotAcknowledged(t *testing.T) {
	publications := published(4)
	publications[1].Sequence = 0
	nobody := judge(publications, entries(joined(0, 0), got(0, 4)), entries(joined(0, 0), got(0, 4)))
	if nobody.Broken() || nobody.Published != 3 || nobody.Acknowledged != 3 {
		t.Errorf("what nobody got: %v", nobody)
	}
	one := judge(publications, entries(joined(0, 0), got(0, 4)), entries(joined(0, 0), got(0, 2), got(0, 4)))
	if one.Lost != 1 || one.Published != 4 || one.Acknowledged != 3 {
		t.Errorf("what one of two got: %v", one)
	}
	other := got(0, 2)
	other.Sequence = 3
	both := judge(publications, entries(joined(0, 0), got(0, 2), got(0, 4)), entries(joined(0, 0), other, got(0, 4)))
	if both.Invented != 1 {
		t.Errorf("what came under two positions: %v", both)
	}
}

func TestConnectionsAreCounted(t *testing.T) {
	v := judge(nil,
		entries(
			connected(false), joined(0, 1), joined(1, 1),
			continuity.Entry{Kind: continuity.Disconnected, Text: "transport close"},
			continuity.Entry{Kind: continuity.ConnectError, Text: "websocket error"},
			connected(true), told(0, 2),
			continuity.Entry{Kind: continuity.Disconnected, Text: "transport close"},
			connected(false),
			continuity.Entry{Kind: continuity.Refused, Room: 1, Text: "application/unavailable"},
			told(0, 3),
		),
		entries(connected(false)),
	)
	if v.Clients != 2 || v.Connects != 4 || v.Reconnects != 2 || v.NotRecovered != 1 || v.ConnectErrors.Total() != 1 || v.Refusals.Total() != 1 ||
		v.Resyncs != 2 || v.FewestResyncs != 0 || v.MostResyncs != 2 || v.Disconnects["transport close"] != 2 {
		t.Errorf("counted %+v", v)
	}
	for _, said := range []string{"reconnects 2", "disconnects 2 (transport close 2)", "websocket error 1", "application/unavailable 1"} {
		if !strings.Contains(v.String(), said) {
			t.Errorf("the figures do not say %q: %v", said, v)
		}
	}
}
