// Package metrics holds every Prometheus collector of an instance in one struct. Its
// methods speak in plain words and numbers, so that the packages that are measured
// declare the few they call as an interface of their own and never import this one.
package metrics

import (
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// BuildInfo says which build is running; the Go version is read from the binary.
type BuildInfo struct {
	Version  string
	Revision string
}

// Metrics is what one instance measures. All methods are safe for concurrent use.
type Metrics struct {
	sessions sessions
	hub      hub
	rest     rest
}

// New makes all collectors, those of the process and of the Go runtime included, and
// registers them with reg. It panics when reg already holds one of them: an instance
// has a registry of its own, also where several share a process.
func New(reg prometheus.Registerer, build BuildInfo) *Metrics {
	reg.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	register := promauto.With(reg)
	register.NewGaugeVec(prometheus.GaugeOpts{
		Name: "roomcast_build_info",
		Help: "Always 1; the labels say which build is running.",
	}, []string{"version", "revision", "goversion"}).
		WithLabelValues(build.Version, build.Revision, runtime.Version()).Set(1)
	return &Metrics{
		sessions: newSessions(register),
		hub:      newHub(register),
		rest:     newREST(register),
	}
}

// SessionOpened counts an Engine.IO session of protocol "3" or "4" that begins on
// transport "polling" or "websocket".
func (m *Metrics) SessionOpened(protocol, transport string) { m.sessions.open(protocol, transport) }

// SessionUpgraded counts a session that has moved from polling to websocket.
func (m *Metrics) SessionUpgraded(protocol string) { m.sessions.upgrade(protocol) }

// SessionClosed counts a session that has ended on transport, and why.
func (m *Metrics) SessionClosed(protocol, transport, reason string) {
	m.sessions.close(protocol, transport, reason)
}

// BacklogChanged adds delta bytes to what waits for clients that read too slowly.
func (m *Metrics) BacklogChanged(delta int) { m.sessions.backlog.Add(float64(delta)) }

// Discarded counts bytes that were waiting for a client when its session ended.
func (m *Metrics) Discarded(bytes int) { m.sessions.dropped.Add(float64(bytes)) }

// ConnectionDropped counts a connection that was closed before its first request had come.
func (m *Metrics) ConnectionDropped() { m.sessions.requestless.Inc() }

// RequestRefused counts an answer of no to a client's CONNECT or event, by its code.
func (m *Metrics) RequestRefused(code string) { m.sessions.said.inc(code) }

// Failed counts an error that REST has answered, by its code.
func (m *Metrics) Failed(code string) { m.rest.failed.inc(code) }

// Refused counts a handshake that was turned away.
func (m *Metrics) Refused(cause string) { m.sessions.refused.inc(cause) }

// RoomsChanged adds delta to the rooms with members on this instance.
func (m *Metrics) RoomsChanged(delta int) { m.hub.rooms.Add(float64(delta)) }

// MembersChanged adds delta to the seats taken on this instance; a connection has one
// in each of its rooms.
func (m *Metrics) MembersChanged(delta int) { m.hub.members.Add(float64(delta)) }

// Heard counts a publication heard on the channel: "roomcast", "foreign" for one that
// somebody else published, "malformed" for one that could not be read.
func (m *Metrics) Heard(origin string) { m.hub.hear(origin) }

// Delivered counts n events handed to members.
func (m *Metrics) Delivered(n int) { m.hub.delivered.Add(float64(n)) }

// Dropped counts n deliveries that did not happen.
func (m *Metrics) Dropped(cause string, n int) { m.hub.dropped.add(cause, n) }

// BusLag observes the time from sending this instance's heartbeat to hearing it.
func (m *Metrics) BusLag(d time.Duration) { m.hub.busLag.Observe(d.Seconds()) }

// Repaired counts a hole in the sequence that was filled from the history.
func (m *Metrics) Repaired(cause string) { m.hub.repaired.inc(cause) }

// Resynced counts a room whose continuity could not be proven.
func (m *Metrics) Resynced(cause string) { m.hub.resynced.inc(cause) }

// Recovery counts a client that asked for the session of its lost connection: "recovered",
// "unknown" for a session that there is not or that was lost too long ago, "unanswered" for
// one whose client does not know of a room that it is in, "too_much" for one that missed
// more than is replayed, "unavailable" while the store cannot say.
func (m *Metrics) Recovery(outcome string) { m.hub.recoveries.inc(outcome) }

// Served counts an HTTP request and the time it took. Route is the template that
// matched, never the path, which anybody can make up.
func (m *Metrics) Served(route, method string, status int, d time.Duration) {
	m.rest.serve(route, method, status, d)
}

// Published counts a publication asked for by REST and what became of it.
func (m *Metrics) Published(outcome string) { m.rest.published.inc(outcome) }
