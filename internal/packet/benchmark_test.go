package packet_test

import (
	"testing"

	"github.com/roomcast/roomcast/internal/packet"
)

func BenchmarkDecode(b *testing.B) {
	for name, text := range map[string]string{
		"SUBSCRIBE": `2["application",{"event":"SUBSCRIBE","payload":{"workspaceId":"acme","appId":"board-7"}}]`,
		"CONNECT":   `0{"token":"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl","pid":"92QNvpzXqYGSz29-GEVzeA","offset":"ab12cd34:7"}`,
	} {
		b.Run(name, func(b *testing.B) {
			data := []byte(text)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := packet.Decode(v5, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
