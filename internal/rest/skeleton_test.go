package rest

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestSkeleton(t *testing.T) {
	for text, want := range map[string]string{
		`{"event":"UPDATED","data":[1,true,"x"]}`: `{"":"","":[1,true,""]}`,
		`"a\"b\\c\u00e9dé"`:                       `"\"\\\u00e9"`,
		"\"a\x01b\tc\"":                           "\"\x01\t\"",
		`"open`:                                   `"`,
		`"open\`:                                  `"\`,
		`"open\u12`:                               `"\u12`,
		`"\u12"34`:                                `"\u12"3`,
		`{a:"b" }`:                                `{a:"" }`,
		``:                                        ``,
	} {
		bones, spaced := skeleton(nil, []byte(text))
		if string(bones) != want || spaced != (text == `{a:"b" }`) {
			t.Errorf("skeleton(%s) = %s, spaced %t, want %s", text, bones, spaced, want)
		}
	}
}

// FuzzCompact says of every text what encoding/json says of it.
func FuzzCompact(f *testing.F) {
	for _, seed := range []string{
		`{"event":"UPDATED","data":{"n":[1,-0.5e+3,true,null],"é\"\\\u00e9\n":""}}`, `{"a": "b c" }`, `"\u12"34`, `"\x"`,
		"\"a\x01\"", `"open`, `"\`, `{"a":"b"]`, `[[[["`, ` `, ``, `01`, "{\"\\u007", "\"\xff\"",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var want bytes.Buffer
		wantErr := json.Compact(&want, text)
		before := bytes.Clone(text)
		got, err := compact(text)
		if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() || err == nil && !bytes.Equal(got, want.Bytes()) {
			t.Errorf("compact(%q) = %q, %v, want %q, %v", text, got, err, want.Bytes(), wantErr)
		}
		if !bytes.Equal(text, before) {
			t.Errorf("compact has written to %q: %q", before, text)
		}
	})
}
