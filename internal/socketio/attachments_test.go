package socketio_test

import (
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roomcast/roomcast/internal/socketio"
)

const binaryHeader = `451-["bin",{"_placeholder":true,"num":0}]`

// protocol.md 3.5: the event counts once its last attachment is there. Traps 32, 35.
func TestBinaryEvents(t *testing.T) {
	for _, c := range []struct {
		header      string
		attachments int
		want        string // in the gateway's record, empty for nothing
	}{
		{binaryHeader, 1, `"bin" {"_placeholder":true,"num":0} binary`},
		{`451-/,["bin",{"_placeholder":true,"num":0}]`, 1, `"bin" {"_placeholder":true,"num":0} binary`},
		{`451-12["bin",{"_placeholder":true,"num":0}]`, 1, `"bin" {"_placeholder":true,"num":0} ack=12 binary`},
		{`452-["deep",{"a":[{"_placeholder":true,"num":0},{"b":{"_placeholder":true,"num":1}}]}]`, 2,
			`"deep" {"a":[{"_placeholder":true,"num":0},{"b":{"_placeholder":true,"num":1}}]} binary`},
		{`453-["unused",{"_placeholder":true,"num":2}]`, 3, `"unused" {"_placeholder":true,"num":2} binary`},
		{`451-["twice",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]`, 1,
			`"twice" {"_placeholder":true,"num":0} {"_placeholder":true,"num":0} binary`},
		{`451-["not one",{"_placeholder":1,"num":5}]`, 1, `"not one" {"_placeholder":1,"num":5} binary`},
		{`4510-["ten"]`, 10, `"ten" binary`},
		{`451-7["none"]`, 1, `"none" ack=7 binary`},
		{`461-7[{"_placeholder":true,"num":0},"z"]`, 1, ""}, // acknowledges nothing
	} {
		t.Run(c.header, func(t *testing.T) {
			g := &gateway{}
			w, _ := join(t, start(t, g))
			w.send(c.header)
			for n := range c.attachments {
				if n%2 == 1 {
					w.send("bAQID") // base64 in text is the same
					continue
				}
				w.sendBinary("\x01\x02")
			}
			w.send(`42["next"]`)
			w.wantsSilence()
			want := []string{`"next"`}
			if c.want != "" {
				want = []string{c.want, `"next"`}
			}
			wantRecord(t, g.peer(t), want...)
		})
	}
}

// An empty attachment is an attachment, and Engine.IO's own packets, control frames
// included, may come in between.
func TestBinaryEventWithOthersBetween(t *testing.T) {
	g := &gateway{}
	w, _ := join(t, start(t, g))
	w.send(`453-["bin"]`, "3")
	w.sendBinary("")
	w.send("3late", "6")
	w.write(ws.NewPongFrame(nil))
	w.send("b")
	if record := g.peer(t).record(); len(record) > 0 {
		t.Errorf("the gateway heard %q before the last attachment", record)
	}
	w.sendBinary("\x00")
	w.wantsSilence()
	wantRecord(t, g.peer(t), `"bin" binary`)
}

func TestBinaryEventOverPolling(t *testing.T) {
	g := &gateway{}
	p := poll(t, start(t, g))
	p.post("40")
	sidOf(t, p.get())
	p.post(binaryHeader + "\x1ebAQI=\x1e452-[\"split\"]\x1e3")
	p.post("bAQI=\x1e3\x1ebAQI=\x1e42[\"next\"]")
	wantRecord(t, g.peer(t), `"bin" {"_placeholder":true,"num":0} binary`, `"split" binary`, `"next"`)
}

// Trap 33 and protocol.md 3.5: any text packet between a header and its attachments, of
// whatever namespace, would shift them.
func TestTextWhileAttachmentsAreMissing(t *testing.T) {
	for _, packet := range []string{`42["a"]`, "41", "431[]", "40", "40/admin,", `42/admin,["a"]`, binaryHeader, "4"} {
		t.Run(packet, func(t *testing.T) {
			g := &gateway{}
			w, _ := join(t, start(t, g))
			w.send(`452-["bin"]`)
			w.sendBinary("\x01")
			w.send(packet)
			w.wantsEnd()
			wantRecord(t, g.peer(t), "end: parse error")
		})
	}
}

// protocol.md 1.13: bytes that no header has announced, also one too many.
func TestUnannouncedBinary(t *testing.T) {
	for name, first := range map[string][]string{
		"before CONNECT":      {},
		"joined":              {"40"},
		"left":                {"40", "41"},
		"one too many":        {"40", binaryHeader, "bAQI="},
		"after a plain event": {"40", `42["a",{"_placeholder":true,"num":0}]`},
	} {
		for _, data := range []string{"\x01", ""} {
			t.Run(name, func(t *testing.T) {
				g := &gateway{}
				w := dial(t, start(t, g))
				w.send(first...)
				if len(first) > 0 {
					sidOf(t, w.read())
				}
				w.sendBinary(data)
				w.wantsEnd()
			})
		}
	}
}

// protocol.md 3.5: "illegal attachments", in events and acknowledgements alike.
func TestBadPlaceholders(t *testing.T) {
	for _, header := range []string{
		`451-["a",{"_placeholder":true,"num":1}]`,
		`451-["a",{"_placeholder":true,"num":-1}]`,
		`451-["a",{"_placeholder":true,"num":0.5}]`,
		`451-["a",{"_placeholder":true,"num":"0"}]`,
		`451-["a",{"_placeholder":true,"num":null}]`,
		`451-["a",{"_placeholder":true}]`,
		`451-["a",{"_placeholder":true,"num":1e999}]`,
		`451-["a",[{"b":[{"\u005fplaceholder":true,"num":1}]}]]`,
		`461-1[{"_placeholder":true,"num":1}]`,
	} {
		t.Run(header, func(t *testing.T) {
			g := &gateway{}
			w, _ := join(t, start(t, g))
			w.send(header)
			w.sendBinary("\x01")
			w.wantsEnd()
			wantRecord(t, g.peer(t), "end: parse error")
		})
	}
}

// Trap 34: the reference waits for ever. The timer of the last to begin runs out last:
// those of the ones that were complete would have.
func TestMissingAttachments(t *testing.T) {
	g := &gateway{}
	s := start(t, g, func(o *socketio.Options) { o.AttachmentTimeout = 100 * time.Millisecond })
	complete, _ := join(t, s)
	complete.send(binaryHeader)
	complete.sendBinary("\x01")
	complete.wantsSilence()

	missing, _ := join(t, s)
	missing.send(`452-["bin"]`)
	missing.sendBinary("\x01")
	missing.wantsEnd()
	eventually(t, "the end", func() bool { return g.all()[1].hasEnded() })
	wantRecord(t, g.all()[1], "end: parse error")

	complete.send(binaryHeader)
	complete.sendBinary("\x01")
	complete.wantsSilence()
	wantRecord(t, g.all()[0], `"bin" {"_placeholder":true,"num":0} binary`, `"bin" {"_placeholder":true,"num":0} binary`)
}

// A connection may end while it is waited for: its reason is its own, and the wait's end
// comes to nothing.
func TestEndWhileAttachmentsAreMissing(t *testing.T) {
	g := &gateway{}
	w, _ := join(t, start(t, g))
	w.send(binaryHeader)
	_ = w.conn.Close()
	wantRecord(t, g.peer(t), "end: transport close")
}
