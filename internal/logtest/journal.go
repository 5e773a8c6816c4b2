// Package logtest has a log that tests read while it is written.
package logtest

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// Journal keeps what is written to it. The zero value is empty; all methods may be called
// from several goroutines.
type Journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Logger writes everything to the journal, from debug level on, as lines of key=value.
func (j *Journal) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Write implements io.Writer.
func (j *Journal) Write(text []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(text)
}

// String is everything written so far.
func (j *Journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// Count is the number of lines that hold all of parts.
func (j *Journal) Count(parts ...string) (lines int) {
	for line := range strings.Lines(j.String()) {
		if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) }) {
			lines++
		}
	}
	return lines
}
