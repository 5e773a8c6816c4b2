package eio3

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// binaryMark marks a binary message in a script of packets.
const binaryMark = "binary:"

func (w *wire) play(script []string) {
	for _, step := range script {
		if data, ok := strings.CutPrefix(step, binaryMark); ok {
			w.binary(data)
		} else {
			w.text(step)
		}
	}
}

// TestHostileInput: each script ends its own session, with the reason given, and no
// other. The first ones end the process of a bare go-socket.io v1.7.0.
func TestHostileInput(t *testing.T) {
	const malformed, misplaced = "parse error", "forced close"
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for name, test := range map[string]struct {
		reason string
		script []string
	}{
		"huge attachment count":           {malformed, []string{`5999999999999999999-["nosuch",{}]`}},
		"attachment count of 10^10":       {malformed, []string{`510000000000-["application",{}]`}},
		"attachment count of 10^8":        {malformed, []string{`5100000000-["application",{}]`}},
		"attachment count past 64 bits":   {malformed, []string{`518446744073709551617-["application",{}]`}},
		"huge count in EVENT":             {malformed, []string{`2999999999999999999-["nosuch",{}]`}},
		"huge count in DISCONNECT":        {malformed, []string{`1999999999999999999-["x"]`}},
		"huge count in ACK":               {malformed, []string{`3999999999999999999-["x"]`}},
		"huge count in BINARY_ACK":        {malformed, []string{`6999999999999999999-0["x"]`}},
		"placeholder out of range":        {malformed, []string{`51-["application",{"_placeholder":true,"num":7}]`}},
		"negative placeholder":            {malformed, []string{`51-["application",{"_placeholder":true,"num":-1}]`}},
		"fractional placeholder":          {malformed, []string{`51-["application",{"_placeholder":true,"num":0.5}]`}},
		"escaped placeholder":             {malformed, []string{`51-["application",{"\u005fplaceholder":true,"num":7}]`}},
		"eleven attachments":              {malformed, []string{`511-["application"]`}},
		"no attachments":                  {malformed, []string{`50-["application"]`}},
		"no attachment count":             {malformed, []string{`5-["application"]`}},
		"empty packet":                    {malformed, []string{``}},
		"unknown type":                    {malformed, []string{`7["a"]`}},
		"letter":                          {malformed, []string{`x`}},
		"EVENT alone":                     {malformed, []string{`2`}},
		"EVENT with an id only":           {malformed, []string{`212`}},
		"EVENT without bracket repeats":   {malformed, []string{`2["application",{}]`, `2"application"`}},
		"empty array":                     {malformed, []string{`2[]`}},
		"object":                          {malformed, []string{`2{}`}},
		"null name":                       {malformed, []string{`2[null]`}},
		"object as name":                  {malformed, []string{`2[{"_placeholder":true,"num":0}]`}},
		"reserved name":                   {malformed, []string{`2["disconnect"]`}},
		"reserved name, escaped":          {malformed, []string{`2["\u0063onnect"]`}},
		"unterminated array":              {malformed, []string{`2["application",`}},
		"trailing junk":                   {malformed, []string{`2["application"]x`}},
		"two values":                      {malformed, []string{`2["application"]["application"]`}},
		"deep nesting":                    {malformed, []string{`2["application",` + nested(100_000) + `]`}},
		"deep nesting, unclosed":          {malformed, []string{`2["application",` + strings.Repeat("[", 100_000)}},
		"ack id above 2^53-1":             {malformed, []string{`29007199254740992["application"]`}},
		"ack id of 400 digits":            {malformed, []string{`2` + strings.Repeat("9", 400) + `["application"]`}},
		"negative ack id":                 {malformed, []string{`2-1["application"]`}},
		"ACK with a huge id":              {malformed, []string{`399999999999999999999[]`}},
		"ACK without id":                  {malformed, []string{`3[]`}},
		"ACK without array":               {malformed, []string{`31`}},
		"ACK with an object":              {malformed, []string{`31{}`}},
		"ERROR from a client":             {malformed, []string{`4"x"`}},
		"CONNECT with a payload":          {malformed, []string{`0{"a":1}`}},
		"DISCONNECT with a payload":       {malformed, []string{`1["x"]`}},
		"CONNECT when joined":             {misplaced, []string{`0`}},
		"CONNECT when joined, with query": {misplaced, []string{`0/?a=b,`}},
		"CONNECT twice":                   {misplaced, []string{`1`, `0`, `0`}},
		"EVENT after DISCONNECT":          {misplaced, []string{`1`, `2["application"]`}},
		"ACK after DISCONNECT":            {misplaced, []string{`1`, `30[]`}},
		"DISCONNECT twice":                {misplaced, []string{`1`, `1`}},
		"EVENT for another namespace":     {misplaced, []string{`2/nope,["application"]`}},
		"EVENT for a refused namespace":   {misplaced, []string{`0/nope,`, `2/nope,["application"]`}},
		"DISCONNECT for another":          {misplaced, []string{`1/nope`}},
		"no comma after namespace":        {malformed, []string{`2/nope["application"]`}},
		"namespace of 9000 bytes":         {malformed, []string{`0/` + strings.Repeat("n", 9000)}},
		"namespace not in UTF-8":          {malformed, []string{"0/\xff,"}},
		"attachment without packet":       {malformed, []string{binaryMark + "x"}},
		"empty attachment without packet": {malformed, []string{binaryMark}},
		"one attachment too many":         {malformed, []string{`51-["application"]`, binaryMark + "x", binaryMark + "y"}},
		"text instead of attachment":      {malformed, []string{`51-["application"]`, `2["application"]`}},
		"foreign text instead":            {malformed, []string{`51-["application"]`, `0/nope,`}},
		"binary packet in binary packet":  {malformed, []string{`51-["application"]`, `51-["application"]`}},
		"attachment too large":            {malformed, []string{`51-["application"]`, binaryMark + strings.Repeat("x", 1001)}},
		"attachments too large together": {malformed, []string{`53-["application"]`,
			binaryMark + strings.Repeat("x", 500), binaryMark + strings.Repeat("x", 500), binaryMark + "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			g := &gateway{}
			s := newServer(t, g)
			witness, hostile := dial(t, s), dial(t, s)
			hostile.play(test.script)
			if got := hostile.closedWith(t); got != test.reason {
				t.Errorf("closed with %q, want %q", got, test.reason)
			}
			hostile.play(test.script) // what is still in flight does no harm
			eventually(t, "the library to let go", func() bool { return s.library.Count() == 1 })
			if ends := g.peer(1).ends(); len(ends) != 1 {
				t.Errorf("gateway was told the ends %q", ends)
			}
			witness.text(`2["witness"]`)
			wantEvents(t, g.peer(0), `witness`)
		})
	}
}

// At this depth our decoder still accepts what the library, which sees one level more,
// no longer parses: the library gives up, and the transport must follow.
func TestLibraryGivingUpEndsTheSession(t *testing.T) {
	g := &gateway{}
	s := newServer(t, g)
	w := dial(t, s)
	w.text(`2["a",` + strings.Repeat("[", 9_999) + strings.Repeat("]", 9_999) + `]`)
	if got := w.closedWith(t); got != "server error" {
		t.Errorf("closed with %q", got)
	}
	wantEnd(t, g.peer(0), "server error")
	if heard := g.peer(0).heard(); len(heard) != 0 {
		t.Errorf("the gateway heard %d events", len(heard))
	}
}

func TestPacketsBeforeABadOneTakeEffect(t *testing.T) {
	g := &gateway{}
	w := dial(t, newServer(t, g))
	w.text(`2["one"]`, `2["two"]`, `2[]`, `2["three"]`)
	wantEnd(t, g.peer(0), "parse error")
	wantEvents(t, g.peer(0), `one`, `two`)
}

func TestBinaryEvents(t *testing.T) {
	g := &gateway{}
	w := dial(t, newServer(t, g))
	w.play([]string{
		`52-3["application",{"a":{"_placeholder":true,"num":0},"b":[{"_placeholder":true,"num":1}]}]`, binaryMark + "\x01", binaryMark + "\x02",
		`510-["ten"]`, binaryMark, binaryMark, binaryMark, binaryMark, binaryMark, binaryMark, binaryMark, binaryMark, binaryMark, binaryMark,
		`51-["full"]`, binaryMark + strings.Repeat("x", 1000),
		`2["text"]`,
	})
	wantEvents(t, g.peer(0),
		`application {"a":{"_placeholder":true,"num":0},"b":[{"_placeholder":true,"num":1}]} ack=3 binary`,
		`ten binary`, `full binary`, `text`)
}

func TestAttachmentsThatNeverCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{}
		s := New(Options{Gateway: g, Logger: discardLogger(), AttachmentTimeout: 20 * time.Second})
		late, prompt := open(s, "late"), open(s, "prompt")
		for _, w := range []*wire{late, prompt} {
			w.text(`52-["application"]`)
			time.Sleep(19 * time.Second)
			w.binary("x")
		}
		// late has waited 38 s by now, prompt 19 s.
		prompt.binary("y")
		synctest.Wait()
		if late.isOpen() || !prompt.isOpen() {
			t.Errorf("late open %v, prompt open %v", late.isOpen(), prompt.isOpen())
		}
		time.Sleep(time.Minute)
		if !prompt.isOpen() {
			t.Error("the deadline outlived its packet")
		}
		prompt.Close("transport close")
		synctest.Wait()
		wantEnd(t, g.peer(0), "attachments timed out")
		wantEnd(t, g.peer(1), "transport close")
		shutDown(t, s)
	})
}
