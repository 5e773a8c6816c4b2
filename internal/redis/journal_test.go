package redis_test

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/roomcast/roomcast/internal/redis"
	"github.com/roomcast/roomcast/internal/storetest"
)

// journal is a log that tests read.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(line)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// count is the number of lines that hold all of parts.
func (j *journal) count(parts ...string) (lines int) {
	for line := range strings.Lines(j.String()) {
		if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) }) {
			lines++
		}
	}
	return lines
}

// openLogged is open with a log at debug level, and with further changes.
func openLogged(t *testing.T, address string, change ...func(*redis.Options)) (*redis.Store, *journal) {
	t.Helper()
	log := new(journal)
	return openWith(t, address, storetest.Generous(), append(change, log.write)...), log
}

// logger writes everything to the journal.
func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// write makes a store write to it.
func (j *journal) write(options *redis.Options) { options.Logger = j.logger() }
