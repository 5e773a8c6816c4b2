// Package playground serves the page on which a newcomer sees Roomcast work, and the
// official Socket.IO client that this page and others use. Everything is embedded.
package playground

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed page
var page embed.FS

// Options says what the page shows.
type Options struct {
	// Here names, for people, the instance that serves the page and takes its updates;
	// optional.
	Here string `json:"here,omitempty"`
	// Panes are the instances the page connects to, one client for each. Without any it
	// is the instance that serves the page.
	Panes []Pane `json:"panes"`
	// Identity says that the instances ask for tokens and keys: the page has fields for them.
	Identity bool `json:"identity,omitempty"`
}

// Pane is one client on the page.
type Pane struct {
	// Label names the instance for people.
	Label string `json:"label"`
	// URL is the instance's origin, such as http://127.0.0.1:8081; empty for the one that
	// serves the page. An instance of another origin has to allow the page's.
	URL string `json:"url"`
}

// Files is the page, at /, and what belongs to it below /playground/, by path. The handlers
// answer GET and HEAD; other methods must not reach them.
func Files(options Options) map[string]http.Handler {
	if len(options.Panes) == 0 {
		options.Panes = []Pane{{Label: "This instance"}}
	}
	// Strings cannot fail to encode.
	panes, _ := json.Marshal(options)
	policy := contentPolicy(options.Panes)
	return map[string]http.Handler{
		"/":                       guarded(embedded("index.html"), policy),
		"/playground/app.js":      guarded(embedded("app.js"), policy),
		"/playground/style.css":   guarded(embedded("style.css"), policy),
		"/playground/icon.svg":    guarded(embedded("icon.svg"), policy),
		"/playground/config.json": guarded(newFile("config.json", panes), policy),
	}
}

// guarded is a file of the page, with what browsers are to hold against intruders.
func guarded(f file, policy string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Referrer-Policy", "no-referrer")
		f.ServeHTTP(w, r)
	})
}

// contentPolicy lets the page run its own files alone, so that nothing an app's update
// holds could ever run, and speak to its own server and the panes' instances alone.
// "ws:" stands beside 'self' for browsers that do not count a websocket to the page's own
// host as such.
func contentPolicy(panes []Pane) string {
	connect := "connect-src 'self' ws:"
	for _, pane := range panes {
		if pane.URL != "" {
			connect += " " + pane.URL
		}
	}
	return strings.Join([]string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", connect,
		"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
	}, "; ")
}

// file is an unchanging answer.
type file struct {
	name    string
	kind    string
	etag    string
	content []byte
}

func embedded(name string) file {
	content, err := page.ReadFile("page/" + name)
	if err != nil {
		// The file is part of the binary or the program does not work at all.
		panic(err)
	}
	return newFile(name, content)
}

func newFile(name string, content []byte) file {
	// Not the mime package: its table is that of the machine the program runs on.
	kinds := map[string]string{
		".html": "text/html; charset=utf-8",
		".css":  "text/css; charset=utf-8",
		".js":   "text/javascript; charset=utf-8",
		".svg":  "image/svg+xml",
		".json": "application/json",
	}
	sum := sha256.Sum256(content)
	return file{
		name:    name,
		kind:    kinds[path.Ext(name)],
		etag:    `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`,
		content: content,
	}
}

func (f file) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", f.kind)
	header.Set("ETag", f.etag)
	// The names stay the same from version to version, so a copy is asked after each time.
	header.Set("Cache-Control", "no-cache")
	header.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, f.name, time.Time{}, bytes.NewReader(f.content))
}
