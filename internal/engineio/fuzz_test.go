package engineio

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzPayload decodes any body in each of the three forms. What was decoded, encoded
// again, must decode to the same.
func FuzzPayload(f *testing.F) {
	for _, seed := range []string{
		"", "4a", "4a\x1e4b\x1ebAQID", "4a\x1e", "2:4a7:4€😀+++", "6:b4AQID11:42[\"x\",\"€\"]", "0:0:1:6", "9999999999:4",
		"\x00\x02\xff4a\x01\x05\xff\x04\x01\x02\x03\x04", "\x01\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\xff", "2:4😀",
	} {
		for form := range byte(3) {
			f.Add(form, []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, form byte, body []byte) {
		revision, binary := V4, false
		if form%3 > 0 {
			revision, binary = V3, form%3 == 2
		}
		body = validText(body, binary)
		original := bytes.Clone(body)
		packets := decodeAll(newPayload(revision, binary, body))
		if !bytes.Equal(body, original) {
			t.Fatal("decoding changed the body")
		}
		texts := make([][]byte, len(packets))
		for i, packet := range packets {
			if texts[i] = packet.text(revision); !utf8.Valid(texts[i]) {
				return // only the binary form can carry it
			}
		}
		again := decodeAll(newPayload(revision, false, appendPayload(nil, revision, texts)))
		if revision == V4 && len(packets) > 0 && bytes.IndexByte(bytes.Join(texts, nil), separator) >= 0 {
			t.Fatal("a packet holds the separator")
		}
		if len(again) != len(packets) {
			t.Fatalf("%d packets became %d", len(packets), len(again))
		}
		for i := range packets {
			if again[i].kind != packets[i].kind || again[i].binary != packets[i].binary || !bytes.Equal(again[i].body, packets[i].body) {
				t.Fatalf("packet %d: %+v became %+v", i, packets[i], again[i])
			}
		}
	})
}

// decodeAll returns the packets before the end or the first bad one.
func decodeAll(p *payload) []incoming {
	var packets []incoming
	for {
		packet, more, err := p.next()
		if err != nil || !more {
			return packets
		}
		packet.body = bytes.Clone(packet.body)
		packets = append(packets, packet)
	}
}

// text is the packet as its sender wrote it.
func (p incoming) text(revision Revision) []byte {
	if !p.binary {
		return append([]byte{p.kind}, p.body...)
	}
	lead := "b"
	if revision == V3 {
		lead = "b4"
	}
	return append([]byte(lead), base64.StdEncoding.EncodeToString(p.body)...)
}

func FuzzPacketText(f *testing.F) {
	for _, seed := range []string{"", "0{}", "1", "2probe", "3", "4", "42[\"a\"]", "5", "6", "7", "bAQID", "bAQI", "b", "b4AQID", "bA\nQID", "b****"} {
		f.Add(uint8(3), []byte(seed))
		f.Add(uint8(4), []byte(seed))
	}
	f.Fuzz(func(t *testing.T, revision uint8, text []byte) {
		packet, err := decodeText(revisionOf(revision), text)
		if err != nil {
			return
		}
		switch {
		case packet.kind < packetOpen || packet.kind > packetNoop:
			t.Fatalf("type %q", packet.kind)
		case !packet.binary && !bytes.Equal(packet.text(revisionOf(revision)), text):
			t.Fatalf("%q was read as %+v", text, packet)
		case packet.binary && packet.kind != packetMessage:
			t.Fatalf("binary of type %q", packet.kind)
		}
	})
}

func FuzzPacketBinary(f *testing.F) {
	for _, seed := range []string{"", "\x04", "\x04\x01\x02", "\x02", "4a", "\xff"} {
		f.Add(uint8(3), []byte(seed))
		f.Add(uint8(4), []byte(seed))
	}
	f.Fuzz(func(t *testing.T, revision uint8, data []byte) {
		packet, err := decodeBinary(revisionOf(revision), data)
		if err != nil {
			if revisionOf(revision) == V4 {
				t.Fatalf("any bytes are a message in revision 4: %v", err)
			}
			return
		}
		want := data
		if revisionOf(revision) == V3 {
			want = data[1:]
		}
		if packet.kind != packetMessage || !packet.binary || !bytes.Equal(packet.body, want) {
			t.Fatalf("%x was read as %+v", data, packet)
		}
	})
}

func revisionOf(b uint8) Revision {
	if b%2 == 1 {
		return V3
	}
	return V4
}

// deaf is a Handler and an Observer to whom nothing matters.
type deaf struct{}

func (deaf) Text([]byte)                          {}
func (deaf) Binary([]byte)                        {}
func (deaf) Closed(string)                        {}
func (deaf) SessionOpened(string, string)         {}
func (deaf) SessionUpgraded(string)               {}
func (deaf) SessionClosed(string, string, string) {}
func (deaf) BacklogChanged(int)                   {}
func (deaf) Discarded(int)                        {}
func (deaf) Refused(string)                       {}

// FuzzWebsocketStream sends any bytes behind a websocket handshake. The session must end
// when the client does, and leave no goroutine.
func FuzzWebsocketStream(f *testing.F) {
	for _, seed := range []string{
		"", "\x81\x82\x00\x00\x00\x004a", "\x81\x024a", "\x01\x82\x00\x00\x00\x004a\x80\x81\x00\x00\x00\x00b", "\x88\x80\x00\x00\x00\x00",
		"\x89\x82\x00\x00\x00\x00hi\x81\x81\x00\x00\x00\x003", "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", "\xc1\x80\x00\x00\x00\x00",
		"\x81\x81\x00\x00\x00\x002", "\x82\x83\x00\x00\x00\x00\x04\x01\x02", "\x81\xfe\x00\x02\x00\x00\x00\x004a", "\x81\x82\x01\x02\x03\x04",
	} {
		f.Add(false, []byte(seed))
		f.Add(true, []byte(seed))
	}
	server := NewServer(Options{
		Accept:       func(*Session, *http.Request) Handler { return deaf{} },
		PingInterval: time.Hour, PingTimeout: time.Hour, UpgradeTimeout: time.Hour,
		MaxPayload: 4096, BacklogBytes: 1 << 16, MaxSessions: 100, EIO3: true,
		Observer: deaf{}, Logger: slog.New(slog.DiscardHandler),
	})
	listener := httptest.NewServer(server)
	f.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := server.Close(ctx); err != nil {
			f.Error(err)
		}
		listener.Close()
	})
	address := listener.Listener.Addr().String()
	f.Fuzz(func(t *testing.T, old bool, stream []byte) {
		query := "EIO=4"
		if old {
			query = "EIO=3"
		}
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.WriteString(conn, "GET /?transport=websocket&"+query+" HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"+string(stream))
		_ = conn.(*net.TCPConn).CloseWrite()
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("the connection outlived its client's end")
		}
		for deadline := time.Now().Add(10 * time.Second); server.Live() > 0; time.Sleep(50 * time.Microsecond) {
			if time.Now().After(deadline) {
				t.Fatal("the session outlived its client")
			}
		}
	})
}
