// Package rest is Roomcast's HTTP API: backends publish through it, operators watch it.
//
// There are two surfaces. The routes of the first contract (apps, health) answer in its
// envelope, status, data and error; everything else answers plain JSON, and errors as
// problem details (RFC 9457).
package rest

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/roomcast/roomcast/internal/auth"
	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/limit"
)

const (
	// DefaultMaxPayload is the largest request body in bytes unless Options say otherwise.
	DefaultMaxPayload = 1_000_000
	// DefaultBodyTimeout bounds how long a body may take to arrive unless Options say
	// otherwise.
	DefaultBodyTimeout = 15 * time.Second
	// DefaultAnswerTimeout bounds how long a caller may take to read a file or the metrics unless
	// Options say otherwise.
	DefaultAnswerTimeout = 30 * time.Second
	// DefaultPublishTimeout bounds one publication unless Options say otherwise.
	DefaultPublishTimeout = 5 * time.Second
)

// Publisher is where publications go. Implementations are safe for concurrent use.
type Publisher interface {
	// Publish returns hub.ErrUnavailable, or the context's error, when the publication
	// may be tried again later.
	Publish(ctx context.Context, publication event.Publication) (event.Receipt, error)
	// Ready is nil when publications are accepted and heard. The error's text is shown
	// by /readyz to whoever asks: plain words, no addresses.
	Ready() error
}

// Observer counts what is served. Its methods are safe for concurrent use.
type Observer interface {
	// Served gets the route's template, or "unmatched", never the path.
	Served(route, method string, status int, d time.Duration)
	// Published gets "accepted", "duplicate", "reused", "unavailable" or "failed".
	Published(outcome string)
	// Failed gets the code of each error that was answered.
	Failed(code string)
}

// Options are what New needs.
type Options struct {
	Hub     Publisher
	Metrics Observer
	// Callers knows who may call; nil: everyone may do all.
	Callers Callers
	// Gatherer is what /metrics shows; without one there is no such route.
	Gatherer prometheus.Gatherer
	// Logger gets what strangers must not see. Nil discards it.
	Logger *slog.Logger
	// Pages answer GET and HEAD at their exact paths, beside the API and not at the
	// operators' address; what is wrong with a request for one is said as by the API.
	Pages map[string]http.Handler
	// PublishesPerCaller and PublishesPerRoom bound publications through this instance; the zero
	// values are no bounds. Where everyone may do all there is no caller to count for.
	PublishesPerCaller, PublishesPerRoom limit.Rate
	// Concurrency bounds the API's requests under way; zero is no bound.
	Concurrency int
	// MaxURL bounds a request's URL in bytes; zero is no bound.
	MaxURL int
	// MaxPayload bounds a request body in bytes; 0 means DefaultMaxPayload.
	MaxPayload int
	// BodyTimeout bounds how long a body may take to arrive; 0 means DefaultBodyTimeout.
	BodyTimeout time.Duration
	// AnswerTimeout bounds how long a caller may take to read a file or the metrics; 0 means
	// DefaultAnswerTimeout.
	AnswerTimeout time.Duration
	// PublishTimeout bounds one publication; 0 means DefaultPublishTimeout.
	PublishTimeout time.Duration
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxPayload == 0 {
		o.MaxPayload = DefaultMaxPayload
	}
	if o.BodyTimeout == 0 {
		o.BodyTimeout = DefaultBodyTimeout
	}
	if o.AnswerTimeout == 0 {
		o.AnswerTimeout = DefaultAnswerTimeout
	}
	if o.PublishTimeout == 0 {
		o.PublishTimeout = DefaultPublishTimeout
	}
	return o
}

// New serves everything: the API and the pages, and the operators' routes beside them.
func New(options Options) http.Handler {
	s := newServer(options)
	return s.handler(slices.Concat(s.api(), s.pages(), s.operations()))
}

// NewAPI serves the API and the pages alone, for when the operators' routes have an address of their
// own.
func NewAPI(options Options) http.Handler {
	s := newServer(options)
	return s.handler(append(s.api(), s.pages()...))
}

// NewAdmin serves the operators' routes alone, for an address of their own, to everyone who
// can reach that.
func NewAdmin(options Options) http.Handler {
	options.Callers = nil
	s := newServer(options)
	return s.handler(s.operations())
}

type server struct {
	Options

	everyone  *auth.Principal
	quotas    quotas
	underWay  atomic.Int64 // requests of the API
	deadlines deadlines
	ids       requestIDs
}

func newServer(options Options) *server {
	options = options.withDefaults()
	return &server{
		Options: options, everyone: auth.Everyone(), quotas: newQuotas(options),
		deadlines: deadlines{bound: options.PublishTimeout}, ids: newRequestIDs(),
	}
}

// api is what backends call.
func (s *server) api() []route {
	apps := envelope{area: "app"}
	health := envelope{area: "health"}
	updateApp := methods{http.MethodPut: s.inTurn(s.updateApp)}
	showHealth := methods{http.MethodGet: s.health}
	return []route{
		// First, because the router tries one after the other and this is asked the most.
		{label: updatesPath, path: updatesPath, surface: problem{}, methods: methods{http.MethodPost: s.inTurn(s.createUpdate)}},
		{label: appsPath, path: appsPath, surface: apps, methods: updateApp},
		{label: appsPath, path: "/api/v1/apps", surface: apps, methods: updateApp},
		{label: "/api/v1/health/", path: "/api/v1/health/", surface: health, methods: showHealth},
		{label: "/api/v1/health/", path: "/api/v1/health", surface: health, methods: showHealth},
	}
}

// pages is what browsers ask for.
func (s *server) pages() []route {
	var routes []route
	for path, page := range s.Pages {
		routes = append(routes, route{
			label: path, path: path, surface: problem{},
			methods: methods{http.MethodGet: s.answeredBy(page)},
		})
	}
	return routes
}

// operations is what operators and their machines ask.
func (s *server) operations() []route {
	routes := []route{
		{label: "/healthz", path: "/healthz", surface: problem{}, methods: methods{http.MethodGet: s.alive}},
		{label: "/readyz", path: "/readyz", surface: problem{}, methods: methods{http.MethodGet: s.ready}},
	}
	if s.Gatherer != nil {
		routes = append(routes, route{
			label: "/metrics", path: "/metrics", surface: problem{},
			methods: methods{http.MethodGet: s.forAdmins(s.metrics())},
		})
	}
	return routes
}

func (s *server) handler(routes []route) http.Handler {
	// The path is matched as it was sent: no redirect, which would turn a PUT into a GET,
	// and no %2F that becomes a slash before the ids are told apart.
	router := mux.NewRouter().SkipClean(true).UseEncodedPath()
	for _, route := range routes {
		router.MatcherFunc(template(route.path)).Handler(s.serve(route))
	}
	unmatched := s.serve(route{label: "unmatched", surface: problem{}})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Left to itself the router copies the request, twice, to say in its context what
		// the path values say.
		var match mux.RouteMatch
		if !router.Match(r, &match) {
			match.Handler = unmatched
		}
		match.Handler.ServeHTTP(w, r)
	})
}
