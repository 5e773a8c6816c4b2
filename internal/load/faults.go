package load

import (
	"errors"
	"io"
	"maps"
	"net"
	"regexp"
	"sync"
	"syscall"
)

// maxFaults bounds the different texts of faults that are kept.
const maxFaults = 20

// faults counts what went wrong, by its text. Safe for concurrent use.
type faults struct {
	mu     sync.Mutex
	byText map[string]int
}

func (f *faults) note(err error) {
	text := faultText(err)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byText == nil {
		f.byText = make(map[string]int)
	}
	if _, known := f.byText[text]; known || len(f.byText) < maxFaults {
		f.byText[text]++
	}
}

func (f *faults) counts() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.byText)
}

// ports are what differs between the same fault of two connections.
var ports = regexp.MustCompile(`\d+\.\d+\.\d+\.\d+:\d+->|\[[0-9a-f:]*\]:\d+->`)

// faultText is why a connection has ended, in words that are the same for all that ended for
// the same reason.
func faultText(err error) string {
	switch {
	case errors.Is(err, io.EOF):
		return "connection closed without a word"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET):
		return "connection reset"
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return "timeout"
	}
	text := ports.ReplaceAllString(err.Error(), "")
	return text[:min(len(text), 200)]
}
