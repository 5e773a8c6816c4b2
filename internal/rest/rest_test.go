package rest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/roomcast/roomcast/internal/hub"
	"github.com/roomcast/roomcast/internal/rest"
)

const (
	appBody     = `{"workspaceId":"w","appId":"a","displayName":"B"}`
	updateBody  = `{"event":"e"}`
	jsonType    = "application/json"
	problemType = "application/problem+json"
)

func TestOperations(t *testing.T) {
	f := newFixture()
	check(t, f.call("GET", "/api/v1/health/", "", ""), 200, jsonType, `{"status":"SUCCESS","data":{"health":"ok"},"error":null}`)
	check(t, f.call("GET", "/api/v1/health", "", ""), 200, jsonType, `{"status":"SUCCESS","data":{"health":"ok"},"error":null}`)
	check(t, f.call("GET", "/healthz", "", ""), 200, jsonType, `{"status":"ok"}`)
	check(t, f.call("GET", "/readyz", "", ""), 200, jsonType, `{"status":"ready"}`)

	f.channel.notReady = errors.New("Redis has not answered yet")
	w := f.call("GET", "/readyz", "", "")
	check(t, w, 503, jsonType, `{"status":"unavailable","reason":"Redis has not answered yet"}`)
	if got := w.Header().Get("Retry-After"); got != "3" {
		t.Errorf("Retry-After %q, want 3", got)
	}
	check(t, f.call("GET", "/healthz", "", ""), 200, jsonType, `{"status":"ok"}`)
	check(t, f.call("GET", "/api/v1/health/", "", ""), 200, jsonType, `{"status":"SUCCESS","data":{"health":"ok"},"error":null}`)
}

func TestMetricsRoute(t *testing.T) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "seen_total", Help: "Seen."}, func() float64 { return 7 }))
	f := newFixture(func(o *rest.Options) { o.Gatherer = registry })
	w := f.call("GET", "/metrics", "", "")
	if w.Code != 200 || !strings.Contains(w.Body.String(), "\nseen_total 7\n") {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	if w := newFixture().call("GET", "/metrics", "", ""); w.Code != 404 {
		t.Errorf("without a gatherer: status %d, want 404", w.Code)
	}
}

func TestAdminHasNoAPI(t *testing.T) {
	f := newFixture()
	f.handler = rest.NewAdmin(rest.Options{Hub: f.channel, Metrics: f.ledger, Gatherer: prometheus.NewRegistry()})
	for path, want := range map[string]int{
		"/healthz": 200, "/readyz": 200, "/metrics": 200, "/api/v1/health/": 404, "/api/v1/apps/": 404,
	} {
		if w := f.call("GET", path, "", ""); w.Code != want {
			t.Errorf("%s: status %d, want %d", path, w.Code, want)
		}
	}
}

func TestWrongMethod(t *testing.T) {
	registry := func(o *rest.Options) { o.Gatherer = prometheus.NewRegistry() }
	for path, test := range map[string]struct{ allow, area string }{
		"/api/v1/apps/":   {"PUT", "app"},
		"/api/v1/apps":    {"PUT", "app"},
		"/api/v1/health/": {"GET, HEAD", "health"},
		"/healthz":        {"GET, HEAD", ""},
		"/readyz":         {"GET, HEAD", ""},
		"/metrics":        {"GET, HEAD", ""},
		updatesURL:        {"POST", ""},
	} {
		for _, method := range []string{"DELETE", "OPTIONS", "PATCH", "BREW"} {
			w := newFixture(registry).call(method, path, jsonType, `{}`)
			if got := w.Header().Get("Allow"); got != test.allow {
				t.Errorf("%s %s: Allow %q, want %q", method, path, got, test.allow)
			}
			if test.area == "" {
				check(t, w, 405, problemType, problem("method-not-allowed", "Method not allowed", 405, "this path takes "+test.allow, ""))
				continue
			}
			check(t, w, 405, jsonType, `{"status":"ERROR","data":null,"error":{"code":"`+test.area+`/method-not-allowed","name":"Method Not Allowed Error","message":"this path takes `+test.allow+`"}}`)
		}
	}
}

// Pages are served at their exact paths, beside the API and never at the operators' address.
func TestPages(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = io.WriteString(w, "page")
	})
	with := func(o *rest.Options) { o.Pages = map[string]http.Handler{"/": page, "/a/b.js": page} }
	f := newFixture(with)
	for _, path := range []string{"/", "/a/b.js"} {
		w := f.call("GET", path, "", "")
		if w.Code != 200 || w.Body.String() != "page" || w.Header().Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %v %s", path, w.Code, w.Header(), w.Body)
		}
		w = f.call("PUT", path, "", "")
		check(t, w, 405, problemType, problem("method-not-allowed", "Method not allowed", 405, "this path takes GET, HEAD", ""))
		if got := w.Header().Get("Allow"); got != "GET, HEAD" {
			t.Errorf("PUT %s: Allow %q", path, got)
		}
	}
	for _, path := range []string{"/a/", "/a/b.js/", "/a/b.JS"} {
		check(t, f.call("GET", path, "", ""), 404, problemType, problem("not-found", "Not found", 404, "nothing is served at this path", ""))
	}
	options := rest.Options{Hub: f.channel, Metrics: f.ledger}
	with(&options)
	f.handler = rest.NewAPI(options)
	if w := f.call("GET", "/", "", ""); w.Code != 200 {
		t.Errorf("beside the API alone: %d", w.Code)
	}
	f.handler = rest.NewAdmin(options)
	if w := f.call("GET", "/", "", ""); w.Code != 404 {
		t.Errorf("at the operators' address: %d", w.Code)
	}
}

// Paths are taken as sent: a redirect to a cleaned path would turn the PUT into a GET.
func TestUnknownPath(t *testing.T) {
	for _, path := range []string{
		"/", "/api", "/api/v1/apps/a", "//api/v1/apps/", "/api/v1/./apps/", "/API/v1/apps/", "/metrics/",
		"/api/v1/workspaces/w/apps/a/updates/", "/api/v1/workspaces//apps/a/updates", "/api/v1/workspaces/x/y/apps/a/updates",
	} {
		f := newFixture()
		check(t, f.call("PUT", path, "", appBody), 404, problemType,
			problem("not-found", "Not found", 404, "nothing is served at this path", ""))
		if got := f.ledger.text(); got != "PUT unmatched 404" {
			t.Errorf("%s: counted as %q", path, got)
		}
	}
}

func TestHead(t *testing.T) {
	f := newFixture()
	server := httptest.NewServer(f.handler)
	defer server.Close()
	for _, path := range []string{"/api/v1/health/", "/healthz", "/readyz"} {
		response, err := server.Client().Head(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != 200 || len(body) != 0 || response.Header.Get("Content-Type") != jsonType {
			t.Errorf("%s: status %d, body %q, %v", path, response.StatusCode, body, response.Header)
		}
	}
}

func TestEveryAnswerHasTheHeaders(t *testing.T) {
	f := newFixture()
	for _, w := range []*httptest.ResponseRecorder{
		f.call("PUT", "/api/v1/apps/", "", appBody), f.call("PUT", "/api/v1/apps/", "", ""),
		f.call("POST", updatesURL, jsonType, updateBody), f.call("GET", "/", "", ""), f.call("GET", "/readyz", "", ""),
		f.call("PUT", "/healthz", "", ""),
	} {
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "X-Request-Id": requestID,
		} {
			if got := w.Header().Values(name); len(got) != 1 || got[0] != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
}

func TestRequestID(t *testing.T) {
	pattern := regexp.MustCompile(`^[A-Z2-7]{12}-[0-9]+$`)
	made := make(map[string]bool)
	f := newFixture()
	for id, kept := range map[string]bool{
		"": false, "a-B.c_d~9": true, strings.Repeat("x", 128): true, strings.Repeat("x", 129): false,
		"a b": false, "a\nb": false, "ü": false, "a,b": false, `"`: false,
	} {
		r := httptest.NewRequest("GET", "/healthz", nil)
		r.Header.Set("X-Request-Id", id)
		got := f.do(r).Header().Get("X-Request-Id")
		if kept != (got == id) || !kept && (!pattern.MatchString(got) || made[got]) {
			t.Errorf("id %q is answered as %q", id, got)
		}
		made[got] = true
	}
}

func TestBodyLimit(t *testing.T) {
	fill := func(size int) string {
		return appBody[:len(appBody)-1] + `,"x":"` + strings.Repeat("x", size-len(appBody)-len(`,"x":""`)) + `"}`
	}
	const tooLarge = `{"status":"ERROR","data":null,"error":{"code":"app/payload-too-large","name":"Request Entity Too Large Error","message":"the body is larger than 1000 bytes"}}`
	f := newFixture()
	if w := f.call("PUT", "/api/v1/apps/", "", fill(1000)); w.Code != 200 {
		t.Errorf("1000 bytes: status %d: %s", w.Code, w.Body)
	}
	check(t, f.call("PUT", "/api/v1/apps/", "", fill(1001)), 413, jsonType, tooLarge)
	check(t, f.call("POST", updatesURL, jsonType, fill(1001)), 413, problemType,
		problem("payload-too-large", "The body is too large", 413, "the body is larger than 1000 bytes", ""))
	for _, length := range []int64{-1, 10} { // unknown, and a lie
		r := httptest.NewRequest("PUT", "/api/v1/apps/", strings.NewReader(fill(1001)))
		r.ContentLength = length
		check(t, f.do(r), 413, jsonType, tooLarge)
	}
	if n := len(f.channel.published()); n != 1 {
		t.Errorf("%d publications, want the one within the limit", n)
	}
}

func TestEncodedBodyIsRefused(t *testing.T) {
	r := httptest.NewRequest("PUT", "/api/v1/apps/", strings.NewReader(appBody))
	r.Header.Set("Content-Encoding", "gzip")
	check(t, newFixture().do(r), 415, jsonType, `{"status":"ERROR","data":null,"error":{"code":"app/unsupported-media-type","name":"Unsupported Media Type Error","message":"the body must come without Content-Encoding"}}`)
}

func TestUnavailable(t *testing.T) {
	const message = "updates cannot be published at the moment, try again"
	for name, publish := range map[string]func(context.Context) error{
		"the hub says so": func(context.Context) error { return fmt.Errorf("store at 10.0.0.1: %w", hub.ErrUnavailable) },
		"time is up":      func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"caller has left": func(context.Context) error { return context.Canceled },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(func(o *rest.Options) { o.PublishTimeout = 10 * time.Millisecond })
			f.channel.publish = publish
			app := f.call("PUT", "/api/v1/apps/", "", appBody)
			check(t, app, 503, jsonType, `{"status":"ERROR","data":null,"error":{"code":"app/unavailable","name":"Service Unavailable Error","message":"`+message+`"}}`)
			update := f.call("POST", updatesURL, jsonType, updateBody)
			check(t, update, 503, problemType, problem("unavailable", "Temporarily unavailable", 503, message, ""))
			for _, w := range []*httptest.ResponseRecorder{app, update} {
				if got := w.Header().Get("Retry-After"); got != "3" {
					t.Errorf("Retry-After %q, want 3", got)
				}
			}
		})
	}
}

// Strangers learn nothing of what went wrong; the log has it under the request's id.
func TestInternalErrors(t *testing.T) {
	const message = "something went wrong here; the log has it under this request's id"
	for name, publish := range map[string]func(context.Context) error{
		"unknown error": func(context.Context) error { return errors.New("WRONGPASS at 10.0.0.1") },
		"panic":         func(context.Context) error { panic("WRONGPASS at 10.0.0.1") },
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			f := newFixture(func(o *rest.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			f.channel.publish = publish
			check(t, f.call("PUT", "/api/v1/apps/", "", appBody), 500, jsonType,
				`{"status":"ERROR","data":null,"error":{"code":"app/internal","name":"Internal Server Error","message":"`+message+`"}}`)
			check(t, f.call("POST", updatesURL, jsonType, updateBody), 500, problemType,
				problem("internal", "Internal error", 500, message, ""))
			if text := log.String(); !strings.Contains(text, "WRONGPASS") || !strings.Contains(text, requestID) {
				t.Errorf("log: %s", text)
			}
		})
	}
}

func TestServedIsCountedByTemplate(t *testing.T) {
	f := newFixture()
	f.call("PUT", "/api/v1/apps", "", appBody)
	f.call("POST", "/api/v1/workspaces/secret/apps/a/updates", jsonType, updateBody)
	f.call("GET", "/api/v1/health", "", "")
	f.call("GET", "/api/v1/workspaces/secret/apps/a/updates", "", "")
	f.channel.publish = func(context.Context) error { return hub.ErrUnavailable }
	f.call("PUT", "/api/v1/apps/", "", appBody)
	f.channel.publish = func(context.Context) error { panic("at the disco") }
	f.call("PUT", "/api/v1/apps/", "", appBody)
	want := "published accepted; PUT /api/v1/apps/ 200; " +
		"published accepted; POST /api/v1/workspaces/{workspaceId}/apps/{appId}/updates 201; " +
		"GET /api/v1/health/ 200; " +
		"GET /api/v1/workspaces/{workspaceId}/apps/{appId}/updates 405; " +
		"published unavailable; PUT /api/v1/apps/ 503; " +
		"PUT /api/v1/apps/ 500"
	if got := f.ledger.text(); got != want {
		t.Errorf("counted\n%s\nwant\n%s", got, want)
	}
}

// brokenWriter fails in the middle of an answer.
type brokenWriter struct{ *httptest.ResponseRecorder }

func (brokenWriter) Write([]byte) (int, error) { panic("half way") }

// A second answer must never follow half of a first one: the connection is cut.
func TestPanicAfterTheAnswerBegan(t *testing.T) {
	f := newFixture()
	defer func() {
		if got, _ := recover().(error); !errors.Is(got, http.ErrAbortHandler) {
			t.Errorf("recovered %v, want http.ErrAbortHandler", got)
		}
		if got := f.ledger.text(); got != "GET /healthz 200" {
			t.Errorf("counted %q", got)
		}
	}()
	f.handler.ServeHTTP(brokenWriter{httptest.NewRecorder()}, httptest.NewRequest("GET", "/healthz", nil))
}
