package redis

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/roomcast/roomcast/internal/event"
)

func TestParse(t *testing.T) {
	room := event.Room{Workspace: "w", App: "a.b~c"}
	delivery := func(sequence, previous uint64, object string) message {
		return message{event: event.NewDelivery(room, event.Position{Epoch: "ab12cd34", Sequence: sequence}, previous, object)}
	}
	foreign := func(object string) message {
		return message{event: event.NewDelivery(room, event.Position{}, 0, object)}
	}
	for text, want := range map[string]message{
		"P 1790000000000002 1790000000000001 ab12cd34 w/a.b~c\n{\"n\":1}": delivery(1790000000000002, 1790000000000001, `{"n":1}`),
		"P 7 0 ab12cd34 w/a.b~c\n{\"ż\":\"\n\"}":                          delivery(7, 0, "{\"ż\":\"\n\"}"),
		"H one-1 1500 ab12cd34 7":                                         {beat: event.Heartbeat{Instance: "one-1", Sent: 1500 * time.Microsecond, Position: event.Position{Epoch: "ab12cd34", Sequence: 7}}},
		"C 92QNvpzXqYGSz29-GEVzeA 1790000000000003":                       {claimed: event.Claimed{Digest: "92QNvpzXqYGSz29-GEVzeA", Generation: 1790000000000003}},

		`{"appId":"a.b~c","workspaceId":"w","payload":{"event":"UPDATE_APP","payload":{"id":"a"},"userId":"u"}}`: foreign(
			`{"event":"UPDATE_APP","workspaceId":"w","appId":"a.b~c","payload":{"id":"a"},"userId":"u"}`),
		" {\n\"workspaceId\": \"w\", \"appId\": \"a.b~c\", \"payload\": {\"event\": \"<ż>\", \"payload\": [ 1, \"<&>\u2028\", {} ]}}\n": foreign(
			`{"event":"<ż>","workspaceId":"w","appId":"a.b~c","payload":[1,"<&>` + "\u2028" + `",{}]}`),
		`{"appId":"a.b~c","workspaceId":"w","payload":{"event":"E"}}`:                              foreign(`{"event":"E","workspaceId":"w","appId":"a.b~c"}`),
		`{"appId":"a.b~c","workspaceId":"w","payload":{"event":"E","payload":null,"userId":null}}`: foreign(`{"event":"E","workspaceId":"w","appId":"a.b~c","payload":null}`),
		`{"appId":"a.b~c","workspaceId":"w","position":"ab12cd34:9","payload":{"event":"E","position":"ab12cd34:9","payload":0}}`: foreign(
			`{"event":"E","workspaceId":"w","appId":"a.b~c","payload":0}`),
	} {
		got, err := parse(text)
		if err != nil {
			t.Errorf("parse(%q): %v", text, err)
			continue
		}
		if (got.event == nil) != (want.event == nil) || got.beat != want.beat || got.claimed != want.claimed {
			t.Errorf("parse(%q) = %+v, want %+v", text, got, want)
		} else if want.event != nil && (got.event.Object() != want.event.Object() || got.event.Room != room ||
			got.event.Position != want.event.Position || got.event.Previous != want.event.Previous) {
			t.Errorf("parse(%q) = %s at %v after %d in %v, want %s at %v after %d", text,
				got.event.Object(), got.event.Position, got.event.Previous, got.event.Room,
				want.event.Object(), want.event.Position, want.event.Previous)
		}
	}
}

// Each of a batch is as if it had come alone, and holds no memory of the others.
func TestParseBatch(t *testing.T) {
	got, err := parse("B 20 14 20\nP 7 0 e w/a\n{\"ż\":1}P 8 7 e w/b\n{}P 9 7 e w/a\n{\"ż\":2}")
	if err != nil || len(got.batch) != 3 {
		t.Fatalf("parse = %+v, %v, want three events", got, err)
	}
	for i, want := range []string{`7 0 w/a {"ż":1}`, `8 7 w/b {}`, `9 7 w/a {"ż":2}`} {
		e := got.batch[i]
		if is := fmt.Sprintf("%d %d %s %s", e.Position.Sequence, e.Previous, e.Room, e.Object()); is != want || e.Position.Epoch != "e" {
			t.Errorf("the event at place %d is %s, want %s", i, is, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const header, object, beat = "publication has no sound header", "publication holds no object", "heartbeat is not sound"
	const claimed, batch = "word of a claim is not sound", "batch of publications is not sound"
	for text, want := range map[string]string{
		"":                                   "foreign publication is not JSON from byte 0 on",
		"P":                                  "foreign publication is not JSON from byte 1 on",
		"P ":                                 header,
		"P 2 1 e\n{}":                        header,
		"P 2 1 e w/a extra\n{}":              header,
		"P  2 1 e w/a\n{}":                   header,
		"P 2 2 e w/a\n{}":                    header,
		"P 2 3 e w/a\n{}":                    header,
		"P -2 1 e w/a\n{}":                   header,
		"P +2 1 e w/a\n{}":                   header,
		"P 2 -1 e w/a\n{}":                   header,
		"P 2e1 1 e w/a\n{}":                  header,
		"P 1.7e+15 1 e w/a\n{}":              header,
		"P 99999999999999999999 1 e w/a\n{}": header,
		"P 2 1 é w/a\n{}":                    header,
		"P 2 1 e:1 w/a\n{}":                  header,
		"P 2 1  w/a\n{}":                     header,
		"P 2 1 e w\n{}":                      header,
		"P 2 1 e w/a/b\n{}":                  header,
		"P 2 1 e /a\n{}":                     header,
		"P 2 1 e w/a\r\n{}":                  header,
		"P 2 1 e w/a":                        object,
		"P 2 1 e w/a\n":                      object,
		"P 2 1 e w/a\n{":                     object,
		"P 2 1 e w/a\n[]":                    object,
		"P 2 1 e w/a\n{} ":                   object,
		"B ":                                 batch,
		"B \n":                               batch,
		"B 0\n":                              batch,
		"B 15\nP 2 1 e w/a\n{}":              batch,
		"B 13\nP 2 1 e w/a\n{}":              object,
		"B 14\nP 2 1 e w/a\n{} ":             batch,
		"B 14 \nP 2 1 e w/a\n{}":             batch,
		"B 14 0\nP 2 1 e w/a\n{}":            batch,
		"B -14\nP 2 1 e w/a\n{}":             batch,
		"B +14\nP 2 1 e w/a\n{}":             batch,
		"B 14 14\nP 2 1 e w/a\n{}P 3 3 e w/b\n{}": header,
		"B 14\nB 2 1 e w/a\n{}":                   batch,
		"B 5\nH 1 1":                              batch,
		"H ":                                      beat,
		"H i 0 e":                                 beat,
		"H i e 1":                                 beat,
		"H i 0 e 1 2":                             beat,
		"H i 0 e x":                               beat,
		"H i 0  1":                                beat,
		"H  0 e 1":                                beat,
		"H i/j 0 e 1":                             beat,
		"H i -1 e 1":                              beat,
		"H i 1.5 e 1":                             beat,
		"H i 9223372036854776 e 1":                beat,
		"C ":                                      claimed,
		"C 92QNvpzXqYGSz29-GEVzeA":                claimed,
		"C 92QNvpzXqYGSz29-GEVzeA ":               claimed,
		"C 92QNvpzXqYGSz29-GEVzeA 0":              claimed,
		"C 92QNvpzXqYGSz29-GEVzeA -1":             claimed,
		"C 92QNvpzXqYGSz29-GEVzeA 1e3":            claimed,
		"C 92QNvpzXqYGSz29-GEVzeA 1 2":            claimed,
		"C  1":                                    claimed,
		"C 92QNvpzXqYGSz29-GEVze 1":               claimed,
		"C 92QNvpzXqYGSz29-GEVzeAA 1":             claimed,
		"C 92QNvpzXqYGSz29+GEVzeA 1":              claimed,
		"C 92QNvpzXqYGSz29-GEVzeA 1\n":            claimed,
		"hello hunter2":                           "foreign publication is not JSON from byte 1 on",
		`"hunter2"`:                               "foreign publication is not a JSON object",
		`[{"appId":"hunter2"}]`:                   "foreign publication is not a JSON object",
		"null":                                    "foreign publication: workspaceId is required",
		"{}":                                      "foreign publication: workspaceId is required",
		`{"workspaceId":"w"}`:                     "foreign publication: appId is required",
		`{"workspaceId":"w","appId":"hunter/2"}`:  "foreign publication: appId may hold only A-Z a-z 0-9 . _ ~ -",
		`{"workspaceId":"` + strings.Repeat("w", 129) + `","appId":"a"}`:                             "foreign publication: workspaceId is longer than 128 characters",
		`{"workspaceId":"w","appId":{"hunter":2}}`:                                                   "foreign publication: appId must be a JSON string",
		`{"workspaceId":"w","appId":"a"}`:                                                            "foreign publication: payload.event is required",
		`{"workspaceId":"w","appId":"a","payload":"hunter2"}`:                                        "foreign publication: payload must be a JSON object",
		`{"workspaceId":"w","appId":"a","payload":{"event":""}}`:                                     "foreign publication: payload.event is required",
		`{"workspaceId":"w","appId":"a","payload":{"event":12345}}`:                                  "foreign publication: payload.event must be a JSON string",
		`{"workspaceId":"w","appId":"a","payload":{"event":"E","userId":777}}`:                       "foreign publication: payload.userId must be a JSON string",
		`{"workspaceId":"w","appId":"a","payload":{"event":"E"}}{"hunter2":1}`:                       "foreign publication is not JSON from byte 56 on",
		"{\"workspaceId\":\"w\",\"appId\":\"a\",\"payload\":{\"event\":\"E\",\"payload\":\"\xff\"}}": "foreign publication is not UTF-8",
		`{"x":"` + strings.Repeat("x", maxMessage) + `"}`:                                            "message is larger than 4194304 bytes",
	} {
		if _, err := parse(text); err == nil || err.Error() != want {
			t.Errorf("parse(%.100q): error %v, want %s", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"P 1790000000000002 1790000000000001 ab12cd34 w/a\n{\"n\":1}",
		"B 14 14\nP 2 1 e w/a\n{}P 3 1 e w/b\n{}",
		"H one 1500 ab12cd34 7",
		"C 92QNvpzXqYGSz29-GEVzeA 1790000000000003", "C 92QNvpzXqYGSz29-GEVzeA 0", "C \n 18446744073709551616",
		`{"appId":"a","workspaceId":"w","payload":{"event":"E","payload":{"id":"a"},"userId":"u"}}`,
		`{"appId":"a","workspaceId":"w","payload":{"event":"\ud800","payload":1e999}}`,
		"P 18446744073709551615 0 e w/a\n{}", "P \n", "H \x00", "{", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parse(text)
		switch {
		case err != nil:
			return
		case got.claimed != event.Claimed{}:
			if !event.CheckDigest(got.claimed.Digest) || got.claimed.Generation == 0 || got.event != nil {
				t.Errorf("claim %+v from %q", got.claimed, text)
			}
			return
		case got.batch != nil:
			for _, e := range got.batch {
				if e.Position.IsZero() || e.Previous >= e.Position.Sequence || e.Object() == "" {
					t.Errorf("event %+v in a batch from %q", e, text)
				}
			}
			return
		case got.event == nil:
			if got.beat.Position.IsZero() || got.beat.Instance == "" {
				t.Errorf("heartbeat %+v from %q", got.beat, text)
			}
			return
		}
		if _, err := event.NewRoom(got.event.Room.Workspace, got.event.Room.App); err != nil {
			t.Errorf("room %v from %q", got.event.Room, text)
		}
		if got.event.Position.IsZero() {
			// What strangers send goes to every member as it is.
			var object struct{ Event, WorkspaceID, AppID string }
			if err := json.Unmarshal([]byte(got.event.Object()), &object); err != nil || !utf8.ValidString(got.event.Object()) {
				t.Errorf("object %q from %q: %v", got.event.Object(), text, err)
			}
			if object.Event == "" || object.WorkspaceID != got.event.Room.Workspace || object.AppID != got.event.Room.App {
				t.Errorf("object %q from %q", got.event.Object(), text)
			}
		} else if got.event.Previous >= got.event.Position.Sequence {
			t.Errorf("event %d after %d from %q", got.event.Position.Sequence, got.event.Previous, text)
		}
		got.event.Size()
		event.NewBatch(got.event).In(event.WithOffset).Texts() // must not panic
	})
}
