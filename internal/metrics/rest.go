package metrics

import (
	"net/http"
	"strconv"
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
		published: newCounters(register, prometheus.CounterOpts{
			Name: "roomcast_publications_total",
			Help: "Publications asked for by REST, by outcome.",
		}, "outcome"),
	}
}

func (r *rest) serve(route, method string, status int, d time.Duration) {
	route, method = r.routes.admit(route), knownMethod(method)
	r.requests.WithLabelValues(route, method, strconv.Itoa(status)).Inc()
	r.duration.WithLabelValues(route, method).Observe(d.Seconds())
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
