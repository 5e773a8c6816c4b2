package metrics_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/roomcast/roomcast/internal/metrics"
)

func newMetrics(t *testing.T) (*metrics.Metrics, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	return metrics.New(registry, metrics.BuildInfo{Version: "1.2.3", Revision: "abc"}), registry
}

// exercise calls every method once or more.
func exercise(m *metrics.Metrics) {
	m.SessionOpened("4", "polling")
	m.SessionOpened("4", "websocket")
	m.SessionOpened("3", "polling")
	m.SessionUpgraded("4")
	m.SessionClosed("4", "websocket", "ping timeout")
	m.BacklogChanged(1000)
	m.BacklogChanged(-400)
	m.Refused("origin")
	m.ConnectionDropped()
	m.RequestRefused("auth/forbidden")
	m.Failed("too-many-requests")
	m.RoomsChanged(2)
	m.MembersChanged(5)
	m.MembersChanged(-1)
	m.Heard("roomcast")
	m.Heard("roomcast")
	m.Heard("foreign")
	m.Heard("malformed")
	m.Delivered(100)
	m.Dropped("backlog", 3)
	m.BusLag(2 * time.Millisecond)
	m.Repaired("gap")
	m.Resynced("trimmed")
	m.Recovery("recovered")
	m.Recovery("recovered")
	m.Recovery("unanswered")
	m.Served("/api/v1/apps/", "PUT", 200, 4*time.Millisecond)
	m.Published("accepted")
}

func TestNamesPassLint(t *testing.T) {
	m, registry := newMetrics(t)
	exercise(m)
	problems, err := testutil.GatherAndLint(registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
}

func TestExposition(t *testing.T) {
	m, registry := newMetrics(t)
	exercise(m)
	want := fmt.Sprintf(`
# HELP roomcast_backlog_bytes Bytes waiting for clients that read slower than they are sent to.
# TYPE roomcast_backlog_bytes gauge
roomcast_backlog_bytes 600
# HELP roomcast_build_info Always 1; the labels say which build is running.
# TYPE roomcast_build_info gauge
roomcast_build_info{goversion="%s",revision="abc",version="1.2.3"} 1
# HELP roomcast_bus_lag_seconds Time from sending this instance's heartbeat to hearing it on the channel.
# TYPE roomcast_bus_lag_seconds histogram
roomcast_bus_lag_seconds_bucket{le="0.0005"} 0
roomcast_bus_lag_seconds_bucket{le="0.001"} 0
roomcast_bus_lag_seconds_bucket{le="0.0025"} 1
roomcast_bus_lag_seconds_bucket{le="0.005"} 1
roomcast_bus_lag_seconds_bucket{le="0.01"} 1
roomcast_bus_lag_seconds_bucket{le="0.025"} 1
roomcast_bus_lag_seconds_bucket{le="0.05"} 1
roomcast_bus_lag_seconds_bucket{le="0.1"} 1
roomcast_bus_lag_seconds_bucket{le="0.25"} 1
roomcast_bus_lag_seconds_bucket{le="0.5"} 1
roomcast_bus_lag_seconds_bucket{le="1"} 1
roomcast_bus_lag_seconds_bucket{le="3"} 1
roomcast_bus_lag_seconds_bucket{le="10"} 1
roomcast_bus_lag_seconds_bucket{le="+Inf"} 1
roomcast_bus_lag_seconds_sum 0.002
roomcast_bus_lag_seconds_count 1
# HELP roomcast_connections_dropped_total Connections closed before their first request had come, because too many waited for one.
# TYPE roomcast_connections_dropped_total counter
roomcast_connections_dropped_total 1
# HELP roomcast_deliveries_dropped_total Deliveries that did not happen, by cause.
# TYPE roomcast_deliveries_dropped_total counter
roomcast_deliveries_dropped_total{cause="backlog"} 3
# HELP roomcast_deliveries_total Events handed to members: one publication to a hundred members counts a hundred.
# TYPE roomcast_deliveries_total counter
roomcast_deliveries_total 100
# HELP roomcast_handshakes_refused_total Engine.IO handshakes turned away, by cause.
# TYPE roomcast_handshakes_refused_total counter
roomcast_handshakes_refused_total{cause="origin"} 1
# HELP roomcast_http_failures_total Errors that REST has answered, by code: which limit, which permission, which fault of a request.
# TYPE roomcast_http_failures_total counter
roomcast_http_failures_total{code="too-many-requests"} 1
# HELP roomcast_http_requests_total HTTP requests answered, by route template, method and status.
# TYPE roomcast_http_requests_total counter
roomcast_http_requests_total{method="PUT",route="/api/v1/apps/",status="200"} 1
# HELP roomcast_members Seats taken on this instance; a connection has one in each of its rooms.
# TYPE roomcast_members gauge
roomcast_members 4
# HELP roomcast_publications_heard_total Publications heard on the channel, by origin: roomcast, foreign (plain JSON of somebody else), malformed (skipped).
# TYPE roomcast_publications_heard_total counter
roomcast_publications_heard_total{origin="foreign"} 1
roomcast_publications_heard_total{origin="malformed"} 1
roomcast_publications_heard_total{origin="roomcast"} 2
# HELP roomcast_publications_total Publications asked for by REST, by outcome.
# TYPE roomcast_publications_total counter
roomcast_publications_total{outcome="accepted"} 1
# HELP roomcast_repairs_total Holes in the sequence that were filled from the history, by cause.
# TYPE roomcast_repairs_total counter
roomcast_repairs_total{cause="gap"} 1
# HELP roomcast_recoveries_total Clients that asked for the session of a lost connection, by outcome.
# TYPE roomcast_recoveries_total counter
roomcast_recoveries_total{outcome="recovered"} 2
roomcast_recoveries_total{outcome="unanswered"} 1
# HELP roomcast_requests_refused_total CONNECT packets and events of clients that were answered with an error, by its code.
# TYPE roomcast_requests_refused_total counter
roomcast_requests_refused_total{code="auth/forbidden"} 1
# HELP roomcast_resyncs_total Rooms told to reload because their continuity could not be proven, by cause.
# TYPE roomcast_resyncs_total counter
roomcast_resyncs_total{cause="trimmed"} 1
# HELP roomcast_rooms Rooms that have members on this instance.
# TYPE roomcast_rooms gauge
roomcast_rooms 2
# HELP roomcast_sessions Engine.IO sessions that are open now, by protocol revision and transport.
# TYPE roomcast_sessions gauge
roomcast_sessions{protocol="3",transport="polling"} 1
roomcast_sessions{protocol="3",transport="websocket"} 0
roomcast_sessions{protocol="4",transport="polling"} 0
roomcast_sessions{protocol="4",transport="websocket"} 1
# HELP roomcast_sessions_closed_total Engine.IO sessions closed, by protocol revision, last transport and reason.
# TYPE roomcast_sessions_closed_total counter
roomcast_sessions_closed_total{protocol="4",reason="ping timeout",transport="websocket"} 1
# HELP roomcast_sessions_opened_total Engine.IO sessions opened, by protocol revision and first transport.
# TYPE roomcast_sessions_opened_total counter
roomcast_sessions_opened_total{protocol="3",transport="polling"} 1
roomcast_sessions_opened_total{protocol="3",transport="websocket"} 0
roomcast_sessions_opened_total{protocol="4",transport="polling"} 1
roomcast_sessions_opened_total{protocol="4",transport="websocket"} 1
# HELP roomcast_sessions_upgraded_total Engine.IO sessions that moved from polling to websocket, by protocol revision.
# TYPE roomcast_sessions_upgraded_total counter
roomcast_sessions_upgraded_total{protocol="3"} 0
roomcast_sessions_upgraded_total{protocol="4"} 1
`, runtime.Version())
	err := testutil.GatherAndCompare(registry, strings.NewReader(want),
		"roomcast_backlog_bytes", "roomcast_build_info", "roomcast_bus_lag_seconds",
		"roomcast_connections_dropped_total", "roomcast_deliveries_dropped_total", "roomcast_deliveries_total",
		"roomcast_handshakes_refused_total", "roomcast_http_failures_total", "roomcast_http_requests_total", "roomcast_requests_refused_total",
		"roomcast_members", "roomcast_publications_heard_total", "roomcast_publications_total",
		"roomcast_recoveries_total", "roomcast_repairs_total", "roomcast_resyncs_total", "roomcast_rooms",
		"roomcast_sessions", "roomcast_sessions_closed_total",
		"roomcast_sessions_opened_total", "roomcast_sessions_upgraded_total")
	if err != nil {
		t.Error(err)
	}
}

func TestRuntimeAndDurationsAreExposed(t *testing.T) {
	m, registry := newMetrics(t)
	exercise(m)
	for _, name := range []string{
		"roomcast_http_request_duration_seconds", "go_goroutines", "process_resident_memory_bytes",
	} {
		if n, err := testutil.GatherAndCount(registry, name); err != nil || n != 1 {
			t.Errorf("%s: %d series, error %v; want 1", name, n, err)
		}
	}
}

// A label's values may come from an error's text by mistake, and methods come from the
// network: neither may grow a series each.
func TestLabelsAreBounded(t *testing.T) {
	m, registry := newMetrics(t)
	var calls sync.WaitGroup
	for caller := range 4 {
		calls.Go(func() {
			for i := range 1000 {
				made := fmt.Sprint(caller, i)
				m.SessionClosed("4", "polling", made)
				m.SessionOpened(made, made)
				m.Dropped(made, 1)
				m.Refused(made)
				m.Published(made)
				m.Served("/"+made, made, 200, time.Millisecond)
			}
		})
	}
	calls.Wait()
	for name, want := range map[string]int{
		"roomcast_sessions_closed_total":         33,
		"roomcast_sessions_opened_total":         5,
		"roomcast_deliveries_dropped_total":      33,
		"roomcast_handshakes_refused_total":      33,
		"roomcast_publications_total":            33,
		"roomcast_http_requests_total":           33,
		"roomcast_http_request_duration_seconds": 33,
	} {
		if n, err := testutil.GatherAndCount(registry, name); err != nil || n != want {
			t.Errorf("%s: %d series, error %v; want %d", name, n, err, want)
		}
	}
}
