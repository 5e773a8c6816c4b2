package test

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/roomcast/roomcast/test/harness"
)

// polled is a polling session in the hands of a test.
type polled struct {
	url      string // with sid
	revision string
}

var sessionID = regexp.MustCompile(`"sid":"([^"]+)"`)

// openPolled opens a session that has joined the root namespace.
func openPolled(t *testing.T, server *harness.Server, revision string) polled {
	t.Helper()
	p := polled{url: server.URL + "/socket.io/?transport=polling&EIO=" + revision, revision: revision}
	_, body := p.do(t, http.MethodGet, "", "")
	found := sessionID.FindStringSubmatch(body)
	if found == nil {
		t.Fatalf("the handshake is answered %q", body)
	}
	p.url += "&sid=" + found[1]
	if revision == "4" {
		p.do(t, http.MethodPost, "text/plain;charset=UTF-8", "40")
	}
	return p
}

func (p polled) do(t *testing.T, method, contentType, body string) (status int, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, p.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	client := http.Client{Timeout: harness.Patience, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(content)
}

// subscribe joins a room, as a client would over polling.
func (p polled) subscribe(t *testing.T, room harness.Room) {
	t.Helper()
	packet := fmt.Sprintf(`42["application",{"event":"SUBSCRIBE","payload":{"workspaceId":%q,"appId":%q}}]`, room.Workspace, room.App)
	if p.revision == "3" {
		packet = v3Text(packet)
	}
	if status, body := p.do(t, http.MethodPost, "text/plain;charset=UTF-8", packet); status != http.StatusOK || body != "ok" {
		t.Fatalf("EIO=%s: SUBSCRIBE is answered %d %q, want 200 ok", p.revision, status, body)
	}
	for {
		status, body := p.do(t, http.MethodGet, "", "")
		if status != http.StatusOK {
			t.Fatalf("EIO=%s: a poll is answered %d %q", p.revision, status, body)
		}
		if strings.Contains(body, `42["application_response",{"status":"SUCCESS"`) {
			return
		}
	}
}

// known reports whether the session is still there: a client that asks for what is due
// gets it, or what ends the session, or is told that there is none.
func (p polled) known(t *testing.T) bool {
	t.Helper()
	for range 3 { // what was due, then the close
		status, body := p.do(t, http.MethodGet, "", "")
		if status == http.StatusBadRequest && body == `{"code":1,"message":"Session ID unknown"}` {
			return false
		}
	}
	return true
}

func TestHostilePacketsOverPolling(t *testing.T) {
	t.Parallel()
	b := startBystanders(t)
	b.watched(t, func() {
		for _, packet := range packets {
			b.post(t, "4", packet, "text/plain;charset=UTF-8", "4"+packet)
			b.post(t, "3", packet, "text/plain;charset=UTF-8", v3Text("4"+packet))
		}
		for _, body := range []string{"", "\x1e", "42[\"application\"]\x1e", "\x1e\x1e", "9", "b", "2", "bAQID", "abc"} {
			b.post(t, "4", body, "text/plain;charset=UTF-8", body)
		}
		b.post(t, "4", "octet-stream", "application/octet-stream", "42[]")
		for _, body := range []string{
			"", "4", "x:4", ":4", "99999999999999999999:4", "5:4", "-1:4", "1:4x", "0x1:4", "1:3", "4:b4!!", "1:4" + strings.Repeat("1:", 100_000),
		} {
			b.post(t, "3", body, "text/plain;charset=UTF-8", body)
		}
		for _, body := range []string{
			"", "\x00", "\x00\x01", "\x00\x01\xff", "\x02\x01\xff4", "\x00\x0a\xff4", "\x01\x09\x09\x09\x09\x09\x09\x09\x09\xff\x04x",
			"\x00" + strings.Repeat("\x09", 400) + "\xff4", "\x01\x01\xff\x04",
		} {
			b.post(t, "3", body, "application/octet-stream", body)
		}
	})
}

// v3Text frames a packet for EIO=3: the length counts UTF-16 units.
func v3Text(packet string) string {
	return strconv.Itoa(len(utf16.Encode([]rune(packet)))) + ":" + packet
}

// post sends a body over a fresh session, which has to end.
func (b *bystanders) post(t *testing.T, revision, name, contentType, body string) {
	t.Helper()
	t.Run(fmt.Sprintf("EIO=%s %.60q", revision, name), func(t *testing.T) {
		session := openPolled(t, b.server, revision)
		if status, _ := session.do(t, http.MethodPost, contentType, body); status != http.StatusOK && status != http.StatusBadRequest {
			t.Errorf("the body is answered with status %d, want 200 or 400", status)
		}
		if session.known(t) {
			t.Error("the session lives on")
		}
		b.unharmed(t)
	})
}

func TestAnOversizedBodyIsRefusedAndTheSessionKept(t *testing.T) {
	t.Parallel()
	server := harness.StartServer(t, harness.ServerOptions{ID: "alone"})
	for _, revision := range []string{"3", "4"} {
		session := openPolled(t, server, revision)
		status, _ := session.do(t, http.MethodPost, "text/plain;charset=UTF-8", strings.Repeat("4", 1_000_001))
		if status != http.StatusRequestEntityTooLarge {
			t.Errorf("EIO=%s: a body over the limit is answered %d, want 413", revision, status)
		}
		session.subscribe(t, harness.Room{Workspace: "w", App: "a"})
	}
}

func TestMalformedHandshakes(t *testing.T) {
	t.Parallel()
	b := startBystanders(t)
	const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	get := func(query, headers string) string {
		return "GET /socket.io/?" + query + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + headers + "\r\n"
	}
	for _, attack := range []struct{ name, request, status string }{
		{"no transport", get("EIO=4", ""), "400"},
		{"unknown transport", get("EIO=4&transport=pigeon", ""), "400"},
		{"unknown session", get("EIO=4&transport=polling&sid=__proto__", ""), "400"},
		{"unknown session of this instance", get("EIO=4&transport=polling&sid=target.AAAA", ""), "400"},
		{"JSONP", get("EIO=3&transport=polling&j=0", ""), "400"},
		{"POST without a session", strings.Replace(get("EIO=4&transport=polling", "Content-Length: 0\r\n"), "GET", "POST", 1), "400"},
		{"method that is none", strings.Replace(get("EIO=4&transport=polling", ""), "GET", "BREW", 1), "400"},
		{"websocket without upgrade", get("EIO=4&transport=websocket", ""), "400"},
		{"upgrade without a key", strings.Replace(get("EIO=4&transport=websocket", upgrade), "Connection: close\r\n", "", 1), "400"},
		{"upgrade of an unknown session", strings.Replace(
			get("EIO=4&transport=websocket&sid=x", upgrade+"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), "Connection: close\r\n", "", 1), "400"},
		{"header without an end", get("EIO=4&transport=polling", "X: "+strings.Repeat("x", 100_000)+"\r\n"), "431"},
		{"no HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "400"},
		{"two lengths", strings.Replace(get("EIO=4&transport=polling", "Content-Length: 1\r\nContent-Length: 2\r\n"), "GET", "POST", 1), "400"},
	} {
		t.Run(attack.name, func(t *testing.T) {
			line := harness.Exchange(t, b.server, attack.request)
			if fields := strings.Fields(line); len(fields) < 2 || fields[1] != attack.status {
				t.Errorf("answered %q, want status %s", line, attack.status)
			}
			b.unharmed(t)
		})
	}
}
