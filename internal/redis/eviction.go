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
	process string // run_id of the last one that has answered
}

// checkEviction warns of a Redis that may drop keys by itself. It runs beside the feed,
// which does not wait for it: nothing that is dropped is lost in silence.
func (s *Store) checkEviction(ctx context.Context) {
	s.eviction.mu.Lock()
	defer s.eviction.mu.Unlock()
	process := s.process.Load().(string)
	if process == s.eviction.process {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, ioTimeout)
	defer cancel()
	info, err := s.client.Info(ctx, "memory").Result()
	if _, answered := answer(err); err == nil || answered {
		s.eviction.process = process
	}
	if err != nil {
		// It takes a permission that many do not give.
		s.logger.Debug("cannot see Redis' eviction policy", "error", err)
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

// infoField finds a field in what INFO answers, lines of name:value.
func infoField(info, name string) string {
	for line := range strings.SplitSeq(info, "\r\n") {
		if value, found := strings.CutPrefix(line, name+":"); found {
			return value
		}
	}
	return ""
}
