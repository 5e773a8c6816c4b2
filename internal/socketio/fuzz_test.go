package socketio_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/session"
)

// FuzzMessages lets one session say anything: a line is a text message, or with a leading
// "b" a binary one. It goes through the engine, without a network. Whatever is said, a
// peer is told of events only between its beginning and its one end, which newEngine
// checks, and what is answered are packets a client can read.
func FuzzMessages(f *testing.F) {
	for _, script := range []string{
		"0", "0\n1\n0", "0\n0", "0/admin,", "0{\"a\":1}\n2[\"a\",1]\n27[\"a\"]",
		"0\n51-[\"a\",{\"_placeholder\":true,\"num\":0}]\nbxy\n2[\"b\"]",
		"0\n52-[\"a\"]\nb1\n0/x,\nb2", "2[\"a\"]", "0\n61-1[{\"_placeholder\":true,\"num\":3}]\nb", "b", "0/\xff,\n0",
	} {
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script string) {
		g := &gateway{onEvent: func(p *peer, m session.Message) {
			for _, arg := range m.Args {
				if !json.Valid(arg) {
					t.Errorf("an argument is not JSON: %q", arg)
				}
			}
			p.client.Send(event.NewBatch(event.NewAck(m.AckID, []byte("1"))))
		}}
		engine := newEngine(t, g)
		request := func(method, query, body string) string {
			r := httptest.NewRequest(method, "/socket.io/?EIO=4&transport=polling"+query, strings.NewReader(body))
			w := httptest.NewRecorder()
			engine.ServeHTTP(w, r)
			if w.Code == http.StatusOK {
				return w.Body.String()
			}
			return ""
		}
		match := opened.FindStringSubmatch(request(http.MethodGet, "", ""))
		if match == nil {
			t.Fatal("no open packet")
		}
		sid := "&sid=" + match[1]
		request(http.MethodPost, sid, payloadOf(script))
		request(http.MethodPost, sid, "4"+fence) // or there might be nothing to read
		for packet := range strings.SplitSeq(request(http.MethodGet, sid, ""), "\x1e") {
			checkPacket(t, packet)
		}
	})
}

// payloadOf is a script's messages as packets of one payload.
func payloadOf(script string) string {
	var packets []string
	for line := range strings.SplitSeq(strings.ReplaceAll(script, "\x1e", ""), "\n") {
		if data, binary := strings.CutPrefix(line, "b"); binary {
			packets = append(packets, "b"+base64.StdEncoding.EncodeToString([]byte(data)))
			continue
		}
		packets = append(packets, "4"+line)
	}
	return strings.Join(packets, "\x1e")
}

// checkPacket checks a packet from the server.
func checkPacket(t *testing.T, packet string) {
	t.Helper()
	switch {
	case packet == "", packet == "1", packet == "6": // over, or nothing to say
	case accepted.MatchString(packet):
	case strings.HasPrefix(packet, "44/") && strings.HasSuffix(packet, `,{"message":"Invalid namespace"}`):
	case strings.HasPrefix(packet, "43") && strings.HasSuffix(packet, "[1]"):
	default:
		t.Errorf("the server sent %q", packet)
	}
}
