package redis

import (
	"strings"
	"testing"
)

// An instance reads every publication of all instances, also of rooms that it has no members
// of: the bus is parsed without a parser of JSON, whatever the size of the object.
func BenchmarkParsePublication(b *testing.B) {
	for name, size := range map[string]int{"200B": 200, "64KB": 64 << 10} {
		b.Run(name, func(b *testing.B) {
			text := `P 1790000000000002 1790000000000001 ab12cd34 acme/board-7` + "\n" + `{"event":"E","payload":"` + strings.Repeat("x", size) + `"}`
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parse(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
