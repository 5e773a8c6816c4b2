package eio3

import (
	"strings"
	"testing"
)

// FuzzSession feeds a session a script of messages, one per line; a line that begins
// with "b" is a binary one. Nothing may panic, the gateway must be told the end of each
// stay once, after the last event, and the library must let go.
func FuzzSession(f *testing.F) {
	for _, seed := range []string{
		"2[\"application\",{\"event\":\"SUBSCRIBE\"}]\n27[\"a,b\",1,[2],{}]",
		"5999999999999999999-[\"nosuch\",{}]",
		"51-[\"application\",{\"_placeholder\":true,\"num\":0}]\nbx\n2[\"x\"]",
		"51-[\"application\",{\"_placeholder\":true,\"num\":7}]\nbx",
		"52-[\"x\"]\nb\n2[\"y\"]",
		"61-1[{\"_placeholder\":true,\"num\":0}]\nbabc\n31[]",
		"1\n0/?token=a%2Cb,\n2[\"x\"]\n1\n0\n0",
		"0/nope,\n0/admin?x=1\n2/nope,[\"x\"]",
		"2\n2[]\n2{}\n212",
		"2[\"\\ud83d\"]\n2[\"x\",\"\\u0000\"]",
		"2[-1e999,null]",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, script string) {
		g := &gateway{}
		s := New(Options{Gateway: g, Logger: discardLogger(), MaxPayload: 1000})
		w := open(s, "fuzz")
		for line := range strings.Lines(script) {
			line = strings.TrimSuffix(line, "\n")
			if data, ok := strings.CutPrefix(line, "b"); ok {
				w.binary(data)
			} else {
				w.text(line)
			}
		}
		w.Close("transport close")
		w.closedWith(t)
		shutDown(t, s)
		for n := 0; g.peer(n) != nil; n++ {
			if ends := g.peer(n).ends(); len(ends) != 1 {
				t.Errorf("stay %d was told the ends %q", n, ends)
			}
			for _, event := range g.peer(n).heard() {
				if event == "AFTER THE END" {
					t.Errorf("stay %d heard an event after its end", n)
				}
			}
		}
	})
}
