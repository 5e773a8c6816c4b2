package packet_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/roomcast/roomcast/internal/packet"
)

func TestAppendASCII(t *testing.T) {
	for _, c := range []struct{ name, json, want string }{
		{"empty", "", ""},
		{"ASCII as it is", "[\"a\",1,\"\x7f\"]", "[\"a\",1,\"\x7f\"]"},
		{"white space as it is", "[ 1 ,\t2 ]\n", "[ 1 ,\t2 ]\n"},
		{"first beyond ASCII", "\"\u0080\"", `"\u0080"`},
		{"two bytes", `"ä"`, `"\u00e4"`},
		{"three bytes", `"€"`, `"\u20ac"`},
		{"line separators", "\"\u2028\u2029\"", `"\u2028\u2029"`},
		{"before the surrogates", "\"\ud7ff\"", `"\ud7ff"`},
		{"after the surrogates", "\"\ue000\"", `"\ue000"`},
		{"byte order mark inside", "\"\ufeff\"", `"\ufeff"`},
		{"last of the basic plane", "\"\uffff\"", `"\uffff"`},
		{"first pair", "\"\U00010000\"", `"\ud800\udc00"`},
		{"pair", `"😀"`, `"\ud83d\ude00"`},
		{"last pair", "\"\U0010FFFF\"", `"\udbff\udfff"`},
		{"in keys", `{"ключ":{"😀":1}}`, `{"\u043a\u043b\u044e\u0447":{"\ud83d\ude00":1}}`},
		{"an escape as it is", `"\u00e4\n\"\\"`, `"\u00e4\n\"\\"`},
		{"lone surrogates as they are", `"\ud800 \udc00x"`, `"\ud800 \udc00x"`},
		{"backslash before the character", `"\\ä"`, `"\\\u00e4"`},
		{"stray byte", "\"\xff\"", `"\ufffd"`},
		{"cut off character", "\"\xe2\x82\"", `"\ufffd\ufffd"`},
		{"overlong", "\"\xc0\xaf\"", `"\ufffd\ufffd"`},
		{"surrogate in UTF-8", "\"\xed\xa0\x80\"", `"\ufffd\ufffd\ufffd"`},
		{"beyond Unicode", "\"\xf4\x90\x80\x80\"", `"\ufffd\ufffd\ufffd\ufffd"`},
		{"replacement character", "\"\ufffd\"", `"\ufffd"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(packet.AppendASCII(nil, []byte(c.json))); got != c.want {
				t.Fatalf("got %s, want %s", got, c.want)
			}
			if got := string(packet.AppendASCII([]byte("4ä"), []byte(c.json))); got != "4ä"+c.want {
				t.Errorf("behind a prefix: %s", got)
			}
			if c.json != "" {
				sameJSON(t, []byte(c.json), []byte(c.want))
			}
		})
	}
}

// Every character there is keeps its meaning.
func TestAppendASCIIAllCharacters(t *testing.T) {
	const atOnce = 4096
	for first := rune(utf8.RuneSelf); first <= utf8.MaxRune; first += atOnce {
		var text []byte
		for r := first; r < first+atOnce && r <= utf8.MaxRune; r++ {
			if utf8.ValidRune(r) {
				text = utf8.AppendRune(text, r)
			}
		}
		escaped := packet.AppendASCII([]byte(`"`), text)
		var back string
		if err := json.Unmarshal(append(escaped, '"'), &back); err != nil || back != string(text) {
			t.Fatalf("characters from %U are read back otherwise: %v", first, err)
		}
	}
}

func sameJSON(t *testing.T, before, after []byte) {
	t.Helper()
	for _, c := range after {
		if c >= utf8.RuneSelf {
			t.Fatalf("%q is not ASCII", after)
		}
	}
	want, err := decodeJSON(before)
	if err != nil {
		t.Fatalf("%q: %v", before, err)
	}
	got, err := decodeJSON(after)
	if err != nil {
		t.Fatalf("%q became %q: %v", before, after, err)
	}
	if !reflect.DeepEqual(want, got) {
		t.Fatalf("%q became %q:\n got %v\nwant %v", before, after, got, want)
	}
}

// decodeJSON keeps numbers as they are written: 1e999 is JSON and no float64.
func decodeJSON(text []byte) (value any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	err = decoder.Decode(&value)
	return value, err
}

func FuzzAppendASCII(f *testing.F) {
	for _, text := range []string{
		`["a",1]`, `"€😀"`, `{"ключ":"\ud800"}`, "\"\xff\"", "\"\xed\xa0\x80\"", `"\\ä"`, "\"\u2028\x7f\"", `"\u00e4ä"`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got := packet.AppendASCII(nil, text)
		for _, c := range got {
			if c >= utf8.RuneSelf {
				t.Fatalf("%q became %q", text, got)
			}
		}
		// encoding/json reads invalid UTF-8 as U+FFFD too, so no input is exempt.
		if json.Valid(text) {
			sameJSON(t, text, got)
		}
	})
}
