package load

import (
	"errors"
	"io"
	"net"
	"regexp"
	"syscall"
)

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
