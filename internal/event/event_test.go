package event_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/roomcast/roomcast/internal/event"
)

var everyForm = map[string]event.Form{"bare": event.Bare, "with offset": event.WithOffset, "escaped": event.Escaped}

// frame is the one websocket frame of e in form; text its Engine.IO packet for polling.
func frame(e *event.Event, form event.Form) []byte { return event.NewBatch(e).In(form).Frames() }
func text(e *event.Event, form event.Form) []byte  { return event.NewBatch(e).In(form).Texts()[0] }

// The frames as they stand on the wire: 0x81 is a final text frame, then the length.
func TestFrames(t *testing.T) {
	room := event.Room{Workspace: "w", App: "a"}
	position := event.Position{Epoch: "e1", Sequence: 7}
	stranger := event.Position{}
	for _, c := range []struct {
		name                      string
		event                     *event.Event
		bare, withOffset, escaped string
	}{
		{"delivery", event.NewDelivery(room, position, 3, `{"event":"X"}`),
			"\x81\x3742[\"workspace_w_app_a\",{\"event\":\"X\",\"position\":\"e1:7\"}]",
			"\x81\x3e42[\"workspace_w_app_a\",{\"event\":\"X\",\"position\":\"e1:7\"},\"e1:7\"]",
			"\x81\x3742[\"workspace_w_app_a\",{\"event\":\"X\",\"position\":\"e1:7\"}]"},
		{"empty object", event.NewDelivery(room, position, 0, `{}`),
			"\x81\x2b42[\"workspace_w_app_a\",{\"position\":\"e1:7\"}]",
			"\x81\x3242[\"workspace_w_app_a\",{\"position\":\"e1:7\"},\"e1:7\"]",
			"\x81\x2b42[\"workspace_w_app_a\",{\"position\":\"e1:7\"}]"},
		// Nothing to come back to, so no form says anything of a place.
		{"stranger", event.NewDelivery(room, stranger, 0, `{"a":1}`),
			"\x81\x1f42[\"workspace_w_app_a\",{\"a\":1}]",
			"\x81\x1f42[\"workspace_w_app_a\",{\"a\":1}]",
			"\x81\x1f42[\"workspace_w_app_a\",{\"a\":1}]"},
		{"stranger's empty object", event.NewDelivery(room, stranger, 0, `{}`),
			"\x81\x1a42[\"workspace_w_app_a\",{}]",
			"\x81\x1a42[\"workspace_w_app_a\",{}]",
			"\x81\x1a42[\"workspace_w_app_a\",{}]"},
		{"non-ASCII", event.NewDelivery(room, stranger, 0, `{"ä":"€😀"}`),
			"\x81\x2842[\"workspace_w_app_a\",{\"ä\":\"€😀\"}]",
			"\x81\x2842[\"workspace_w_app_a\",{\"ä\":\"€😀\"}]",
			"\x81\x3742[\"workspace_w_app_a\",{\"\\u00e4\":\"\\u20ac\\ud83d\\ude00\"}]"},
		{"reply", event.NewReply("application_response", []byte(`{"ok":"ä"}`)),
			"\x81\x2642[\"application_response\",{\"ok\":\"ä\"}]",
			"\x81\x2642[\"application_response\",{\"ok\":\"ä\"}]",
			"\x81\x2a42[\"application_response\",{\"ok\":\"\\u00e4\"}]"},
		{"reply with quotes in its name", event.NewReply(`a"b`, []byte(`1`)),
			"\x81\x0c42[\"a\\\"b\",1]", "\x81\x0c42[\"a\\\"b\",1]", "\x81\x0c42[\"a\\\"b\",1]"},
		{"acknowledgement", event.NewAck(12, []byte(`{"ok":"ä"}`)),
			"\x81\x1143" + "12[{\"ok\":\"ä\"}]", "\x81\x1143" + "12[{\"ok\":\"ä\"}]", "\x81\x1543" + "12[{\"ok\":\"\\u00e4\"}]"},
		{"acknowledgement of zero", event.NewAck(0, []byte(`{}`)),
			"\x81\x0743" + "0[{}]", "\x81\x0743" + "0[{}]", "\x81\x0743" + "0[{}]"},
		{"acknowledgement of the highest id", event.NewAck(1<<53-1, []byte(`{}`)),
			"\x81\x1643" + "9007199254740991[{}]", "\x81\x1643" + "9007199254740991[{}]", "\x81\x1643" + "9007199254740991[{}]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for form, want := range map[event.Form]string{event.Bare: c.bare, event.WithOffset: c.withOffset, event.Escaped: c.escaped} {
				if got := frame(c.event, form); string(got) != want {
					t.Errorf("form %d:\n got %q\nwant %q", form, got, want)
				}
				if got := text(c.event, form); string(got) != want[2:] {
					t.Errorf("form %d: text %q, want %q", form, got, want[2:])
				}
			}
		})
	}
}

// The frame's length changes its shape at 126 and at 65,536 bytes.
func TestFrameLengths(t *testing.T) {
	const around = len(`43` + `1[""]`)
	for length, header := range map[int]string{
		125:    "\x81\x7d",
		126:    "\x81\x7e\x00\x7e",
		127:    "\x81\x7e\x00\x7f",
		65535:  "\x81\x7e\xff\xff",
		65536:  "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00",
		100000: "\x81\x7f\x00\x00\x00\x00\x00\x01\x86\xa0",
	} {
		want := `431["` + strings.Repeat("x", length-around) + `"]`
		e := event.NewAck(1, []byte(want[len(`431[`):len(want)-1]))
		for name, form := range everyForm {
			if got := frame(e, form); string(got) != header+want {
				t.Errorf("%d bytes %s: %d bytes, beginning %q, want %q", length, name, len(got), got[:len(header)+4], header+want[:4])
			}
		}
	}
}

// Escaping lengthens the text; the header must speak of what is written.
func TestEscapedFrameLength(t *testing.T) {
	e := event.NewAck(1, []byte(`"`+strings.Repeat("😀", 20_000)+`"`))
	want := `431["` + strings.Repeat(`\ud83d\ude00`, 20_000) + `"]`
	got := frame(e, event.Escaped)
	if string(got[10:]) != want || binary.BigEndian.Uint64(got[2:]) != uint64(len(want)) {
		t.Errorf("%d bytes of text, header %x, want %d", len(got)-10, got[:10], len(want))
	}
}

// The longest ids, epochs and sequences there are must fit what is set aside for them.
func TestLongestDelivery(t *testing.T) {
	id, epoch := strings.Repeat("i", event.MaxID), strings.Repeat("e", event.MaxEpoch)
	e := event.NewDelivery(event.Room{Workspace: id, App: id}, event.Position{Epoch: epoch, Sequence: 1<<64 - 1}, 1<<64-2, `{"a":1}`)
	position := epoch + ":18446744073709551615"
	want := `42["workspace_` + id + `_app_` + id + `",{"a":1,"position":"` + position + `"},"` + position + `"]`
	if got := text(e, event.WithOffset); string(got) != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

// Members keep what they were handed: it must be one piece of memory for all of them,
// and appending to it must not write into it.
func TestFramesAreShared(t *testing.T) {
	deliveries := map[string]*event.Event{
		"ASCII": event.NewDelivery(event.Room{Workspace: "w", App: "a"}, event.Position{Epoch: "e", Sequence: 1}, 0, `{"a":1}`),
		"other": event.NewDelivery(event.Room{Workspace: "w", App: "a"}, event.Position{Epoch: "e", Sequence: 1}, 0, `{"a":"ä"}`),
	}
	for kind, e := range deliveries {
		for name, form := range everyForm {
			first, again := frame(e, form), frame(e, form)
			if &first[0] != &again[0] {
				t.Errorf("%s %s: encoded twice", kind, name)
			}
			tail := text(e, form)
			if &tail[0] != &first[len(first)-len(tail)] || !bytes.HasSuffix(first, tail) {
				t.Errorf("%s %s: the text is not the frame's tail", kind, name)
			}
			_, _ = append(first, "AAAA"...), append(tail, "BBBB"...)
			if longer := first[:cap(first)]; !bytes.Equal(longer, first) {
				t.Errorf("%s %s: appending wrote behind the frame: %q", kind, name, longer)
			}
		}
	}
}

// Workers of several shards may ask for one event at the same moment.
func TestFramesAreSharedAcrossGoroutines(t *testing.T) {
	const askers = 8
	object := `{"a":"` + strings.Repeat("ä", 100_000) + `"}` // so long to encode that askers overlap
	for range 5 {
		e := event.NewDelivery(event.Room{Workspace: "w", App: "a"}, event.Position{Epoch: "e", Sequence: 1}, 0, object)
		var got [askers][3][]byte
		var done sync.WaitGroup
		start := make(chan struct{})
		for i := range askers {
			done.Go(func() {
				<-start
				for form := range got[i] {
					got[i][form] = frame(e, event.Form(form))
				}
			})
		}
		close(start)
		done.Wait()
		for i := range askers {
			for form := range got[i] {
				if &got[i][form][0] != &got[0][form][0] {
					t.Fatalf("form %d: two askers hold two copies", form)
				}
			}
		}
	}
}

func TestSizeAndObject(t *testing.T) {
	delivery := event.NewDelivery(event.Room{Workspace: "w", App: "a"}, event.Position{Epoch: "e", Sequence: 9}, 4, `{"a":"ä"}`)
	if delivery.Size() != len(`{"a":"ä"}`) || delivery.Object() != `{"a":"ä"}` || delivery.Previous != 4 {
		t.Errorf("delivery: size %d, object %s, previous %d", delivery.Size(), delivery.Object(), delivery.Previous)
	}
	reply := event.NewReply("r", []byte(`{}`))
	if reply.Size() != len(`["r",{}]`) || reply.Object() != "" || !reply.Position.IsZero() {
		t.Errorf("reply: size %d, object %q, position %s", reply.Size(), reply.Object(), reply.Position)
	}
	if ack := event.NewAck(1, []byte(`{}`)); ack.Size() != len(`[{}]`) || ack.Object() != "" || !ack.Position.IsZero() {
		t.Errorf("ack: size %d, object %q, position %s", ack.Size(), ack.Object(), ack.Position)
	}
}

// Whatever compact object is delivered, each form is one frame around JSON that holds
// the object's fields, the position, and the offset where it belongs.
func FuzzDelivery(f *testing.F) {
	for _, object := range []string{`{}`, `{"a":1}`, `{"ä":"😀"}`, `{"a":{"b":[]}}`, "{\"\u2028\":\"\\ud800\"}", `{"a":"` + strings.Repeat("x", 200) + `"}`} {
		f.Add(object, uint64(1))
		f.Add(object, uint64(0))
	}
	f.Fuzz(func(t *testing.T, object string, sequence uint64) {
		var compact bytes.Buffer
		if len(object) < 2 || object[0] != '{' || json.Compact(&compact, []byte(object)) != nil || strings.Contains(object, "position") || strings.Contains(object, `\u`) {
			return // the contract of NewDelivery
		}
		position := event.Position{Epoch: "e", Sequence: sequence}
		e := event.NewDelivery(event.Room{Workspace: "w", App: "a"}, position, 0, compact.String())
		for form, items := range map[event.Form]int{event.Bare: 2, event.WithOffset: 3, event.Escaped: 2} {
			body, found := bytes.CutPrefix(text(e, form), []byte(`42`))
			var packet []json.RawMessage
			if err := json.Unmarshal(body, &packet); err != nil || !found || len(packet) != items {
				t.Fatalf("form %d: %q: %v", form, body, err)
			}
			var fields, given map[string]json.RawMessage
			if json.Unmarshal(packet[1], &fields) != nil || json.Unmarshal(compact.Bytes(), &given) != nil {
				t.Fatalf("form %d: %q", form, packet[1])
			}
			if len(fields) != len(given)+1 || string(fields["position"]) != `"`+position.String()+`"` {
				t.Fatalf("form %d: %q from %q", form, packet[1], object)
			}
			if items == 3 && string(packet[2]) != string(fields["position"]) {
				t.Fatalf("offset %s, position %s", packet[2], fields["position"])
			}
		}
	})
}
