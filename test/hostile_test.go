package test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roomcast/roomcast/test/harness"
)

// maxGrowth is how much memory all attacks together may cost. The cheapest of the known
// ones, an attachment count of 1e8, costs a naive parser 3.8 GB.
const maxGrowth = 256 << 20

// bystanders are honest clients beside whom something hostile happens.
type bystanders struct {
	server  *harness.Server
	clients []*harness.Client
	room    harness.Room
	updates int
}

func startBystanders(t *testing.T) *bystanders {
	t.Helper()
	b := &bystanders{
		server: harness.StartServer(t, harness.ServerOptions{ID: "target"}),
		room:   harness.Room{Workspace: "w", App: "calm"},
	}
	runner := harness.StartRunner(t)
	for version := 1; version <= 4; version++ {
		mode := []string{"websocket", "polling"}[version%2]
		client := runner.Open(t, harness.Dial{Version: version, Mode: mode, URL: b.server.URL})
		client.Subscribe(t, b.room)
		b.clients = append(b.clients, client)
	}
	return b
}

// unharmed fails the test if the bystanders do not get the next update as the next one.
func (b *bystanders) unharmed(t *testing.T) {
	t.Helper()
	if !b.server.Running() {
		t.Fatal("the process is dead")
	}
	b.updates++
	b.server.PutApp(t, b.room, map[string]any{"n": b.updates})
	for _, client := range b.clients {
		if update := client.AwaitUpdate(t, b.room); update.Payload["n"] != float64(b.updates) {
			t.Errorf("%s got update %v as number %d", client, update.Payload["n"], b.updates)
		}
		if client.Disconnected() {
			t.Fatalf("%s, a bystander, lost its connection", client)
		}
	}
}

// watched runs attacks and bounds the memory they cost together.
func (b *bystanders) watched(t *testing.T, attacks func()) {
	t.Helper()
	before := b.server.PeakMemory(t)
	attacks()
	if growth := b.server.PeakMemory(t) - before; growth > maxGrowth {
		t.Errorf("the attacks cost %d MiB of memory", growth>>20)
	}
}

// packets are Socket.IO packets, each of which ends the connection it comes over.
var packets = []string{
	// A count of attachments that a parser may allocate for, wherever a digit can stand.
	`5999999999999999999-["nosuch",{}]`,
	`5999999999999999999-["application",{"_placeholder":true,"num":0}]`,
	`510000000000-["nosuch",{}]`,
	`5100000000-["nosuch",{}]`,
	`511-["application",{}]`,
	`6999999999999999999-0[]`,
	`2999999999999999999-["nosuch",{}]`,
	`1999999999999999999-`,
	`3999999999999999999-[]`,
	`50-["application"]`,
	`5-["application"]`,
	`5["application"]`,
	`5-1-["application"]`,
	`50x1-["application"]`,
	// Acks that no number holds.
	`299999999999999999999999["application"]`,
	`2` + strings.Repeat("9", 310) + `["application"]`,
	// Events without a name, or with one that means something inside.
	`2`, `2[]`, `2{}`, `2"a"`, `2[null]`, `2[{}]`, `2["connect"]`, `2["disconnect"]`, `27`,
	// JSON.
	`2["application",`, `2["application"]x`, `2["application",NaN]`, `2["application","` + "\x01" + `"]`,
	`2["application",` + strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000) + `]`,
	// Types, namespaces and states.
	`7`, `9["a"]`, `x`, `4{"message":"no"}`, `2/nowhere,["application"]`, `2nowhere,["application"]`,
	`0{"again":true}`,
}

func TestHostilePacketsOverWebsocket(t *testing.T) {
	t.Parallel()
	b := startBystanders(t)
	b.watched(t, func() {
		for _, revision := range []string{"3", "4"} {
			for _, packet := range packets {
				b.attack(t, revision, packet, text("4"+packet))
			}
			for name, frames := range hostileFrames(revision) {
				b.attack(t, revision, name, frames...)
			}
		}
	})
}

// attack sends frames over a fresh session, which has to end.
func (b *bystanders) attack(t *testing.T, revision, name string, frames ...[]byte) {
	t.Helper()
	t.Run(fmt.Sprintf("EIO=%s %.60q", revision, name), func(t *testing.T) {
		raw := harness.DialRaw(t, b.server, revision)
		for _, frame := range frames {
			// The server may end the connection before it has all.
			_, _ = raw.Connection.Write(frame)
		}
		raw.AwaitEnd(t)
		b.unharmed(t)
	})
}

// hostileFrames are bytes on the wire of a websocket, by what is wrong with them.
func hostileFrames(revision string) map[string][][]byte {
	attachment := func(content string) []byte {
		if revision == "3" { // with a type byte
			content = "\x04" + content
		}
		return frame(ws.OpBinary, content)
	}
	wrongWay := map[string]string{"3": "3", "4": "2"}[revision]
	return map[string][][]byte{
		"heartbeat in the wrong direction": {text(wrongWay)},
		"unknown engine packet":            {text("9")},
		"empty text frame":                 {text("")},
		"placeholder out of range":         {text(`451-["application",{"_placeholder":true,"num":7}]`), attachment("x")},
		"negative placeholder":             {text(`451-["application",{"_placeholder":true,"num":-1}]`), attachment("x")},
		"fractional placeholder":           {text(`451-["application",{"_placeholder":true,"num":0.5}]`), attachment("x")},
		"text while an attachment is due":  {text(`451-["application",{"_placeholder":true,"num":0}]`), text(`42["application"]`)},
		"attachment without a header":      {attachment("x")},
		"probe of an established websocket": {
			text("2probe"), text("5"), text("4" + packets[0])}, // the probe is a heartbeat in EIO=3
		"message over the limit":      {text(`42["application","` + strings.Repeat("x", 1_000_000) + `"]`)},
		"length that no memory holds": {longHeader(1 << 62)},
		"length with the sign bit":    {longHeader(1<<63 | 5)},
		"unmasked frame":              {ws.MustCompileFrame(ws.NewTextFrame([]byte("42[]")))},
		"reserved bits":               {append([]byte{0xf1}, text("42[]")[1:]...)},
		"unknown opcode":              {append([]byte{0x83}, text("42[]")[1:]...)},
		"continuation of none":        {append([]byte{0x80}, text("42[]")[1:]...)},
		"long control frame":          {frame(ws.OpPing, strings.Repeat("x", 200))},
		"fragmented control":          {append([]byte{0x09}, text("42[]")[1:]...)},
		"invalid UTF-8":               {text("42[\"\xff\xfe\"]")},
		"no websocket at all":         {[]byte("GET / HTTP/1.1\r\n\r\n")},
		"fragments over a limit":      fragments(3, 500_000),
	}
}

// fragments is one text message in n frames.
func fragments(n, size int) [][]byte {
	frames := make([][]byte, n)
	for i := range frames {
		op := ws.OpContinuation
		if i == 0 {
			op = ws.OpText
		}
		f := ws.NewFrame(op, i == n-1, bytes.Repeat([]byte("4"), size))
		frames[i] = ws.MustCompileFrame(ws.MaskFrameInPlace(f))
	}
	return frames
}

// longHeader is the header of a masked text frame of a length.
func longHeader(length uint64) []byte {
	header := binary.BigEndian.AppendUint64([]byte{0x81, 0xff}, length)
	return append(header, 1, 2, 3, 4) // the mask
}

func text(payload string) []byte { return frame(ws.OpText, payload) }

func frame(kind ws.OpCode, payload string) []byte {
	return ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewFrame(kind, true, []byte(payload))))
}
