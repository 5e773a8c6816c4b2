package load

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// stage is one client without a network.
type stage struct {
	crowd  *Crowd
	client *client
	link   *Link
	said   []string
}

func newStage(t *testing.T, options Options) *stage {
	t.Helper()
	options.Clients, options.Workspace = 1, "w"
	s := &stage{crowd: &Crowd{options: options, tallies: make([]tally, 1)}}
	s.crowd.tallies[0].latency = newHistogram()
	s.client = newClient(s.crowd, 0)
	s.crowd.clients = []*client{s.client}
	s.connect()
	return s
}

// connect begins a new connection.
func (s *stage) connect() {
	s.said = nil
	s.link = &Link{client: s.client, overdue: time.NewTimer(time.Hour), send: func(text []byte) error {
		s.said = append(s.said, string(text))
		return nil
	}}
}

func (s *stage) hear(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := s.client.dialogue.Message(s.link, []byte(text)); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

func (s *stage) expect(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(s.said, want) {
		t.Fatalf("it said\n%q, want\n%q", s.said, want)
	}
	s.said = nil
}

const (
	openPacket = `0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`
	answered   = `42["application_response",{"status":"SUCCESS","event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"room-0"},"position":"e:4"},"o4"]`
)

func delivered(room, number, position, offset string) string {
	return `42["workspace_w_app_` + room + `",{"event":"LOAD","workspaceId":"w","appId":"` + room + `","payload":{"at":1000,"n":` +
		number + `,"pad":""},"userId":"load","position":"` + position + `"},"` + offset + `"]`
}

// The session is continued by its private id and the last offset; only where the server
// declines, the room is joined again, since the last position.
func TestALostSessionIsContinued(t *testing.T) {
	s := newStage(t, Options{Revision: 4, Token: "tok", Rooms: 1, RoomsPerClient: 1})
	s.hear(t, openPacket)
	s.expect(t, `40{"token":"tok"}`)
	s.hear(t, `40{"sid":"s1","pid":"p1"}`)
	s.expect(t, `42["application",{"event":"SUBSCRIBE","payload":{"appId":"room-0","token":"tok","workspaceId":"w"}}]`)
	s.hear(t, answered, `2`, delivered("room-0", "1", "e:5", "o5"))
	s.expect(t, `3`)
	if counts := s.crowd.Counts(); counts.Present != 1 || counts.Joined != 1 || counts.Received != 1 {
		t.Errorf("%+v", counts)
	}

	s.connect()
	s.hear(t, openPacket)
	s.expect(t, `40{"offset":"o5","pid":"p1","token":"tok"}`)
	s.hear(t, `40{"sid":"s2","pid":"p1"}`, delivered("room-0", "2", "e:6", "o6"))
	s.expect(t)
	if counts := s.crowd.Counts(); counts.Recovered != 1 || counts.Received != 2 || counts.Rejoined != 0 {
		t.Errorf("%+v", counts)
	}

	s.connect()
	s.hear(t, openPacket)
	s.expect(t, `40{"offset":"o6","pid":"p1","token":"tok"}`)
	s.hear(t, `40{"sid":"s3","pid":"p2"}`)
	s.expect(t, `42["application",{"event":"SUBSCRIBE","payload":{"appId":"room-0","since":"e:6","token":"tok","workspaceId":"w"}}]`)
	s.hear(t, answered)
	if counts := s.crowd.Counts(); counts.Rejoined != 1 {
		t.Errorf("%+v", counts)
	}
}

// A client of revision 3 is in the root namespace without a CONNECT.
func TestRevision3SendsNoConnect(t *testing.T) {
	s := newStage(t, Options{Revision: 3, Rooms: 1, RoomsPerClient: 1})
	s.hear(t, openPacket)
	s.expect(t)
	s.hear(t, `40`)
	s.expect(t, `42["application",{"event":"SUBSCRIBE","payload":{"appId":"room-0","workspaceId":"w"}}]`)
}

func TestWhatIsCounted(t *testing.T) {
	s := newStage(t, Options{Revision: 4, Rooms: 2, RoomsPerClient: 2})
	s.hear(t, openPacket, `40{"sid":"s1"}`, answered)
	if s.crowd.Counts().Joined != 0 {
		t.Error("joined with one room of two")
	}
	s.hear(t, answered,
		delivered("room-0", "1", "e:1", "a"),
		delivered("room-1", "1", "e:2", "b"), // the same number in another room
		delivered("room-1", "1", "e:3", "c"), // doubled
		delivered("room-0", "2", "e:2", "d"), // behind the sequence
		`42["workspace_w_app_room-0",{"event":"OTHER","payload":{},"position":"e:4"},"e"]`,
		`42["workspace_w_app_room-0",{"event":"RESYNC","payload":{"reason":"x"},"position":"e:5"},"f"]`,
		`42["workspace_w_app_room-9",{"event":"LOAD","payload":{"at":1,"n":1}}]`, // not its room
		`42["news",{}]`, `6`, `42["workspace_w`,
	)
	got := s.crowd.Counts()
	if got.Received != 3 || got.Doubled != 1 || got.Disordered != 1 || got.Strange != 1 || got.Resyncs != 1 {
		t.Errorf("%+v", got)
	}
	if missing := s.crowd.Missing([]uint64{5, 1}); missing != 3 {
		t.Errorf("%d of 3 missing", missing)
	}
	if due := s.crowd.Due([]uint64{5, 1}); due != 6 {
		t.Errorf("%d of 6 due", due)
	}
}

// Who joins after publishing has begun cannot know what was before.
func TestLateClientsAreNotJudged(t *testing.T) {
	s := newStage(t, Options{Revision: 4, Rooms: 1, RoomsPerClient: 1})
	if n := s.crowd.Begin(); n != 0 {
		t.Errorf("%d joined", n)
	}
	s.hear(t, openPacket, `40{"sid":"s1"}`, answered, delivered("room-0", "9", "e:9", "a"))
	if got := s.crowd.Counts(); got.Received != 0 || got.Joined != 1 || s.crowd.Missing([]uint64{9}) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestWhatEndsAConnection(t *testing.T) {
	for text, want := range map[string]string{
		"":                   "an empty packet",
		"1":                  "closed by the server",
		"41":                 "closed by the server",
		"40{":                "the answer to CONNECT",
		`44{"message":"no"}`: `CONNECT refused: {"message":"no"}`,
		`42["application_response",{"status":"ERROR","error":{"code":"FORBIDDEN"}}]`: "SUBSCRIBE refused",
	} {
		s := newStage(t, Options{Revision: 4, Rooms: 1, RoomsPerClient: 1})
		err := s.client.dialogue.Message(s.link, []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// A load generator must cost less than the server that it loads.
func TestReceivingDoesNotAllocate(t *testing.T) {
	s := newStage(t, Options{Revision: 4, Rooms: 1, RoomsPerClient: 1})
	s.hear(t, openPacket, `40{"sid":"s1"}`, answered, delivered("room-0", "1", "e:1", "offset"))
	text := []byte(delivered("room-0", "1", "e:1", "offset"))
	if allocated := testing.AllocsPerRun(1000, func() { _ = s.client.dialogue.Message(s.link, text) }); allocated > 0 {
		t.Errorf("%.1f allocations for an update", allocated)
	}
}

// FuzzMessage found it: a server that said nothing behind the room's name ended the process.
func TestAnUpdateThatEndsWithItsName(t *testing.T) {
	s := newStage(t, Options{Revision: 4, Rooms: 1, RoomsPerClient: 1})
	if err := s.client.dialogue.Message(s.link, []byte(`42["workspace_w_app_room-0"`)); err != nil {
		t.Error(err)
	}
}

// FuzzMessage: no server can end this process by what it sends.
func FuzzMessage(f *testing.F) {
	for _, text := range []string{openPacket, answered, delivered("room-0", "1", "e:1", "o"), `40{"sid":"s","pid":"p"}`, `42["workspace_"`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := newStage(t, Options{Revision: 4, Rooms: 2, RoomsPerClient: 2})
		_ = s.client.dialogue.Message(s.link, text)
		_ = s.client.dialogue.Message(s.link, append([]byte(`42["workspace_w_app_room-0"`), text...))
	})
}
