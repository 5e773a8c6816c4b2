package packet_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/packet"
)

func TestArguments(t *testing.T) {
	for _, c := range []struct {
		data string
		name string
		args []string
	}{
		{`["a"]`, "a", nil},
		{`["a",1]`, "a", []string{`1`}},
		{`[""]`, "", nil},
		{`["application",{"event":"SUBSCRIBE"},null,[1,2],"x",true]`, "application",
			[]string{`{"event":"SUBSCRIBE"}`, `null`, `[1,2]`, `"x"`, `true`}},
		{"[ \"a\" ,\n {\"x\": 1} ]", "a", []string{`{"x": 1}`}},
		{`["\u0061\n\"\\"]`, "a\n\"\\", nil},
		{`["\ud83d\ude00"]`, "😀", nil},
		{`["\ud800"]`, "\uFFFD", nil}, // a lone surrogate is no character
		{`[1,"x"]`, "1", []string{`"x"`}},
		{`[-1.5e3]`, "-1.5e3", nil},
		{`["a",9007199254740993,1.0]`, "a", []string{`9007199254740993`, `1.0`}}, // digits kept
		{`["a","1\u0032"]`, "a", []string{`"1\u0032"`}},                          // raw, escapes kept
	} {
		p, err := packet.Decode(v5, []byte(`2`+c.data))
		if err != nil {
			t.Fatalf("%s: %v", c.data, err)
		}
		name, args, err := p.Arguments()
		if err != nil {
			t.Errorf("%s: %v", c.data, err)
			continue
		}
		if name != c.name {
			t.Errorf("%s: name %q, want %q", c.data, name, c.name)
		}
		if len(args) != len(c.args) {
			t.Errorf("%s: arguments %q, want %q", c.data, args, c.args)
			continue
		}
		for i := range args {
			if string(args[i]) != c.args[i] {
				t.Errorf("%s: argument %d is %s, want %s", c.data, i, args[i], c.args[i])
			}
		}
	}
}

// Arguments is not to trust that Decode was there before it.
func TestArgumentsOfOtherPayloads(t *testing.T) {
	for _, data := range []string{``, `[]`, `{}`, `null`, `"a"`, `1`, `["a"`, `["a]`, `["\x"]`} {
		p := packet.Packet{Type: packet.Event, Data: []byte(data)}
		if name, args, err := p.Arguments(); !errors.Is(err, packet.ErrMalformed) {
			t.Errorf("%s: %q %q %v, want ErrMalformed", data, name, args, err)
		}
	}
}

// Arguments outlive the text they came in: readers reuse their buffers.
func TestArgumentsAreCopies(t *testing.T) {
	text := []byte(`2["name",{"k":"value"}]`)
	p, err := packet.Decode(v5, text)
	if err != nil {
		t.Fatal(err)
	}
	name, args, err := p.Arguments()
	if err != nil {
		t.Fatal(err)
	}
	copy(text, strings.Repeat("x", len(text)))
	if name != "name" || string(args[0]) != `{"k":"value"}` {
		t.Errorf("after reuse of the text: %q %s", name, args[0])
	}
}
