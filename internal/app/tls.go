package app

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/roomcast/roomcast/internal/config"
)

// certificateLook is how often, at most, a handshake looks whether the files have changed.
const certificateLook = 10 * time.Second

// certificate is that of two files. Whoever renews it writes the files anew; no signal and no
// restart is needed.
type certificate struct {
	files  config.TLS
	logger *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	written [2]time.Time // when the files were changed last, as far as was tried
	looked  time.Time
}

// newTLS is how connections are encrypted. There is no HTTP/2: a websocket cannot be upgraded to
// in it, and what polls would gain is lost to a second way of flooding.
func newTLS(files config.TLS, logger *slog.Logger) (*tls.Config, error) {
	c := &certificate{files: files, logger: logger}
	if err := c.load(); err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.get(time.Now()), nil },
	}, nil
}

// load reads both files.
func (c *certificate) load() error {
	pair, err := tls.LoadX509KeyPair(c.files.CertFile, c.files.KeyFile)
	if err != nil {
		return err
	}
	c.current = &pair
	return nil
}

// get is the certificate, read anew if a file has changed. One that cannot be used, as between
// the writing of the two files, is tried again, and that there was serves on.
func (c *certificate) get(now time.Time) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.looked) < certificateLook {
		return c.current
	}
	c.looked = now
	written := c.times()
	if written == c.written {
		return c.current
	}
	if err := c.load(); err != nil {
		c.logger.Warn("cannot use the certificate that has been written, going on with the former", "error", err)
		return c.current
	}
	if c.written != [2]time.Time{} {
		c.logger.Info("serving another certificate from now on")
	}
	c.written = written
	return c.current
}

func (c *certificate) times() (written [2]time.Time) {
	for i, name := range []string{c.files.CertFile, c.files.KeyFile} {
		if info, err := os.Stat(name); err == nil {
			written[i] = info.ModTime()
		}
	}
	return written
}
