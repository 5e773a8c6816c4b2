package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const (
	// maxValues bounds the values of one label. The callers' sets have about ten; a bug
	// that puts an error's text there must not grow a series per error.
	maxValues = 32
	// other stands for every value past the bound.
	other = "other"
)

// vocabulary admits the first maxValues values of a label and calls the rest "other".
// It learns them instead of listing them, so that a new cause shows up under its own
// name without a change here.
type vocabulary struct {
	mu       sync.RWMutex
	admitted map[string]struct{}
}

func newVocabulary() *vocabulary {
	return &vocabulary{admitted: make(map[string]struct{}, maxValues)}
}

func (v *vocabulary) admit(value string) string {
	v.mu.RLock()
	_, known := v.admitted[value]
	v.mu.RUnlock()
	if known {
		return value
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, known := v.admitted[value]; !known && len(v.admitted) >= maxValues {
		return other
	}
	v.admitted[value] = struct{}{}
	return value
}

// counters are one metric with one label of bounded vocabulary.
type counters struct {
	vec    *prometheus.CounterVec
	values *vocabulary
}

func newCounters(register promauto.Factory, opts prometheus.CounterOpts, label string) *counters {
	return &counters{vec: register.NewCounterVec(opts, []string{label}), values: newVocabulary()}
}

func (c *counters) inc(value string) { c.add(value, 1) }

func (c *counters) add(value string, n int) {
	c.vec.WithLabelValues(c.values.admit(value)).Add(float64(n))
}
