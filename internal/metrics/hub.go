package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// hub is what rooms, fan-out and the bus measure. What its workers touch for every
// event is resolved to single collectors here.
type hub struct {
	rooms, members prometheus.Gauge

	heardRoomcast, heardForeign, heardMalformed prometheus.Counter

	delivered prometheus.Counter
	dropped   *counters
	busLag    prometheus.Histogram
	repaired  *counters
	resynced  *counters

	recoveries *counters
}

func newHub(register promauto.Factory) hub {
	heard := register.NewCounterVec(prometheus.CounterOpts{
		Name: "roomcast_publications_heard_total",
		Help: "Publications heard on the channel, by origin: roomcast, foreign (plain JSON of somebody else), malformed (skipped).",
	}, []string{"origin"})
	return hub{
		rooms: register.NewGauge(prometheus.GaugeOpts{
			Name: "roomcast_rooms",
			Help: "Rooms that have members on this instance.",
		}),
		members: register.NewGauge(prometheus.GaugeOpts{
			Name: "roomcast_members",
			Help: "Seats taken on this instance; a connection has one in each of its rooms.",
		}),
		heardRoomcast:  heard.WithLabelValues("roomcast"),
		heardForeign:   heard.WithLabelValues("foreign"),
		heardMalformed: heard.WithLabelValues("malformed"),
		delivered: register.NewCounter(prometheus.CounterOpts{
			Name: "roomcast_deliveries_total",
			Help: "Events handed to members: one publication to a hundred members counts a hundred.",
		}),
		dropped: newCounters(register, prometheus.CounterOpts{
			Name: "roomcast_deliveries_dropped_total",
			Help: "Deliveries that did not happen, by cause.",
		}, "cause"),
		busLag: register.NewHistogram(prometheus.HistogramOpts{
			Name: "roomcast_bus_lag_seconds",
			Help: "Time from sending this instance's heartbeat to hearing it on the channel.",
			// From a healthy loopback to the three seconds after which an instance is deaf,
			// and one beyond.
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 3, 10},
		}),
		repaired: newCounters(register, prometheus.CounterOpts{
			Name: "roomcast_repairs_total",
			Help: "Holes in the sequence that were filled from the history, by cause.",
		}, "cause"),
		resynced: newCounters(register, prometheus.CounterOpts{
			Name: "roomcast_resyncs_total",
			Help: "Rooms told to reload because their continuity could not be proven, by cause.",
		}, "cause"),
		recoveries: newCounters(register, prometheus.CounterOpts{
			Name: "roomcast_recoveries_total",
			Help: "Clients that asked for the session of a lost connection, by outcome.",
		}, "outcome"),
	}
}

func (h *hub) hear(origin string) {
	switch origin {
	case "roomcast":
		h.heardRoomcast.Inc()
	case "foreign":
		h.heardForeign.Inc()
	default:
		h.heardMalformed.Inc()
	}
}
