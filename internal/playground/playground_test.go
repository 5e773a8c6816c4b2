package playground_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/playground"
)

var twoPanes = playground.Options{Here: "Instance <one>", Panes: []playground.Pane{
	{Label: "Instance one"},
	{Label: `Instance <two> "2"`, URL: "http://127.0.0.1:8081"},
}}

func page(options playground.Options) http.Handler { return mount("", playground.Files(options)) }

func client() http.Handler { return mount("/socket.io/", playground.Client()) }

// mount serves files as a server does, with 404 for all else.
func mount(folder string, files map[string]http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, ok := files[strings.TrimPrefix(r.URL.Path, folder)]
		if !ok {
			http.NotFound(w, r)
			return
		}
		file.ServeHTTP(w, r)
	})
}

// ask sends one request with the given headers ("Name: value") and returns the answer.
func ask(t *testing.T, handler http.Handler, method, target string, headers ...string) (*http.Response, string) {
	t.Helper()
	request := httptest.NewRequest(method, target, nil)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	response := recorder.Result()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func TestFiles(t *testing.T) {
	handler := page(twoPanes)
	for target, kind := range map[string]string{
		"/":                       "text/html; charset=utf-8",
		"/playground/app.js":      "text/javascript; charset=utf-8",
		"/playground/style.css":   "text/css; charset=utf-8",
		"/playground/icon.svg":    "image/svg+xml",
		"/playground/config.json": "application/json",
	} {
		response, body := ask(t, handler, "GET", target)
		if response.StatusCode != 200 || body == "" {
			t.Errorf("%s: status %d, %d bytes", target, response.StatusCode, len(body))
		}
		for name, want := range map[string]string{
			"Content-Type":               kind,
			"Cache-Control":              "no-cache",
			"X-Content-Type-Options":     "nosniff",
			"Referrer-Policy":            "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin",
		} {
			if got := response.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", target, name, got, want)
			}
		}

		etag := response.Header.Get("ETag")
		if !regexp.MustCompile(`^"[A-Za-z0-9_-]{16}"$`).MatchString(etag) {
			t.Errorf("%s: ETag %s", target, etag)
		}
		response, body = ask(t, handler, "GET", target, "If-None-Match: "+etag)
		if response.StatusCode != 304 || body != "" {
			t.Errorf("%s known already: status %d, %d bytes", target, response.StatusCode, len(body))
		}
		if response, _ = ask(t, handler, "GET", target, `If-None-Match: "of another version"`); response.StatusCode != 200 {
			t.Errorf("%s known in another version: status %d", target, response.StatusCode)
		}
		if response, body = ask(t, handler, "HEAD", target); response.StatusCode != 200 || body != "" {
			t.Errorf("HEAD %s: status %d, %d bytes", target, response.StatusCode, len(body))
		}
	}
}

func TestContentPolicy(t *testing.T) {
	const before = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' ws:"
	const after = "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	for want, options := range map[string]playground.Options{
		before + after: {Panes: []playground.Pane{{Label: "This instance"}}},
		before + " http://127.0.0.1:8081" + after: twoPanes,
	} {
		response, _ := ask(t, page(options), "GET", "/")
		if got := response.Header.Get("Content-Security-Policy"); got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	}
}

// The policy would make any inline part of the page silently dead.
func TestNothingInline(t *testing.T) {
	handler := page(twoPanes)
	_, html := ask(t, handler, "GET", "/")
	for name, pattern := range map[string]string{
		"script":        `(?i)<script(\s[^>]*)?>\s*[^<\s]`,
		"style element": `(?i)<style`,
		"style":         `(?i)\sstyle\s*=`,
		"handler":       `(?i)\son[a-z]+\s*=`,
		"script URL":    `(?i)javascript:`,
		"outside file":  `(?i)(src|href)\s*=\s*["']?(https?:)?//`,
	} {
		if found := regexp.MustCompile(pattern).FindString(html); found != "" {
			t.Errorf("inline %s: %q", name, found)
		}
	}
	_, script := ask(t, handler, "GET", "/playground/app.js")
	if found := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\.style\b`).FindString(script); found != "" {
		t.Errorf("app.js uses %s", found)
	}

	// All that the page asks for is there.
	for _, match := range regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(html, -1) {
		from := handler
		if strings.HasPrefix(match[1], "/socket.io/") {
			from = client()
		}
		if response, _ := ask(t, from, "GET", match[1]); response.StatusCode != 200 {
			t.Errorf("the page asks for %s: status %d", match[1], response.StatusCode)
		}
	}
	for _, match := range regexp.MustCompile(`byId\("([^"]+)"\)`).FindAllStringSubmatch(script, -1) {
		if !strings.Contains(html, `id="`+match[1]+`"`) {
			t.Errorf("app.js looks for #%s, which the page does not have", match[1])
		}
	}
	for _, match := range regexp.MustCompile(`this\.part\.([a-z]+)`).FindAllStringSubmatch(script, -1) {
		if !strings.Contains(html, `data-part="`+match[1]+`"`) {
			t.Errorf("app.js looks for the part %s, which a pane does not have", match[1])
		}
	}
}

func TestConfig(t *testing.T) {
	_, body := ask(t, page(twoPanes), "GET", "/playground/config.json")
	want := `{"here":"Instance \u003cone\u003e","panes":[{"label":"Instance one","url":""},{"label":"Instance \u003ctwo\u003e \"2\"","url":"http://127.0.0.1:8081"}]}`
	if body != want {
		t.Errorf("\n got %s\nwant %s", body, want)
	}
	_, body = ask(t, page(playground.Options{}), "GET", "/playground/config.json")
	if want := `{"panes":[{"label":"This instance","url":""}]}`; body != want {
		t.Errorf("without panes\n got %s\nwant %s", body, want)
	}
}

func TestClient(t *testing.T) {
	for name, shippedAs := range map[string]string{
		"socket.io.js": "socket.io.min.js", "socket.io.min.js": "socket.io.min.js", "socket.io.esm.min.js": "socket.io.esm.min.js",
	} {
		shipped, err := os.ReadFile("client/" + shippedAs)
		if err != nil {
			t.Fatal(err)
		}
		target := "/socket.io/" + name
		response, body := ask(t, client(), "GET", target)
		if response.StatusCode != 200 || response.Header.Get("Content-Type") != "text/javascript; charset=utf-8" || !bytes.Equal([]byte(body), shipped) {
			t.Errorf("%s: status %d, type %s, %d bytes", target, response.StatusCode, response.Header.Get("Content-Type"), len(body))
		}
		if allowed := response.Header.Get("Access-Control-Allow-Origin"); allowed != "*" {
			t.Errorf("%s may be read by %q, want any page: or it could not import the module", target, allowed)
		}
		if response, _ = ask(t, client(), "GET", target, "If-None-Match: "+response.Header.Get("ETag")); response.StatusCode != 304 {
			t.Errorf("%s known already: status %d", target, response.StatusCode)
		}
		// The version is stated in each place, and the licence goes along.
		licence := "/*!\n * Socket.IO v" + playground.ClientVersion + "\n * (c) 2014-2026 Guillermo Rauch\n * Released under the MIT License.\n */\n"
		if !bytes.HasPrefix(shipped, []byte(licence)) {
			t.Errorf("%s does not begin with %q", shippedAs, licence)
		}
	}
	for name, part := range map[string]string{"client/README.md": "socket.io-client " + playground.ClientVersion, "client/LICENSE": "The MIT License (MIT)", "../../README.md": "the client " + playground.ClientVersion + " that Roomcast serves"} {
		text, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(text), part) {
			t.Errorf("%s has to say %q (%v)", name, part, err)
		}
	}
}
