package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// sessions is what the Engine.IO layer measures.
type sessions struct {
	current     *prometheus.GaugeVec
	opened      *prometheus.CounterVec
	upgraded    *prometheus.CounterVec
	closed      *prometheus.CounterVec
	reasons     *vocabulary // of closed
	backlog     prometheus.Gauge
	dropped     prometheus.Counter
	refused     *counters
	said        *counters // no, by Socket.IO
	requestless prometheus.Counter
}

func newSessions(register promauto.Factory) sessions {
	s := sessions{
		current: register.NewGaugeVec(prometheus.GaugeOpts{
			Name: "roomcast_sessions",
			Help: "Engine.IO sessions that are open now, by protocol revision and transport.",
		}, []string{"protocol", "transport"}),
		opened: register.NewCounterVec(prometheus.CounterOpts{
			Name: "roomcast_sessions_opened_total",
			Help: "Engine.IO sessions opened, by protocol revision and first transport.",
		}, []string{"protocol", "transport"}),
		upgraded: register.NewCounterVec(prometheus.CounterOpts{
			Name: "roomcast_sessions_upgraded_total",
			Help: "Engine.IO sessions that moved from polling to websocket, by protocol revision.",
		}, []string{"protocol"}),
		closed: register.NewCounterVec(prometheus.CounterOpts{
			Name: "roomcast_sessions_closed_total",
			Help: "Engine.IO sessions closed, by protocol revision, last transport and reason.",
		}, []string{"protocol", "transport", "reason"}),
		reasons: newVocabulary(),
		backlog: register.NewGauge(prometheus.GaugeOpts{
			Name: "roomcast_backlog_bytes",
			Help: "Bytes waiting for clients that read slower than they are sent to.",
		}),
		dropped: register.NewCounter(prometheus.CounterOpts{
			Name: "roomcast_backlog_dropped_bytes_total",
			Help: "Bytes that were waiting for clients whose sessions ended; roomcast_sessions_closed_total says why they did.",
		}),
		refused: newCounters(register, prometheus.CounterOpts{
			Name: "roomcast_handshakes_refused_total",
			Help: "Engine.IO handshakes turned away, by cause.",
		}, "cause"),
		requestless: register.NewCounter(prometheus.CounterOpts{
			Name: "roomcast_connections_dropped_total",
			Help: "Connections closed before their first request had come, because too many waited for one.",
		}),
		said: newCounters(register, prometheus.CounterOpts{
			Name: "roomcast_requests_refused_total",
			Help: "CONNECT packets and events of clients that were answered with an error, by its code.",
		}, "code"),
	}
	// Zeros from the start: a rate over a series that first appears at 1 misses that one.
	for _, protocol := range []string{"3", "4"} {
		s.upgraded.WithLabelValues(protocol)
		for _, transport := range []string{"polling", "websocket"} {
			s.current.WithLabelValues(protocol, transport)
			s.opened.WithLabelValues(protocol, transport)
		}
	}
	return s
}

func (s *sessions) open(protocol, transport string) {
	protocol, transport = knownProtocol(protocol), knownTransport(transport)
	s.opened.WithLabelValues(protocol, transport).Inc()
	s.current.WithLabelValues(protocol, transport).Inc()
}

func (s *sessions) upgrade(protocol string) {
	protocol = knownProtocol(protocol)
	s.upgraded.WithLabelValues(protocol).Inc()
	s.current.WithLabelValues(protocol, "polling").Dec()
	s.current.WithLabelValues(protocol, "websocket").Inc()
}

func (s *sessions) close(protocol, transport, reason string) {
	protocol, transport = knownProtocol(protocol), knownTransport(transport)
	s.closed.WithLabelValues(protocol, transport, s.reasons.admit(reason)).Inc()
	s.current.WithLabelValues(protocol, transport).Dec()
}

func knownProtocol(protocol string) string {
	if protocol == "3" || protocol == "4" {
		return protocol
	}
	return other
}

func knownTransport(transport string) string {
	if transport == "polling" || transport == "websocket" {
		return transport
	}
	return other
}
