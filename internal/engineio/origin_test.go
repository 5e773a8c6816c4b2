package engineio_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/engineio"
)

const page = "https://app.example"

var (
	originsUnset = engineio.Origins{}
	originsList  = engineio.NewOrigins(page, "http://localhost:3000")
	originsAny   = engineio.NewOrigins("*")
)

func TestOrigins(t *testing.T) {
	for _, c := range []struct {
		name    string
		origins engineio.Origins
		origin  string // of the request; "own" is the server's
		status  int
		allow   string // Access-Control-Allow-Origin
		vary    string
	}{
		{"unset, no page", originsUnset, "", 200, "", ""},
		{"unset, own page", originsUnset, "own", 200, "", ""},
		{"unset, own page behind a TLS proxy", originsUnset, "own by https", 200, "", ""},
		{"unset, other page", originsUnset, page, 403, "", ""},
		{"unset, opaque page", originsUnset, "null", 403, "", ""},
		{"list, no page", originsList, "", 200, "", "Origin"},
		{"list, listed page", originsList, page, 200, page, "Origin"},
		{"list, page in capitals", originsList, "https://App.Example", 200, "https://App.Example", "Origin"},
		{"list, own page", originsList, "own", 200, "", "Origin"},
		{"list, other page", originsList, "https://evil.example", 403, "", "Origin"},
		{"list, a suffix of it", originsList, "https://app.example.evil.example", 403, "", "Origin"},
		{"any", originsAny, page, 200, "*", ""},
		{"any, no page", originsAny, "", 200, "*", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := start(t, func(o *engineio.Options) { o.Origins = c.origins })
			origin := c.origin
			switch origin {
			case "own":
				origin = h.http.URL
			case "own by https":
				origin = strings.Replace(h.http.URL, "http:", "https:", 1)
			}
			a := h.do("GET", "EIO=4&transport=polling", "", "Origin", origin)
			if a.status != c.status || (c.status == 403 && a.body != forbidden) {
				t.Errorf("answered %d %q", a.status, a.body)
			}
			expectCORS(t, a.header, c.allow, c.vary)
		})
	}
}

func expectCORS(t testing.TB, header http.Header, allow, vary string) {
	t.Helper()
	if got := header.Get("Access-Control-Allow-Origin"); got != allow {
		t.Errorf("Access-Control-Allow-Origin %q, want %q", got, allow)
	}
	if got := header.Get("Vary"); got != vary {
		t.Errorf("Vary %q, want %q", got, vary)
	}
}

// Browsers do not apply CORS to websockets; the engine itself checks, and for the upgrade
// of a session too.
func TestOriginsOfWebsockets(t *testing.T) {
	h := start(t, func(o *engineio.Options) { o.Origins = originsList })
	w := h.upgrade("EIO=4&transport=websocket", "", "Origin: "+page)
	expectCORS(t, w.response.Header, page, "Origin")

	evil := "Origin: https://evil.example\r\n"
	p := h.poll(4)
	for _, query := range []string{"EIO=4&transport=websocket", p.upgradeQuery()} {
		status, header, body := h.refusedUpgrade(query, evil)
		if status != "HTTP/1.1 400 Bad Request" || body != "Forbidden" {
			t.Errorf("%s: answered %q %q", query, status, body)
		}
		expectCORS(t, header, "", "Origin")
	}
	p.peer.expectOpen(t)
}

// The operator learns of the first page that was refused, and a stranger cannot fill the
// log.
func TestFirstRefusedOriginIsLogged(t *testing.T) {
	var log bytes.Buffer
	h := start(t, func(o *engineio.Options) {
		o.Origins = originsList
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	h.do("GET", "EIO=4&transport=polling", "", "Origin", page)
	if log.Len() != 0 {
		t.Errorf("an admitted page: %s", log.String())
	}
	h.do("GET", "EIO=4&transport=polling", "", "Origin", "http://localhost:5173"+strings.Repeat("x", 1000))
	h.refusedUpgrade("EIO=4&transport=websocket", "Origin: https://evil.example\r\n")
	_, said, _ := strings.Cut(log.String(), " ") // after the time
	want := `level=WARN msg="a page was refused: the allowed origins do not hold its own; further refusals are only counted" origin=http://localhost:5173` +
		strings.Repeat("x", 200-len("http://localhost:5173")) + "\n"
	if said != want {
		t.Errorf("the log says\n%s\nwant\n%s", said, want)
	}
}

// Without the headers a page could not read the error's code.
func TestOriginsOnErrors(t *testing.T) {
	h := start(t, func(o *engineio.Options) { o.Origins = originsList })
	p := h.poll(4)
	for _, c := range []struct {
		method, query, body string
		status              int
	}{
		{"GET", "EIO=4", "", 400},
		{"GET", "EIO=4&transport=polling&sid=x", "", 400},
		{"PUT", p.query, "", 500},
		{"POST", p.query, strings.Repeat("4", 1_000_001), 413},
		{"POST", p.query, "4hello", 200},
		{"GET", p.query, "", 200},
	} {
		a := h.do(c.method, c.query, c.body, "Origin", page)
		if a.status != c.status {
			t.Errorf("%s %s answered %d, want %d", c.method, c.query, a.status, c.status)
		}
		expectCORS(t, a.header, page, "Origin")
	}
}

// A preflight is answered whatever its query is.
func TestOriginsPreflight(t *testing.T) {
	for _, c := range []struct {
		name    string
		origins engineio.Origins
		query   string
		allow   string
		vary    []string
	}{
		{"any", originsAny, "EIO=4&transport=polling&sid=nobody", "*", []string{"Access-Control-Request-Headers"}},
		{"list", originsList, "", page, []string{"Origin", "Access-Control-Request-Headers"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := start(t, func(o *engineio.Options) { o.Origins = c.origins })
			a := h.do("OPTIONS", c.query, "", "Origin", page,
				"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "x-one,x-two")
			a.expect(t, 204, "")
			for name, want := range map[string]string{
				"Access-Control-Allow-Origin":  c.allow,
				"Access-Control-Allow-Methods": "GET,HEAD,PUT,PATCH,POST,DELETE",
				"Access-Control-Allow-Headers": "x-one,x-two",
				"Vary":                         strings.Join(c.vary, "; "),
			} {
				if got := strings.Join(a.header.Values(name), "; "); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		})
	}
}
