package redis

import (
	"context"
	"strings"
	"sync"
)

// eviction looks what Redis may do to keys when its memory is full. Every process is
// looked at once, since a failover may bring one that is set up differently.
type eviction struct {
	looking sync.WaitGroup // ended by Close

	mu      sync.Mutex
	process string // run_id of the one looked at last
}

// checkEviction warns of a Redis that may drop keys by itself. It runs beside the feed,
// which does not wait for it: nothing that is dropped is lost in silence.
func (s *Store) checkEviction(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, ioTimeout)
	defer cancel()
	info, err := s.client.Info(ctx).Result()
	if err != nil {
		// It takes a permission that many do not give.
		s.logger.Debug("cannot see Redis' eviction policy", "error", err)
		return
	}
	if !s.eviction.isNew(infoField(info, "run_id")) {
		return
	}
	policy, limit := infoField(info, "maxmemory_policy"), infoField(info, "maxmemory")
	logger := s.logger.With("maxmemory_policy", policy, "maxmemory", limit)
	switch {
	case policy == "noeviction", policy == "":
		logger.Debug("Redis drops no keys by itself, or does not say so")
	case limit == "0":
		logger.Warn("Redis will drop keys once maxmemory is set: clients would have to reload, and publications that are repeated could " +
			"come twice; give it maxmemory-policy noeviction")
	default:
		logger.Warn("Redis drops keys when its memory is full: clients have to reload, and publications that are repeated can " +
			"come twice; give it maxmemory-policy noeviction")
	}
}

// isNew reports whether process is another one than at the last asking.
func (e *eviction) isNew(process string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.process == process {
		return false
	}
	e.process = process
	return true
}

// infoField finds a field in what INFO answers, lines of name:value.
func infoField(info, name string) string {
	for line := range strings.SplitSeq(info, "\r\n") {
		if value, found := strings.CutPrefix(line, name+":"); found {
			return value
		}
	}
	return ""
}
