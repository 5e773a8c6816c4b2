package redis_test

import (
	"testing"

	"github.com/roomcast/roomcast/internal/logtest"
	"github.com/roomcast/roomcast/internal/redis"
	"github.com/roomcast/roomcast/internal/storetest"
)

// openLogged is open with a log at debug level, and with further changes.
func openLogged(t *testing.T, address string, change ...func(*redis.Options)) (*redis.Store, *logtest.Journal) {
	t.Helper()
	log := new(logtest.Journal)
	return openWith(t, address, storetest.Generous(), append(change, logsTo(log))...), log
}

// logsTo makes a store write to a journal.
func logsTo(log *logtest.Journal) func(*redis.Options) {
	return func(options *redis.Options) { options.Logger = log.Logger() }
}
