// Package test holds the whole-system tests: the built binary, a real Redis and HAProxy,
// the official Socket.IO clients of every generation, and a browser.
package test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
