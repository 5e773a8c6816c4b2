// Package harness starts the real things the whole-system tests are made of: the built
// binary, redis-server, HAProxy, and the official Socket.IO clients. Each is a process of
// its own; each ends with the test that started it; its output is shown when that test
// fails.
package harness

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// Patience is how long a condition may take to come true. Nothing is measured by it: a
	// loaded machine must not fail a test.
	Patience = 30 * time.Second
	// shownOutput bounds what a failed test prints of each process, in bytes.
	shownOutput = 8 << 10
)

// Process is a program running for one test.
type Process struct {
	name    string
	command *exec.Cmd
	output  *output
	exited  chan struct{} // closed once the process has been waited for
}

// Run starts a program. It is stopped with the test at the latest, in the reverse order
// of starting.
func Run(t testing.TB, name string, command *exec.Cmd) *Process {
	t.Helper()
	p := &Process{name: name, command: command, output: &output{}, exited: make(chan struct{})}
	if command.Stdout == nil {
		command.Stdout = p.output
	}
	command.Stderr = p.output
	// Should the tests be killed, nothing of theirs stays behind.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	go func() {
		_ = command.Wait() // the state says how it ended
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.end(syscall.SIGKILL)
		if t.Failed() {
			t.Logf("--- output of %s:\n%s", name, p.output.tail())
		}
	})
	return p
}

// Running reports whether the process has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// Output is what the process has written so far.
func (p *Process) Output() string { return p.output.String() }

// Kill ends the process as a crash would and waits for its end.
func (p *Process) Kill() { p.end(syscall.SIGKILL) }

// Terminate asks the process to end, as an orchestrator would, and fails the test if it
// does not, or not with exit code 0.
func (p *Process) Terminate(t testing.TB) {
	t.Helper()
	if !p.Running() {
		t.Errorf("%s had already ended: %s", p.name, p.command.ProcessState)
		return
	}
	if !p.end(syscall.SIGTERM) {
		t.Errorf("%s did not end within %s of SIGTERM", p.name, Patience)
	} else if code := p.command.ProcessState.ExitCode(); code != 0 {
		t.Errorf("%s ended with %s after SIGTERM, want exit code 0", p.name, p.command.ProcessState)
	}
}

// Signal sends a signal and does not wait for what comes of it.
func (p *Process) Signal(t testing.TB, signal os.Signal) {
	t.Helper()
	if err := p.command.Process.Signal(signal); err != nil {
		t.Fatalf("signalling %s: %v", p.name, err)
	}
}

// AwaitEnd waits until the process has ended, and tells how.
func (p *Process) AwaitEnd(t testing.TB) *os.ProcessState {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(Patience):
		t.Fatalf("%s did not end within %s", p.name, Patience)
	}
	return p.command.ProcessState
}

// end reports whether the signal alone was enough.
func (p *Process) end(signal os.Signal) bool {
	_ = p.command.Process.Signal(signal) // it may have ended by itself
	select {
	case <-p.exited:
		return true
	case <-time.After(Patience):
		_ = p.command.Process.Kill()
		<-p.exited
		return false
	}
}

// Eventually waits until the condition holds.
func Eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	const interval = 20 * time.Millisecond
	for deadline := time.Now().Add(Patience); !condition(); time.Sleep(interval) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain: %s", Patience, what)
		}
	}
}

// output keeps what a process writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write is called by the goroutine that os/exec copies with.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) tail() string {
	text := o.String()
	if len(text) > shownOutput {
		text = "…" + text[len(text)-shownOutput:]
	}
	return strings.TrimRight(text, "\n")
}
