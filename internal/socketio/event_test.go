package socketio_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/session"
)

// protocol.md 3.1 and 3.4, traps 28, 30, 31, 43: what reaches the gateway, word for word.
func TestEvents(t *testing.T) {
	for packet, want := range map[string]string{
		`42["a"]`:                               `"a"`,
		`42["a",1]`:                             `"a" 1`,
		`42/,["a",1]`:                           `"a" 1`,
		`42["a", {"b" : [1, 2]} ]  `:            `"a" {"b" : [1, 2]}`,
		`427["a",null,true]`:                    `"a" null true ack=7`,
		`42007["a"]`:                            `"a" ack=7`,
		`420["a"]`:                              `"a" ack=0`,
		`429007199254740991["a"]`:               `"a" ack=9007199254740991`,
		`42[""]`:                                `""`,
		`42[5,"x"]`:                             `"5" "x"`,
		`42[-1.5e3]`:                            `"-1.5e3"`,
		`42["error"]`:                           `"error"`,
		`42["message"]`:                         `"message"`,
		`42["connection"]`:                      `"connection"`,
		`42["new_namespace"]`:                   `"new_namespace"`,
		`42["é€😀","ü"]`:                         `"é€😀" "ü"`,
		`42["a","\ud800"]`:                      `"a" "\ud800"`, // a lone surrogate stays as it came
		`42["a",9007199254740993]`:              `"a" 9007199254740993`,
		`42["a",{"_placeholder":true,"num":7}]`: `"a" {"_placeholder":true,"num":7}`,
	} {
		t.Run(packet, func(t *testing.T) {
			g := &gateway{}
			w, _ := join(t, start(t, g))
			w.send(packet)
			w.wantsSilence()
			wantRecord(t, g.peer(t), want)
		})
	}
}

// protocol.md 3.3, traps 24, 25 and 27 to 30, 32: the whole connection ends, and what came
// before the breach has counted.
func TestBreaches(t *testing.T) {
	const parse, forced = "parse error", "forced close"
	for packet, reason := range map[string]string{
		"4": parse, "42": parse, "4212": parse, "42[]": parse, "42{}": parse, `42"a"`: parse, "42null": parse,
		`42[null]`: parse, `42[true]`: parse, `42[{"a":1}]`: parse, `42[["a"]]`: parse,
		`42[{"_placeholder":true,"num":0}]`: parse,
		`42["connect"]`:                     parse, `42["connect_error"]`: parse, `42["disconnect"]`: parse,
		`42["disconnecting"]`: parse, `42["newListener"]`: parse, `42["removeListener"]`: parse,
		`42["\u0063onnect"]`: parse, // the same name in other letters
		`42["a"]x`:           parse, `42["a"`: parse, `42["a",]`: parse, `42['a']`: parse,
		`42-1["a"]`: parse, `421.5["a"]`: parse, `421e3["a"]`: parse,
		`429007199254740992["a"]`: parse, `42` + strings.Repeat("9", 310) + `["a"]`: parse,
		`42["a"` + strings.Repeat(",1", 64) + `]`:                                   parse,
		`42["a",` + strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001) + `]`: parse,
		`42admin,["a"]`: parse, `42/admin["a"]`: parse,
		"43": parse, "431": parse, "43[]": parse, `431{}`: parse, `431"a"`: parse,
		"41{}": parse, "41[]": parse,
		"44": parse, `44{"message":"m"}`: parse, `44"m"`: parse,
		"40[]": parse, "40null": parse, `40"s"`: parse, "40true": parse, "40{": parse,
		"45": parse, "45-": parse, `45["a"]`: parse, `450-["a"]`: parse, `451["a"]`: parse, `4511-["a"]`: parse,
		`451.5-["a"]`: parse, `450x1-["a"]`: parse, `451e1-["a"]`: parse, `45-1-["a"]`: parse, `45 1-["a"]`: parse,
		"451-": parse, "451-[]": parse, `451-["connect"]`: parse, `451-[{"_placeholder":true,"num":0}]`: parse,
		"460-[]": parse, "461-[]": parse, "4611-1[]": parse,
		"47": parse, "4x": parse, "4 2": parse,

		`42/admin,["a"]`: forced, "41/admin,": forced, "431[]/admin": parse, "43/admin,1[]": forced,
		`451-/admin,["a",{"_placeholder":true,"num":0}]`: forced,
		"40": forced, `40{"a":1}`: forced, "40/": forced,
	} {
		t.Run(packet[:min(len(packet), 40)], func(t *testing.T) {
			g := &gateway{}
			w, _ := join(t, start(t, g))
			w.send(`42["before"]`, packet, `42["after"]`)
			w.wantsEnd()
			wantRecord(t, g.peer(t), `"before"`, "end: "+reason)
		})
	}
}

// protocol.md 3.3: nothing but CONNECT may be said in a namespace that was not joined.
func TestBreachesOutside(t *testing.T) {
	packets := []string{`42["a"]`, `427["a"]`, "41", "431[]", `451-["a",{"_placeholder":true,"num":0}]`, "461-1[]", `42/admin,["a"]`}
	refused := &gateway{refuse: func(session.Handshake) error { return &session.Refusal{Code: "c", Message: "m"} }}
	for _, packet := range packets {
		t.Run("never joined "+packet, func(t *testing.T) {
			w := dial(t, start(t, &gateway{}))
			w.send(packet)
			w.wantsEnd()
		})
		t.Run("refused "+packet, func(t *testing.T) {
			w := dial(t, start(t, refused))
			w.send("40")
			w.wants(`44{"message":"m","data":{"code":"c"}}`)
			w.send(packet)
			w.wantsEnd()
		})
		t.Run("left "+packet, func(t *testing.T) {
			g := &gateway{}
			w, _ := join(t, start(t, g))
			w.send("41", packet)
			w.wantsEnd()
			wantRecord(t, g.peer(t), "end: client namespace disconnect")
		})
	}
}

// Trap 31: acknowledgements that nobody asked for are ignored.
func TestUnknownAcksAreIgnored(t *testing.T) {
	g := &gateway{}
	w, _ := join(t, start(t, g))
	w.send(`430[]`, `437["ok"]`, `437["ok"]`, `43/,7[{"_placeholder":true,"num":9}]`)
	w.wantsSilence()
	wantRecord(t, g.peer(t))
}

// What is sent leaves in the order of the calls, acknowledgement and event alike.
func TestAnswers(t *testing.T) {
	room := event.Room{Workspace: "w", App: "a"}
	g := &gateway{onEvent: func(p *peer, m session.Message) {
		p.client.Send(event.NewBatch(
			event.NewReply("response", []byte(`{"n":"é"}`)),
			event.NewAck(m.AckID, []byte(`{"n":"é"}`)),
			event.NewDelivery(room, event.Position{Epoch: "e", Sequence: 7}, 6, `{"event":"UPDATE_APP"}`),
		))
	}}
	want := []string{`42["response",{"n":"é"}]`, `437[{"n":"é"}]`, `42["workspace_w_app_a",{"event":"UPDATE_APP","position":"e:7"}]`}
	s := start(t, g)
	w, _ := join(t, s)
	w.send(`42007["x"]`)
	w.wants(want...)

	p := poll(t, s)
	p.post("40")
	sidOf(t, p.get())
	p.post(`427["x"]`)
	p.wants(strings.Join(want, "\x1e"))
}

func TestOrderOfEvents(t *testing.T) {
	const events = 500
	g := &gateway{onEvent: func(p *peer, m session.Message) {
		p.client.Send(event.NewBatch(event.NewAck(m.AckID, []byte(m.Name))))
	}}
	s := start(t, g)
	w, _ := join(t, s)
	p := poll(t, s)
	p.post("40")
	sidOf(t, p.get())
	var payload, want []string
	for n := range events {
		id := strconv.Itoa(n)
		payload = append(payload, "42"+id+"["+id+"]")
		want = append(want, "43"+id+"["+id+"]")
	}
	w.send(payload...)
	w.wants(want...)
	p.post(strings.Join(payload, "\x1e"))
	p.wants(strings.Join(want, "\x1e"))
}
