package packet_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/packet"
)

const (
	binaryEvent = packet.BinaryEvent
	place0      = `{"_placeholder":true,"num":0}`
)

func TestCheckPlaceholders(t *testing.T) {
	for _, c := range []struct {
		name        string
		attachments int
		data        string
		reason      string // empty: accepted
	}{
		{"none", 1, `["a",{"num":9}]`, ""},
		{"one", 1, `["a",` + place0 + `]`, ""},
		{"last of ten", 10, `["a",{"_placeholder":true,"num":9}]`, ""},
		{"repeated", 1, `["a",` + place0 + `,` + place0 + `]`, ""},
		{"nested", 2, `["deep",{"a":[` + place0 + `,{"b":{"_placeholder":true,"num":1}}]}]`, ""},
		{"further fields", 1, `["a",{"_placeholder":true,"num":0,"x":{"y":[]}}]`, ""},
		{"in a string", 1, `["a","{\"_placeholder\":true,\"num\":7}"]`, ""},
		{"false", 1, `["a",{"_placeholder":false,"num":7}]`, ""},
		{"one is not true", 1, `["a",{"_placeholder":1,"num":7}]`, ""},
		{"text is not true", 1, `["a",{"_placeholder":"true","num":7}]`, ""},
		{"null is not true", 1, `["a",{"_placeholder":null,"num":7}]`, ""},
		{"array is not true", 1, `["a",{"_placeholder":[true],"num":7}]`, ""},
		{"other case", 1, `["a",{"_PLACEHOLDER":true,"num":7}]`, ""},
		{"the last of equal keys counts", 1, `["a",{"_placeholder":true,"_placeholder":false,"num":7}]`, ""},

		{"one too high", 1, `["a",{"_placeholder":true,"num":1}]`, "placeholder 1 of 1 attachments"},
		{"eleventh of ten", 10, `["a",{"_placeholder":true,"num":10}]`, "placeholder 10 of 10 attachments"},
		{"negative", 1, `["a",{"_placeholder":true,"num":-1}]`, "placeholder -1 of 1 attachments"},
		{"negative zero", 1, `["a",{"_placeholder":true,"num":-0}]`, "placeholder -0 of 1 attachments"},
		{"fractional", 2, `["a",{"_placeholder":true,"num":0.5}]`, "placeholder 0.5 of 2 attachments"},
		{"whole with a fraction", 2, `["a",{"_placeholder":true,"num":1.0}]`, "placeholder 1.0 of 2 attachments"},
		{"exponent", 2, `["a",{"_placeholder":true,"num":1e0}]`, "placeholder 1e0 of 2 attachments"},
		{"huge", 1, `["a",{"_placeholder":true,"num":99999999999999999999}]`, "placeholder 99999999999999999999 of 1 attachments"},
		{"wraps to zero in 64 bits", 1, `["a",{"_placeholder":true,"num":18446744073709551616}]`, "placeholder 18446744073709551616 of"},
		{"wraps to zero in 8 bits", 1, `["a",{"_placeholder":true,"num":256}]`, "placeholder 256 of"},
		{"no number", 1, `["a",{"_placeholder":true}]`, "placeholder without a number"},
		{"text as number", 1, `["a",{"_placeholder":true,"num":"0"}]`, "placeholder without a number"},
		{"null as number", 1, `["a",{"_placeholder":true,"num":null}]`, "placeholder without a number"},
		{"object as number", 1, `["a",{"_placeholder":true,"num":{}}]`, "placeholder without a number"},
		{"number before the key", 1, `["a",{"num":5,"_placeholder":true}]`, "placeholder 5 of 1"},
		{"last of equal numbers counts", 1, `["a",{"_placeholder":true,"num":0,"num":5}]`, "placeholder 5 of 1"},
		{"deep in arrays", 1, `["a",[[[{"x":[{"_placeholder":true,"num":1}]}]]]]`, "placeholder 1 of 1"},
		{"good before bad", 1, `["a",` + place0 + `,{"_placeholder":true,"num":1}]`, "placeholder 1 of 1"},
		{"white space", 1, "[\"a\", { \"_placeholder\" :\ttrue , \"num\" : 1 } ]", "placeholder 1 of 1"},
		{"escaped first letter", 1, `["a",{"\u005fplaceholder":true,"num":1}]`, "placeholder 1 of 1"},
		{"escaped in the middle", 1, `["a",{"_place\u0068older":true,"num":1}]`, "placeholder 1 of 1"},
		{"escaped altogether", 1, `["a",{"\u005F\u0070\u006c\u0061\u0063\u0065\u0068\u006f\u006C\u0064\u0065\u0072":true,"num":1}]`, "placeholder 1 of 1"},
		{"escaped num", 1, `["a",{"_placeholder":true,"\u006eum":1}]`, "placeholder 1 of 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, kind := range []packet.Type{binaryEvent, packet.BinaryAck} {
				p := packet.Packet{Type: kind, Attachments: c.attachments, Data: []byte(c.data)}
				err := p.CheckPlaceholders()
				switch {
				case c.reason == "" && err != nil:
					t.Errorf("%s: %v", c.data, err)
				case c.reason != "" && (!errors.Is(err, packet.ErrMalformed) || !strings.Contains(err.Error(), c.reason)):
					t.Errorf("%s: error %v, want ErrMalformed saying %q", c.data, err, c.reason)
				}
			}
		})
	}
}

// In packets without attachments such objects are ordinary data.
func TestPlaceholdersElsewhereAreData(t *testing.T) {
	for _, wire := range []string{`2["a",{"_placeholder":true,"num":5}]`, `31[{"_placeholder":true}]`} {
		p, err := packet.Decode(v5, []byte(wire))
		if err != nil {
			t.Fatalf("%s: %v", wire, err)
		}
		if err := p.CheckPlaceholders(); err != nil {
			t.Errorf("%s: %v", wire, err)
		}
	}
}

// The deepest and the widest payloads that Decode lets through: the walk may recurse, it
// must not run out of stack, and it finds the placeholder at the bottom.
func TestCheckPlaceholdersHostileShapes(t *testing.T) {
	const deepest = 10_000 - 1 // encoding/json stops at 10,000, the event's array is one
	bad := `{"_placeholder":true,"num":1}`
	wrap := func(open, inner, end string, depth int) string {
		return `51-["a",` + strings.Repeat(open, depth) + inner + strings.Repeat(end, depth) + `]`
	}
	for name, wire := range map[string]string{
		"arrays":     wrap(`[`, bad, `]`, deepest-1),
		"objects":    wrap(`{"":`, bad, `}`, deepest-1),
		"wide":       `51-["a"` + strings.Repeat(`,{}`, 333_000) + `,` + bad + `]`,
		"wide nests": `51-["a"` + strings.Repeat(`,`+strings.Repeat(`[`, 900)+strings.Repeat(`]`, 900), 500) + `,` + bad + `]`,
	} {
		p, err := packet.Decode(v5, []byte(wire))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := p.CheckPlaceholders(); err == nil || !strings.Contains(err.Error(), "placeholder 1 of 1") {
			t.Errorf("%s: error %v, want the placeholder at the bottom refused", name, err)
		}
	}
	if _, err := packet.Decode(v5, []byte(wrap(`[`, bad, `]`, deepest))); !errors.Is(err, packet.ErrMalformed) {
		t.Errorf("one level deeper: error %v, want ErrMalformed", err)
	}
	p := packet.Packet{Type: binaryEvent, Attachments: 1, Data: []byte(strings.Repeat(bad[:1]+`"_placeholder":`, 100_000))}
	if err := p.CheckPlaceholders(); !errors.Is(err, packet.ErrMalformed) {
		t.Errorf("payload no decoder has seen: error %v, want ErrMalformed", err)
	}
}

func FuzzCheckPlaceholders(f *testing.F) {
	for _, data := range []string{
		place0, `["a",{"_placeholder":true,"num":1}]`, `["a",{"\u005fplaceholder":true,"num":3}]`,
		`{"_placeholder":true,"_placeholder":false,"num":9}`, `[{"_placeholder":true,"num":1e0}]`,
		`{"num":-1,"_placeholder":true}`, `{"_placeholder":true}`, `{"a":{"_placeholder":"true","num":7}}`,
		`[[[{"_placeholder":true,"num":18446744073709551616}]]]`, `{"_placeholder":true,"num":0,"x":` + place0 + `}`,
	} {
		f.Add(uint8(1), []byte(data))
		f.Add(uint8(3), []byte(data))
	}
	f.Fuzz(func(t *testing.T, count uint8, data []byte) {
		attachments := int(count)%packet.MaxAttachments + 1
		if !json.Valid(data) {
			return // Decode lets nothing else through
		}
		p := packet.Packet{Type: binaryEvent, Attachments: attachments, Data: data}
		err := p.CheckPlaceholders()
		if want := naivePlaceholders(data, attachments); want != (err == nil) {
			t.Fatalf("%s with %d attachments: error %v, naive check says good: %t", data, attachments, err, want)
		}
	})
}

// naivePlaceholders judges by the raw text of each value. As there are ten attachments
// at most, the only good numbers are single digits.
func naivePlaceholders(value json.RawMessage, attachments int) bool {
	var object map[string]json.RawMessage
	var array []json.RawMessage
	switch value = json.RawMessage(strings.TrimSpace(string(value))); value[0] {
	case '{':
		if json.Unmarshal(value, &object) != nil {
			return false
		}
		if string(object["_placeholder"]) == "true" {
			num := object["num"]
			return len(num) == 1 && num[0] >= '0' && num[0] < '0'+byte(attachments)
		}
		for _, item := range object {
			if !naivePlaceholders(item, attachments) {
				return false
			}
		}
	case '[':
		if json.Unmarshal(value, &array) != nil {
			return false
		}
		for _, item := range array {
			if !naivePlaceholders(item, attachments) {
				return false
			}
		}
	}
	return true
}
