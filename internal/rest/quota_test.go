package rest_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/limit"
	"github.com/roomcast/roomcast/internal/rest"
)

// slowly lets through a burst and, within a test, nothing after it.
func slowly(burst float64) limit.Rate { return limit.Rate{PerSecond: 1e-3, Burst: burst} }

// One room's publications do not use up another's.
func TestPublishesPerRoom(t *testing.T) {
	f := newFixture(func(o *rest.Options) { o.PublishesPerRoom = slowly(2) })
	for n, want := range []string{`"room";r=1;t=1`, `"room";r=0;t=1`} {
		w := f.call("POST", updatesURL, jsonType, `{"event":"E"}`)
		if got := w.Header().Get("RateLimit"); w.Code != 201 || got != want || w.Header().Get("RateLimit-Policy") != `"room";q=0;w=1` {
			t.Errorf("publication %d: %d, RateLimit %s, policy %s", n, w.Code, got, w.Header().Get("RateLimit-Policy"))
		}
	}
	w := f.call("PUT", "/api/v1/apps/", "", appBody) // the same room by the other route
	check(t, w, 429, jsonType, `{"status":"ERROR","data":null,"error":{"code":"app/too-many-requests","name":"Too Many Requests Error","message":"the room has as many publications as it may in a second"}}`)
	if after := w.Header().Get("Retry-After"); after == "" || after == "0" {
		t.Errorf("Retry-After %q", after)
	}
	if w := f.call("POST", strings.Replace(updatesURL, "/a/", "/b/", 1), jsonType, `{"event":"E"}`); w.Code != 201 {
		t.Errorf("another room: %d %s", w.Code, w.Body)
	}
	if n := len(f.channel.published()); n != 3 {
		t.Errorf("%d publications, want 3", n)
	}
}

func TestPublishesPerCaller(t *testing.T) {
	known, _ := callers(t)
	f := newFixture(func(o *rest.Options) { o.Callers, o.PublishesPerCaller = known, slowly(2) })
	do := func(key, url string) int {
		r := httptest.NewRequest("POST", url, strings.NewReader(`{"event":"E"}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+key)
		return f.do(r).Code
	}
	far := strings.Replace(updatesURL, "/w/", "/far/", 1)
	for n, c := range []struct {
		key, url string
		want     int
	}{
		{"publishes-w", updatesURL, 201}, {"publishes-w", far, 403}, {"publishes-w", updatesURL, 201}, {"publishes-w", updatesURL, 429},
		{"publishes-w", strings.Replace(updatesURL, "/a/", "/b/", 1), 429}, {"publishes-far", far, 201},
	} {
		if got := do(c.key, c.url); got != c.want {
			t.Errorf("request %d, by %s: %d, want %d", n, c.key, got, c.want)
		}
	}
}

// Requests past the bound are refused while others are under way, and only then.
func TestConcurrency(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	f := newFixture(func(o *rest.Options) { o.Concurrency = 1 })
	f.channel.publish = func(context.Context) error { begun <- struct{}{}; <-finish; return nil }
	first := make(chan int)
	go func() { first <- f.call("POST", updatesURL, jsonType, `{"event":"E"}`).Code }()
	<-begun
	check(t, f.call("POST", updatesURL, jsonType, `{"event":"E"}`), 503, problemType,
		problem("busy", "Too many requests at a time", 503, "too many requests are under way, try again", ""))
	if w := f.call("GET", "/healthz", "", ""); w.Code != 200 {
		t.Errorf("/healthz: %d", w.Code)
	}
	close(finish)
	if code := <-first; code != 201 {
		t.Errorf("the first: %d", code)
	}
	go func() { <-begun }()
	if w := f.call("POST", updatesURL, jsonType, `{"event":"E"}`); w.Code != 201 {
		t.Errorf("after it: %d %s", w.Code, w.Body)
	}
}
