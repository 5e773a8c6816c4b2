package main

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// The demo reads no configuration, not even a faulty one, and what it prints is true.
func TestDemo(t *testing.T) {
	environment(t, "PORT", "http", "ROOMCAST_TYPO", "x", "REDIS_URL", "redis://127.0.0.1:1")
	demo := launch(t, "demo", "--port", "0")
	eventually(t, "the explanation", func() bool { return strings.HasSuffix(demo.stdout.String(), "Stop with Ctrl-C.\n") })
	urls := regexp.MustCompile(`(?m)^  instance [ABC]  (http://127\.0\.0\.1:[0-9]+)$`).FindAllStringSubmatch(demo.stdout.String(), -1)
	if len(urls) != 3 {
		t.Fatalf("it prints\n%s", demo.stdout.String())
	}
	for _, url := range urls {
		eventually(t, url[1]+" is ready", func() bool { return status(t, url[1]+"/readyz") == http.StatusOK })
		if got := status(t, url[1]+"/"); got != http.StatusOK {
			t.Errorf("the page at %s: %d", url[1], got)
		}
	}
	demo.stop(0)
	if !strings.HasSuffix(demo.stdout.String(), "\nStopped.\n") {
		t.Errorf("at the end it has printed\n%s", demo.stdout.String())
	}
	if demo.stderr.String() != "" {
		t.Errorf("standard error:\n%s", demo.stderr.String())
	}
}

func TestDemoVerbose(t *testing.T) {
	environment(t)
	demo := launch(t, "demo", "--port", "0", "--verbose")
	eventually(t, "the log", func() bool { return strings.Count(demo.stderr.String(), "msg=serving") == 3 })
	demo.stop(0)
}

func TestDemoWithoutFreePorts(t *testing.T) {
	environment(t)
	code, stdout, stderr := command(t, "demo", "--port", "65534")
	if code != 1 || stdout != "" || !strings.HasPrefix(stderr, "roomcast demo: no 3 free ports from 65534 to 65535: ") || !strings.HasSuffix(stderr, "\nSet -port to another.\n") {
		t.Errorf("%d %q %q", code, stdout, stderr)
	}
}
