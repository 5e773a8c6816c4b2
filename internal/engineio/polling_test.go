package engineio_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/engineio"
)

func TestPollingAnswers(t *testing.T) {
	h := start(t)
	p := h.poll(4)
	a := p.post("4hällo\x1e4second", "Content-Type", "text/plain;charset=UTF-8")
	a.expect(t, 200, "ok")
	expectHeader(t, a.header, map[string]string{"Content-Type": "text/html", "Content-Length": "2", "Cache-Control": "no-store"})
	p.peer.expectHeard(t, "hällo", "second")

	a = p.get()
	a.expect(t, 200, "4hällo\x1e4second")
	expectHeader(t, a.header, map[string]string{
		"Content-Type": "text/plain; charset=UTF-8", "Content-Length": "15", "Cache-Control": "no-store",
	})
}

func expectHeader(t testing.TB, header http.Header, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got := header.Get(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
}

// The payload framings, from the client and to it. Lengths of revision 3 count UTF-16
// units in text payloads and bytes in binary ones.
func TestPayloads(t *testing.T) {
	for _, c := range []struct {
		name     string
		revision int
		binary   bool // application/octet-stream
		body     string
		heard    []string
		poll     string // the echo of the text messages
	}{
		{"4, one", 4, false, "4a", []string{"a"}, "4a"},
		{"4, three", 4, false, "4a\x1e4€😀\x1e4c", []string{"a", "€😀", "c"}, "4a\x1e4€😀\x1e4c"},
		{"4, empty message", 4, false, "4", []string{""}, "4"},
		{"4, base64", 4, false, "4x\x1ebAQIDBA==", []string{"x", "bin:\x01\x02\x03\x04"}, "4x"},
		{"4, base64 without padding", 4, false, "4x\x1ebAQIDBA", []string{"x", "bin:\x01\x02\x03\x04"}, "4x"},
		{"4, ignored types between", 4, false, "0\x1e5\x1e6\x1e3\x1e4a", []string{"a"}, "4a"},
		{"4, invalid UTF-8 is replaced", 4, false, "4a\xff\xfeb", []string{"a\uFFFDb"}, "4a\uFFFDb"},
		{"3, ASCII", 3, false, "2:4a", []string{"a"}, "2:4a"},
		{"3, UTF-16 lengths", 3, false, "9:42[\"€😀\"]2:4a", []string{`2["€😀"]`, "a"}, "9:42[\"€😀\"]2:4a"},
		{"3, base64", 3, false, "6:b4AQID11:42[\"x\",\"€\"]", []string{"bin:\x01\x02\x03", `2["x","€"]`}, "11:42[\"x\",\"€\"]"},
		{"3, empty packet is skipped", 3, false, "0:2:4a", []string{"a"}, "2:4a"},
		{
			"3, binary", 3, true, "\x00\x02\xff4a\x00\x01\x01\xff4€😀+++\x01\x05\xff\x04\x01\x02\x03\x04",
			[]string{"a", "€😀+++", "bin:\x01\x02\x03\x04"}, "2:4a7:4€😀+++",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := start(t)
			p := h.poll(c.revision)
			contentType := "text/plain;charset=UTF-8"
			if c.binary {
				contentType = "application/octet-stream"
			}
			p.post(c.body, "Content-Type", contentType).expect(t, 200, "ok")
			p.peer.expectHeard(t, c.heard...)
			p.get().expect(t, 200, c.poll)
			p.peer.expectOpen(t)
		})
	}
}

func TestPostContentTypes(t *testing.T) {
	for _, c := range []struct {
		contentType string
		status      int
	}{
		{"", 200}, {"text/plain", 200}, {"application/json", 200},
		{"application/octet-stream; charset=x", 200},
		{"application/octet-stream", 400},
	} {
		t.Run(c.contentType, func(t *testing.T) {
			h := start(t)
			p := h.poll(4)
			held := p.hold()
			a := p.post("4a", "Content-Type", c.contentType)
			if c.status == 200 {
				a.expect(t, 200, "ok")
				expectAnswer(t, held, 200, "4a")
				return
			}
			a.expect(t, 400, "")
			expectAnswer(t, held, 200, "1")
			p.peer.expectClosed(t, engineio.ReasonTransportError)
			p.get().expect(t, 400, sessionUnknown)
		})
	}
}

// The limit is inclusive; a larger body is refused and harms neither the session nor the
// GET that is held.
func TestPostLimit(t *testing.T) {
	for _, chunked := range []bool{false, true} {
		t.Run(fmt.Sprintf("chunked %v", chunked), func(t *testing.T) {
			h := start(t, func(o *engineio.Options) { o.MaxPayload = 100 })
			h.onText = func(*peer, string) {}
			p := h.poll(4)
			held := p.hold()
			if status := p.postStream(strings.NewReader("4"+strings.Repeat("a", 100)), chunked); status != 413 {
				t.Errorf("one byte too much: %d", status)
			}
			if status := p.postStream(strings.NewReader("4"+strings.Repeat("b", 99)), chunked); status != 200 {
				t.Errorf("at the limit: %d", status)
			}
			p.peer.expectHeard(t, strings.Repeat("b", 99))
			p.peer.session.SendText([]byte("x"))
			expectAnswer(t, held, 200, "4x")
		})
	}
}

// postStream posts a body whose length is told or not.
func (p *polling) postStream(body io.Reader, chunked bool) int {
	p.h.Helper()
	if chunked {
		body = struct{ io.Reader }{body} // hides the length
	}
	response, err := p.h.client.Post(p.h.http.URL+"/?"+p.query, "text/plain", body)
	if err != nil {
		p.h.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

func TestHeldPollAndPostTogether(t *testing.T) {
	h := start(t)
	p := h.poll(4)
	for _, message := range []string{"one", "two", "three"} {
		held := p.hold()
		p.post("4"+message).expect(t, 200, "ok")
		expectAnswer(t, held, 200, "4"+message)
	}
}

func TestSecondPollEndsTheSession(t *testing.T) {
	for revision, farewell := range map[int]string{4: "1", 3: "1:1"} {
		h := start(t)
		p := h.poll(revision)
		held := p.hold()
		p.get().expect(t, 400, "")
		expectAnswer(t, held, 200, farewell)
		p.peer.expectClosed(t, engineio.ReasonTransportError)
		p.get().expect(t, 400, sessionUnknown)
	}
}

func TestSecondPostEndsTheSession(t *testing.T) {
	h := start(t)
	p := h.poll(4)
	held := p.hold()
	body, rest := io.Pipe()
	defer rest.Close()
	first := make(chan error, 1)
	go func() {
		response, err := h.client.Post(h.http.URL+"/?"+p.query, "text/plain", body)
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == 200 {
				err = fmt.Errorf("the first POST got ok")
			}
		}
		_ = body.Close()
		first <- err
	}()
	_, _ = io.WriteString(rest, "4half")
	eventually(t, "the first POST is being read", p.peer.session.Posting)
	p.post("4x").expect(t, 400, "")
	if err := <-first; err != nil && strings.Contains(err.Error(), "got ok") {
		t.Error(err)
	}
	expectAnswer(t, held, 200, "1")
	p.peer.expectHeard(t)
	p.peer.expectClosed(t, engineio.ReasonTransportError)
}

func TestAbortedPollEndsTheSession(t *testing.T) {
	h := start(t)
	p := h.poll(4)
	ctx, abort := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = h.try(ctx, "GET", p.query, "")
	}()
	eventually(t, "the GET is held", p.peer.session.Held)
	abort()
	<-done
	p.peer.expectClosed(t, engineio.ReasonTransportError)
	p.get().expect(t, 400, sessionUnknown)
}

// What a GET would have taken, had its client not gone when the session ended, is dropped.
func TestAbortedPollOfEndedSession(t *testing.T) {
	h := start(t)
	p := h.poll(4)
	p.peer.session.HoldPoll()
	p.peer.session.SendText([]byte("never fetched"))
	p.peer.session.Close("enough")
	p.peer.session.AbortPoll()
	if backlog := h.observer.now().backlog; backlog != 0 {
		t.Errorf("the backlog is %d after the end", backlog)
	}
}

func TestAbortedPostEndsTheSession(t *testing.T) {
	h := start(t)
	p := h.poll(4)
	held := p.hold()
	conn := h.connect()
	_, _ = io.WriteString(conn, "POST /?"+p.query+" HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n4half")
	eventually(t, "the POST is being read", p.peer.session.Posting)
	_ = conn.Close()
	expectAnswer(t, held, 200, "1")
	p.peer.expectClosed(t, engineio.ReasonTransportError)
	p.peer.expectHeard(t)
}

// What is waiting leaves in one answer, however much it is.
func TestPollTakesAll(t *testing.T) {
	h := start(t, func(o *engineio.Options) { o.MaxPayload, o.BacklogBytes = 1000, 8<<20 })
	p := h.poll(4)
	var want []string
	for i := range 2000 {
		message := fmt.Sprintf("%d:%s", i, strings.Repeat("ä", 500))
		want = append(want, "4"+message)
		p.peer.session.SendText([]byte(message))
	}
	if got := p.get(); got.body != strings.Join(want, "\x1e") {
		t.Errorf("got %d bytes, want %d", len(got.body), len(strings.Join(want, "\x1e")))
	}
	if backlog := h.observer.now().backlog; backlog != 0 {
		t.Errorf("the backlog is %d after it was fetched", backlog)
	}
}

// An update of the largest size, and larger yet on the wire, has to reach a client together
// with a small one behind it: both once ended the session.
func TestAnUpdateBehindALargeOneIsDelivered(t *testing.T) {
	h := start(t, func(o *engineio.Options) { o.BacklogBytes = 1000 })
	large, small := strings.Repeat("x", 3000), "y"
	p := h.poll(3)
	p.peer.session.SendText([]byte(large))
	p.peer.session.SendText([]byte(small))
	p.get().expect(t, 200, "3001:4"+large+"2:4"+small)
	p.peer.expectOpen(t)
}

func TestPollingBacklogBound(t *testing.T) {
	h := start(t, func(o *engineio.Options) { o.BacklogBytes = 1000 })
	p := h.poll(4)
	p.peer.session.SendText(make([]byte, 5000)) // alone, it may pass the bound
	p.get().expect(t, 200, "4"+string(make([]byte, 5000)))

	for range 12 { // the first is not counted, the last passes the bound
		p.peer.session.SendText(make([]byte, 99))
	}
	p.peer.expectOpen(t)
	p.peer.session.SendText(nil)
	p.peer.expectClosed(t, engineio.ReasonBacklog)
	if discarded := h.observer.now().discarded; discarded != 12*100+1 {
		t.Errorf("%d bytes were counted as discarded", discarded)
	}
	if backlog := h.observer.now().backlog; backlog != 0 {
		t.Errorf("the backlog is %d after the end", backlog)
	}
	p.get().expect(t, 200, "6\x1e1")
	p.get().expect(t, 400, sessionUnknown)
}
