package config_test

import (
	"os"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/config"
)

func TestTrustedProxies(t *testing.T) {
	for _, text := range []string{"everybody", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/8,", "::ffff:10.0.0.0/104", "fe80::1%eth0", "*"} {
		_, err := config.Load([]string{"ROOMCAST_AUTH=none", "ROOMCAST_TRUSTED_PROXIES=" + text}, "")
		if err == nil || !strings.Contains(err.Error(), "must be addresses and networks such as 10.0.0.0/8 with commas between") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// One file without the other, or what is no certificate, is told at the start and by its name.
func TestFilesOfTLS(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("rubbish.pem", []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	for entries, want := range map[string]string{
		"ROOMCAST_TLS_CERT_FILE=a.pem":                                         `ROOMCAST_TLS_KEY_FILE: must be set with ROOMCAST_TLS_CERT_FILE`,
		"ROOMCAST_TLS_KEY_FILE=a.pem":                                          `ROOMCAST_TLS_CERT_FILE: must be set with ROOMCAST_TLS_KEY_FILE`,
		"ROOMCAST_TLS_CERT_FILE=a.pem ROOMCAST_TLS_KEY_FILE=a.pem":             `ROOMCAST_TLS_CERT_FILE="a.pem": cannot be used: open a.pem: no such file or directory`,
		"ROOMCAST_TLS_CERT_FILE=rubbish.pem ROOMCAST_TLS_KEY_FILE=rubbish.pem": `ROOMCAST_TLS_CERT_FILE="rubbish.pem": cannot be used: tls: failed to find any PEM data in certificate input`,
	} {
		_, err := config.Load(append(strings.Fields(entries), "ROOMCAST_AUTH=none"), "")
		if err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", entries, err, want)
		}
	}
}
