package app

import (
	"crypto/x509"
	"log/slog"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/config"
)

// NewCertificate gives the serial number of the certificate in two files as it is served at a time.
func NewCertificate(t *testing.T, certFile, keyFile string) func(now time.Time) int64 {
	t.Helper()
	c := &certificate{files: config.TLS{CertFile: certFile, KeyFile: keyFile}, logger: slog.New(slog.DiscardHandler)}
	if err := c.load(); err != nil {
		t.Fatal(err)
	}
	return func(now time.Time) int64 {
		leaf, err := x509.ParseCertificate(c.get(now).Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.SerialNumber.Int64()
	}
}
