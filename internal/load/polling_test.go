package load

import (
	"bytes"
	"slices"
	"strconv"
	"testing"
	"unicode/utf8"
)

func TestPayloadsOfRevision3(t *testing.T) {
	for _, c := range []struct {
		body string
		want []string // nil for an error
	}{
		{"", []string{}},
		{`1:2`, []string{"2"}},
		{`4:4abc2:40`, []string{"4abc", "40"}},
		{`2:4é1:2`, []string{"4é", "2"}}, // units, not bytes
		{`3:4😀1:2`, []string{"4😀", "2"}}, // two units outside the first plane
		{`0:1:2`, []string{"", "2"}},
		{`5:4abc`, nil},
		{`-1:4`, nil},
		{`x:4`, nil},
		{`4`, nil},
		{`:4`, nil},
	} {
		packets, err := splitPayload([]byte(c.body))
		var got []string
		for _, packet := range packets {
			got = append(got, string(packet))
		}
		if (err != nil) != (c.want == nil) || err == nil && !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, %v", c.body, got, err)
		}
	}
}

// FuzzPayload: what was cut from a payload makes the same payload again.
func FuzzPayload(f *testing.F) {
	f.Add([]byte(`4:4abc2:40`))
	f.Add([]byte(`3:4😀`))
	f.Fuzz(func(t *testing.T, body []byte) {
		packets, err := splitPayload(body)
		if err != nil || !utf8.Valid(body) {
			return
		}
		var again []byte
		for _, packet := range packets {
			again = strconv.AppendInt(again, int64(length16(packet)), 10)
			again = append(append(again, ':'), packet...)
		}
		cut, err := splitPayload(again)
		if err != nil || !slices.EqualFunc(cut, packets, bytes.Equal) {
			t.Fatalf("%q is %q, which is %q, %v", body, packets, cut, err)
		}
	})
}
