package harness

import (
	"io"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// runScript runs a program of test/clients until the end of the test and returns its
// standard input. What it writes is for read, in a goroutine of its own.
func runScript(t testing.TB, name string, read func(stdout io.Reader)) io.WriteCloser {
	t.Helper()
	command := exec.Command(Program(t, "node"), name)
	command.Dir = filepath.Join(Root(), "test", "clients")
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	// A pipe of our own: that of os/exec may be closed by its Wait while we still read.
	stdout, written := io.Pipe()
	command.Stdout = written
	var reader sync.WaitGroup
	t.Cleanup(reader.Wait)
	t.Cleanup(func() { _ = written.Close() })
	Run(t, "test/clients/"+name, command)
	reader.Go(func() { read(stdout) })
	return stdin
}
