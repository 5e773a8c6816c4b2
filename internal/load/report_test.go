package load

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestBuckets(t *testing.T) {
	h := newHistogram()
	for _, microseconds := range []int64{150, 200, 201, 4000, longest.Microseconds()} {
		if err := h.RecordValue(microseconds); err != nil {
			t.Fatal(err)
		}
	}
	got := buckets(h)
	first := []Bucket{{0.2, 2}, {0.5, 1}, {1, 0}, {2, 0}, {5, 1}}
	if !slices.Equal(got[:5], first) || got[len(got)-1].Count != 1 || got[len(got)-1].UpTo < float64(longest.Milliseconds()) {
		t.Errorf("%v", got)
	}
	if got := buckets(newHistogram()); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

func TestLimits(t *testing.T) {
	none := Limits{P99Milliseconds: Unlimited}
	lax := Limits{P99Milliseconds: Unlimited, Lost: Unlimited, Doubled: Unlimited, Unjoined: Unlimited, Failed: Unlimited}
	good := Report{Rate: 1, Delivered: Delivered{Received: 1}}
	for _, c := range []struct {
		name   string
		limits Limits
		change func(*Report)
		want   string // of the only fault; empty for none
	}{
		{"well", none, func(*Report) {}, ""},
		{"lost", none, func(r *Report) { r.Delivered.Lost = 1 }, "updates lost: 1, at most 0"},
		{"as much as may be", Limits{P99Milliseconds: Unlimited, Lost: 1}, func(r *Report) { r.Delivered.Lost = 1 }, ""},
		{"doubled", none, func(r *Report) { r.Delivered.Doubled = 2 }, "updates doubled: 2, at most 0"},
		{"unjoined", none, func(r *Report) { r.Unjoined = 3 }, "clients not joined: 3, at most 0"},
		{"given up", none, func(r *Report) { r.Published.GivenUp = 4 }, "publications given up: 4, at most 0"},
		{"slow", Limits{P99Milliseconds: 5}, func(r *Report) { r.Latency.P99 = 5.5 }, "p99: 5.5 ms, at most 5 ms"},
		{"at the edge", Limits{P99Milliseconds: 5}, func(r *Report) { r.Latency.P99 = 5 }, ""},
		{"unlimited", lax, func(r *Report) {
			r.Delivered.Lost, r.Delivered.Doubled, r.Unjoined, r.Published.GivenUp, r.Latency.P99 = 9, 9, 9, 9, 9
		}, ""},
		{"deaf", lax, func(r *Report) { r.Delivered.Received = 0 }, "no update was delivered"},
		{"quiet", none, func(r *Report) { r.Rate, r.Delivered.Received = 0, 0 }, ""},
	} {
		report := good
		c.change(&report)
		if got := strings.Join(c.limits.Judge(&report), "; "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// Other programs read the names.
func TestTheReportsNamesStay(t *testing.T) {
	text, err := json.Marshal(&Report{Buckets: []Bucket{{1, 2}}})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"servers":null,"transport":"","engineIO":0,"clients":0,"rooms":0,"rateAsked":0,"sizeBytes":0,"interrupted":false,` +
		`"joined":0,"unjoined":0,"joinSeconds":0,"connections":{"lost":0,"recovered":0,"rejoined":0},` +
		`"published":{"accepted":0,"givenUp":0,"late":0},"publishMilliseconds":{"p50":0,"p90":0,"p99":0,"p99.9":0,"max":0},` +
		`"delivered":{"due":0,"received":0,"lost":0,"doubled":0,"disordered":0,"strange":0,"resyncs":0,"perSecond":0,"bytesPerSecond":0},` +
		`"latencyMilliseconds":{"p50":0,"p90":0,"p99":0,"p99.9":0,"max":0},"latencyBuckets":[{"upToMilliseconds":1,"count":2}],` +
		`"thisSide":{"cores":0,"ofCores":0}}`
	if string(text) != want {
		t.Errorf("%s\nwant\n%s", text, want)
	}
}

// What a server says of itself cannot draw on the terminal of whoever measures it.
func TestAServersWordsAreQuoted(t *testing.T) {
	r := &Report{Connections: Connections{Faults: map[string]int{"\x1b[2Jhello": 1}}}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil || strings.Contains(text.String(), "\x1b") || !strings.Contains(text.String(), "hello") {
		t.Errorf("%q, %v", text.String(), err)
	}
}

func moment(phase Phase, elapsed time.Duration, share float64, received uint64) Moment {
	return Moment{
		Phase: phase, Elapsed: elapsed, Share: share, Last: share == 1, Clients: 10,
		Counts: Counts{Present: 10, Received: received}, Accepted: 5, Latency: newHistogram(),
	}
}

func TestProgressInAPipe(t *testing.T) {
	var text strings.Builder
	p := NewProgress(&text, nil)
	p.Watch(moment(Joining, time.Second/4, 0.5, 0)) // too early for a line
	p.Watch(moment(Joining, time.Second, 1, 0))
	p.Watch(moment(Publishing, time.Second, 0.5, 100))
	p.Watch(moment(Publishing, 2*time.Second, 1, 200))
	const want = "joining      1.0 s  10/10 clients\n" +
		"publishing   2.0 s  10/10 clients  published 5  received 200 (100/s)\n"
	if text.String() != want {
		t.Errorf("%q, want\n%q", text.String(), want)
	}
}

// A line that is longer than the terminal would wrap, and stay.
func TestProgressOnATerminal(t *testing.T) {
	var text strings.Builder
	p := NewProgress(&text, func() int { return 40 })
	p.Watch(moment(Publishing, time.Second, 0.5, 100))
	p.Watch(moment(Publishing, 2*time.Second, 1, 200))
	const want = "\r[##########----------] publishing   1.0" +
		"\r[####################] publishing   2.0\n"
	if text.String() != want {
		t.Errorf("%q, want\n%q", text.String(), want)
	}
}

// All that is wrong is said at once, each by the name of its flag.
func TestAPlanNamesAllItsFaults(t *testing.T) {
	plan := Plan{
		Crowd:     Options{Servers: []string{"localhost:80"}, Ramp: -1, Transport: "x", ReconnectDelay: -1},
		Publisher: PublisherOptions{Servers: []string{"ftp://a"}, Size: -1},
		Rate:      -1,
	}
	err := plan.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{
		"url", "clients", "rooms", "rooms-per-client", "transport", "protocol", "ramp", "reconnect-delay",
		"workspace", "publish-url", "size", "rate", "duration",
	} {
		if !strings.Contains("\n"+err.Error(), "\n"+name+": must ") {
			t.Errorf("%s is not named in\n%v", name, err)
		}
	}
	if _, err := plan.Run(t.Context(), nil); err == nil {
		t.Error("it ran")
	}
}

// Clients spread over rooms and servers evenly, and a lost one goes to another server.
func TestWhereClientsGo(t *testing.T) {
	o := Options{Servers: []string{"http://a/", "http://b"}, Rooms: 3, RoomsPerClient: 2, Workspace: "w"}
	members := make([]int, 3)
	for client := range 6 {
		for _, room := range o.roomsOf(client) {
			members[room.Index]++
		}
	}
	if !slices.Equal(members, []int{4, 4, 4}) {
		t.Errorf("members %v", members)
	}
	if a, b, again := o.server(0, 0), o.server(1, 0), o.server(0, 1); a != "http://a" || b != "http://b" || again != "http://b" {
		t.Errorf("%s, %s, %s", a, b, again)
	}
	o.AllAtFirst = true
	if first, second := o.server(1, 0), o.server(1, 1); first != "http://a" || second != "http://b" {
		t.Errorf("%s, %s", first, second)
	}
}
