package app

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/roomcast/roomcast/internal/config"
	"github.com/roomcast/roomcast/internal/hub"
	"github.com/roomcast/roomcast/internal/memory"
	"github.com/roomcast/roomcast/internal/redis"
)

// OpenStore opens the configured store: Redis, or the embedded one for an instance that
// is alone. It is called once in a process: the Redis client's own log goes to logger.
func OpenStore(cfg config.Config, logger *slog.Logger) (hub.Store, error) {
	if cfg.Redis.Embedded() {
		logger.Warn("no Redis is configured: this instance is alone, and what it keeps ends with it")
		return newBus(cfg).Store(), nil
	}
	redis.LogClient(logger)
	store, err := redis.Open(redis.Options{
		Server: redis.Server{
			Addresses: cfg.Redis.Addresses,
			Master:    cfg.Redis.Master,
			Username:  cfg.Redis.Username,
			Password:  string(cfg.Redis.Password),
			Database:  cfg.Redis.Database,
			TLS:       cfg.Redis.TLS,
		},
		Instance:     cfg.Instance,
		Channel:      cfg.Channel,
		HistorySize:  cfg.History.Size,
		HistoryBytes: cfg.History.Bytes,
		HistoryTTL:   cfg.History.TTL,
		Logger:       logger,
	})
	if err != nil {
		return nil, fmt.Errorf("opening Redis: %w", err)
	}
	return store, nil
}

// storeName says in the log where the store is.
func storeName(redis config.Redis) string {
	switch {
	case redis.Embedded():
		return "embedded"
	case redis.Master != "":
		return "redis master " + redis.Master + " by sentinels at " + strings.Join(redis.Addresses, ",")
	}
	return "redis at " + strings.Join(redis.Addresses, ",")
}

// newBus is the embedded store, one for all instances of this process.
func newBus(cfg config.Config) *memory.Bus {
	return memory.NewBus(memory.Options{
		HistorySize:  cfg.History.Size,
		HistoryBytes: cfg.History.Bytes,
		HistoryTTL:   cfg.History.TTL,
	})
}
