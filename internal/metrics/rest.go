package metrics

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// rest is what the HTTP API measures.
type rest struct {
	requests  *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	routes    *vocabulary
	published *counters
	failed    *counters

	mu     sync.RWMutex
	series map[request]*answered // found once: looking one up by its labels costs more than counting
}

// request is what tells apart the requests that are counted together.
type request struct {
	route, method string
	status        int
}

type answered struct {
	requests prometheus.Counter
	duration prometheus.Observer
}

func newREST(register promauto.Factory) rest {
	return rest{
		requests: register.NewCounterVec(prometheus.CounterOpts{
			Name: "roomcast_http_requests_total",
			Help: "HTTP requests answered, by route template, method and status.",
		}, []string{"route", "method", "status"}),
		duration: register.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "roomcast_http_request_duration_seconds",
			Help:    "Time to answer an HTTP request, by route template and method.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route", "method"}),
		routes: newVocabulary(),
		series: make(map[request]*answered),
		published: newCounters(register, prometheus.CounterOpts{
			Name: "roomcast_publications_total",
			Help: "Publications asked for by REST, by outcome.",
		}, "outcome"),
		failed: newCounters(register, prometheus.CounterOpts{
			Name: "roomcast_http_failures_total",
			Help: "Errors that REST has answered, by code: which limit, which permission, which fault of a request.",
		}, "code"),
	}
}

func (r *rest) serve(route, method string, status int, d time.Duration) {
	r.mu.RLock()
	series := r.series[request{route, method, status}]
	r.mu.RUnlock()
	if series == nil {
		series = r.of(request{r.routes.admit(route), knownMethod(method), status})
	}
	series.requests.Inc()
	series.duration.Observe(d.Seconds())
}

// of makes, or finds, the series of a request whose parts are all of bounded vocabularies.
func (r *rest) of(key request) *answered {
	series := &answered{
		requests: r.requests.WithLabelValues(key.route, key.method, strconv.Itoa(key.status)),
		duration: r.duration.WithLabelValues(key.route, key.method),
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.series[key] = series
	return series
}

// knownMethod keeps out the methods that strangers invent: HTTP lets them be any token.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions:
		return method
	}
	return other
}
