package event_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/event"
)

func delivery(sequence uint64, object string) *event.Event {
	position := event.Position{Epoch: "e", Sequence: sequence}
	if sequence == 0 {
		position = event.Position{}
	}
	return event.NewDelivery(event.Room{Workspace: "w", App: "a"}, position, 0, object)
}

// The joined frames are the events' own, in the order of the batch, which is neither
// sorted nor deduplicated here.
func TestBatchJoinsInOrder(t *testing.T) {
	batch := event.NewBatch(delivery(2, `{"n":"ä"}`), event.NewReply("r", []byte(`{}`)), delivery(1, `{"n":1}`))
	for form, want := range map[event.Form][]string{
		event.Bare: {
			"\x81\x3342[\"workspace_w_app_a\",{\"n\":\"ä\",\"position\":\"e:2\"}]",
			"\x81\x0a42[\"r\",{}]",
			"\x81\x3042[\"workspace_w_app_a\",{\"n\":1,\"position\":\"e:1\"}]"},
		event.WithOffset: {
			"\x81\x3942[\"workspace_w_app_a\",{\"n\":\"ä\",\"position\":\"e:2\"},\"e:2\"]",
			"\x81\x0a42[\"r\",{}]",
			"\x81\x3642[\"workspace_w_app_a\",{\"n\":1,\"position\":\"e:1\"},\"e:1\"]"},
		event.Escaped: {
			"\x81\x3742[\"workspace_w_app_a\",{\"n\":\"\\u00e4\",\"position\":\"e:2\"}]",
			"\x81\x0a42[\"r\",{}]",
			"\x81\x3042[\"workspace_w_app_a\",{\"n\":1,\"position\":\"e:1\"}]"},
	} {
		frames := batch.In(form).Frames()
		if got := string(frames); got != strings.Join(want, "") {
			t.Errorf("form %d:\n got %q\nwant %q", form, got, strings.Join(want, ""))
		}
		if again := batch.In(form).Frames(); &again[0] != &frames[0] {
			t.Errorf("form %d: joined twice", form)
		}
		if cap(frames) != len(frames) {
			t.Errorf("form %d: appending would write behind the shared frames", form)
		}
		texts := batch.In(form).Texts()
		if len(texts) != len(want) {
			t.Fatalf("form %d: %d texts", form, len(texts))
		}
		for i := range want {
			if string(texts[i]) != want[i][2:] {
				t.Errorf("form %d: text %d is %q, want %q", form, i, texts[i], want[i][2:])
			}
		}
		if again := batch.In(form).Texts(); &again[0] != &texts[0] {
			t.Errorf("form %d: texts gathered twice", form)
		}
	}
	if batch.Len() != 3 || len(batch.Events()) != 3 || batch.Events()[2].Position.Sequence != 1 {
		t.Errorf("batch of %d: %v", batch.Len(), batch.Events())
	}
}

func TestBatchOfNone(t *testing.T) {
	batch := event.NewBatch()
	if batch.Len() != 0 || len(batch.In(event.Bare).Frames()) != 0 || len(batch.In(event.Bare).Texts()) != 0 {
		t.Errorf("empty batch: %q %q", batch.In(event.Bare).Frames(), batch.In(event.Bare).Texts())
	}
}

// A room of a thousand members costs one encoding: handing the batch on is free.
func TestHandingOnAllocatesNothing(t *testing.T) {
	const members = 1000
	for _, size := range []int{1, 20} {
		var events []*event.Event
		for i := range size {
			events = append(events, delivery(uint64(i+1), `{"event":"UPDATE_APP","payload":{"displayName":"ä"}}`))
		}
		batch := event.NewBatch(events...)
		for name, form := range everyForm {
			batch.In(form).Frames()
			batch.In(form).Texts()
			written := 0
			allocs := testing.AllocsPerRun(10, func() {
				for range members {
					written += len(batch.In(form).Frames()) + len(batch.In(form).Texts())
				}
			})
			if allocs != 0 || written == 0 {
				t.Errorf("%d events %s: %v allocations for %d members", size, name, allocs, members)
			}
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	object := `{"event":"UPDATE_APP","workspaceId":"w","appId":"a","payload":{"id":"a","displayName":"name"},"userId":"u"}`
	wide := strings.Replace(object, "name", "имя", 1)
	for name, form := range everyForm {
		for kind, object := range map[string]string{"ASCII": object, "non-ASCII": wide, "64KiB": `{"a":"` + strings.Repeat("x", 1<<16) + `"}`} {
			b.Run(fmt.Sprintf("%s/%s", name, kind), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					event.NewBatch(delivery(1, object)).In(form).Frames()
				}
			})
		}
	}
}

func BenchmarkHandOn(b *testing.B) {
	batch := event.NewBatch(delivery(1, `{"a":1}`), delivery(2, `{"a":2}`))
	b.ReportAllocs()
	for b.Loop() {
		batch.In(event.WithOffset).Frames()
	}
}
