package test

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roomcast/roomcast/test/harness"
)

var updateAnswers = flag.Bool("update", false, "write what is answered to bad inputs to "+answersFile)

// answersFile holds every bad input of this file with the whole answer to it. A change of it is a
// change of the wire contract.
const answersFile = "testdata/bad_inputs.txt"

// Whatever is said wrongly is answered as the reference server does, or as the documents of this
// one say; and what others have is not touched by it.
func TestBadInputs(t *testing.T) {
	t.Parallel()
	b := startBystanders(t)
	var got []string
	record := func(surface, name string, ask func() string) {
		key := fmt.Sprintf("%s: %s", surface, shortened(name))
		got = append(got, "== "+key+"\n"+anonymous(ask()))
		b.unharmed(t)
	}
	for _, revision := range []string{"4", "3"} {
		b.record(t, revision, record)
	}
	for _, bad := range badHandshakes() {
		record("handshake", bad.name, func() string { return b.exchange(t, bad.request) })
	}
	for _, bad := range badREST() {
		record("REST", bad.name, func() string { return b.exchange(t, bad.request) })
	}
	if len(got) < 150 {
		t.Errorf("%d bad inputs, want 150 at least", len(got))
	}
	compareAnswers(t, got)
}

// record asks over a websocket and over polling in one revision.
func (b *bystanders) record(t *testing.T, revision string, record func(surface, name string, ask func() string)) {
	t.Helper()
	for _, said := range slices.Concat(packets, badEvents) {
		record("websocket "+revision, said, func() string { return b.overWebsocket(t, revision, text("4"+said)) })
	}
	frames := hostileFrames(revision)
	for _, name := range sortedKeys(frames) {
		record("frames "+revision, name, func() string { return b.overWebsocket(t, revision, frames[name]...) })
	}
	for _, said := range badEvents {
		body := "4" + said
		if revision == "3" {
			body = v3Text(body)
		}
		record("polling "+revision, said, func() string { return b.overPolling(t, revision, "text/plain;charset=UTF-8", body) })
	}
	for _, body := range badBodies[revision] {
		record("text body "+revision, body, func() string { return b.overPolling(t, revision, "text/plain;charset=UTF-8", body) })
	}
	for _, body := range badBinaryBodies[revision] {
		record("binary body "+revision, body, func() string { return b.overPolling(t, revision, "application/octet-stream", body) })
	}
}

// badEvents are packets that are well formed; what they ask for is not.
var badEvents = []string{
	`2["application"]`, `2["application",null]`, `2["application",7]`, `2["application",[]]`, `2["application","SUBSCRIBE"]`, `2["application",{}]`,
	`2["application",{"event":7}]`, `2["application",{"event":""}]`, `2["application",{"event":"DESTROY"}]`, `2["application",{"event":"subscribe"}]`,
	`2["application",{"event":"SUBSCRIBE"}]`, `2["application",{"event":"SUBSCRIBE","payload":null}]`, `2["application",{"event":"SUBSCRIBE","payload":[]}]`,
	`2["application",{"event":"SUBSCRIBE","payload":{}}]`, `2["application",{"event":"SUBSCRIBE","payload":{"workspaceId":"w"}}]`,
	`2["application",{"event":"SUBSCRIBE","payload":{"workspaceId":"","appId":"a"}}]`, `2["application",{"event":"SUBSCRIBE","payload":{"workspaceId":7,"appId":"a"}}]`,
	`2["application",{"event":"SUBSCRIBE","payload":{"workspaceId":"w/x","appId":"a"}}]`, `2["application",{"event":"SUBSCRIBE","payload":{"workspaceId":"*","appId":"*"}}]`,
	`2["application",{"event":"SUBSCRIBE","payload":{"workspaceId":"w\u0000","appId":"a"}}]`, `2["application",{"event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"\ud800"}}]`,
	`2["application",{"event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"` + strings.Repeat("a", 129) + `"}}]`,
	`2["application",{"event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"a","since":"yesterday"}}]`,
	`2["application",{"event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"a","since":-1}}]`,
	`2["application",{"event":"UNSUBSCRIBE","payload":{"workspaceId":"w"}}]`, `2["application",{"event":"AUTHENTICATE"}]`,
	`2["application",{"event":"AUTHENTICATE","payload":{"token":7}}]`, `27["application",{"event":"DESTROY"}]`, `2["application",{"event":"SUBSCRIBE"},{"event":"SUBSCRIBE"}]`,
	`2["nosuch",{"a":1}]`, `2["__proto__",{}]`, `2["application_response",{"status":"SUCCESS"}]`, `0/admin,`, `0/admin,{"token":"x"}`, `3[]`, `37[1]`,
}

var badBodies = map[string][]string{
	"4": {"", "\x1e", "42[\"application\"]\x1e", "\x1e\x1e", "9", "b", "2", "bAQID", "abc", "5", "0", "\xff\xfe"},
	"3": {
		"", "4", "x:4", ":4", "99999999999999999999:4", "5:4", "-1:4", "1:4x", "0x1:4", "1:3", "4:b4!!", "1:4" + strings.Repeat("1:", 100_000),
		"1:5", "1:0", "01:4", "1 :4", "3:\xff\xfe",
	},
}

var badBinaryBodies = map[string][]string{
	"4": {"42[]", "\x04"},
	"3": {
		"", "\x00", "\x00\x01", "\x00\x01\xff", "\x02\x01\xff4", "\x00\x0a\xff4", "\x01\x09\x09\x09\x09\x09\x09\x09\x09\xff\x04x",
		"\x00" + strings.Repeat("\x09", 400) + "\xff4", "\x01\x01\xff\x04",
	},
}

// sentinel is asked behind each bad input: its answer shows that the session lives on, and that
// there is no further word on what came before.
const (
	sentinel         = `42["application",{"event":"UNSUBSCRIBE","payload":{"workspaceId":"w","appId":"sentinel"}}]`
	sentinelAnswered = `"appId":"sentinel"`
	livesOn          = "the session lives on\n"
	isOver           = "the session is over\n"
)

// overWebsocket is what comes back on a fresh websocket after frames.
func (b *bystanders) overWebsocket(t *testing.T, revision string, frames ...[]byte) string {
	t.Helper()
	raw := harness.DialRaw(t, b.server, revision)
	for _, frame := range append(frames, text(sentinel)) {
		_, _ = raw.Connection.Write(frame) // the server may end the connection before it has all
	}
	defer raw.Connection.Close()
	var heard strings.Builder
	for {
		frame, err := raw.Read()
		switch {
		case err != nil:
			return heard.String() + isOver
		case strings.Contains(string(frame.Payload), sentinelAnswered):
			return heard.String() + livesOn
		case frame.Header.OpCode == ws.OpText:
			fmt.Fprintf(&heard, "text %s\n", frame.Payload)
		case frame.Header.OpCode == ws.OpClose:
			fmt.Fprintf(&heard, "close %x\n", frame.Payload)
		default:
			fmt.Fprintf(&heard, "frame %x %x\n", frame.Header.OpCode, frame.Payload)
		}
	}
}

// overPolling is what comes back on a fresh polling session after a body.
func (b *bystanders) overPolling(t *testing.T, revision, contentType, body string) string {
	t.Helper()
	session := openPolled(t, b.server, revision)
	if revision == "4" {
		session.do(t, http.MethodGet, "", "") // the answer to CONNECT
	}
	var heard strings.Builder
	status, answer := session.do(t, http.MethodPost, contentType, body)
	fmt.Fprintf(&heard, "POST: %d %s\n", status, answer)
	asked := sentinel
	if revision == "3" {
		asked = v3Text(asked)
	}
	session.do(t, http.MethodPost, "text/plain;charset=UTF-8", asked)
	for range 5 {
		status, answer := session.do(t, http.MethodGet, "", "")
		var before string
		before, lives := cutSentinel(answer)
		if before != "" {
			fmt.Fprintf(&heard, "GET: %d %q\n", status, before)
		}
		switch {
		case lives:
			return heard.String() + livesOn
		case status != http.StatusOK:
			return heard.String() + isOver
		}
	}
	return heard.String() + "neither answers nor ends\n"
}

// cutSentinel is what stands before the packet that answers the sentinel.
func cutSentinel(answer string) (before string, found bool) {
	at := strings.Index(answer, `42["application_response",{"status":"SUCCESS","event":"UNSUBSCRIBE"`)
	if at < 0 || !strings.Contains(answer[at:], sentinelAnswered) {
		return answer, false
	}
	return strings.TrimRight(answer[:at], "0123456789:\x1e"), true
}

// exchange is the whole answer to the bytes of a request, but for what varies.
func (b *bystanders) exchange(t *testing.T, request string) string {
	t.Helper()
	connection, err := net.DialTimeout("tcp", b.server.Address, harness.Patience)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(harness.Patience))
	_, _ = io.WriteString(connection, request) // it may be answered before all is read
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		return "no answer\n"
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body) // what is cut short shows in the comparison
	var answer strings.Builder
	fmt.Fprintf(&answer, "%s\n", response.Status)
	for _, name := range []string{"Content-Type", "Allow", "Retry-After", "WWW-Authenticate", "Access-Control-Allow-Origin"} {
		if value := response.Header.Get(name); value != "" {
			fmt.Fprintf(&answer, "%s: %s\n", name, value)
		}
	}
	return answer.String() + strings.TrimSpace(string(body)) + "\n"
}

var (
	requestID = regexp.MustCompile(`"instance":"[^"]*"`)
	socketID  = regexp.MustCompile(`"sid":"[^"]*"`)
	position  = regexp.MustCompile(`"position":"[^"]*"`)
)

// anonymous takes out of an answer what is another each time.
func anonymous(answer string) string {
	answer = requestID.ReplaceAllString(answer, `"instance":"…"`)
	answer = position.ReplaceAllString(answer, `"position":"…"`)
	return socketID.ReplaceAllString(answer, `"sid":"…"`)
}

func shortened(name string) string {
	const longest = 150
	if len(name) > longest {
		return fmt.Sprintf("%q and %d bytes", name[:longest-30], len(name)-longest+30)
	}
	return fmt.Sprintf("%q", name)
}

func sortedKeys[V any](all map[string]V) []string {
	var keys []string
	for key := range all {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func compareAnswers(t *testing.T, got []string) {
	t.Helper()
	text := []byte(strings.Join(got, "\n"))
	if *updateAnswers {
		if err := os.WriteFile(answersFile, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	file, err := os.ReadFile(answersFile)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(file, text) {
		return
	}
	want := strings.Split(string(file), "\n== ")
	for i, answer := range strings.Split(string(text), "\n== ") {
		switch {
		case i >= len(want):
			t.Errorf("not in %s: %s", answersFile, answer)
		case answer != want[i]:
			t.Errorf("answered\n%s\nwant\n%s", answer, want[i])
		}
	}
	if len(want) > len(got) {
		t.Errorf("%d answers of %s were not given", len(want)-len(got), answersFile)
	}
}
