package redis

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// A context that ends while its connection is being made must not leave that behind.
func TestLinkIsCutWhileDialing(t *testing.T) {
	near, far := net.Pipe()
	feed := new(link)
	_, err := feed.open(func() (net.Conn, error) {
		feed.cut()
		return near, nil
	})
	if !errors.Is(err, errSealed) {
		t.Errorf("open: %v, want %v", err, errSealed)
	}
	_ = far.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("reading from the other end: %v, want the end: the connection is to be closed", err)
	}
}
