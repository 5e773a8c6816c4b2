package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a server that was started for the run.
type process struct {
	command *exec.Cmd
	port    int
	output  *tail
	exited  chan struct{}
}

// startTimeout bounds how long a server may take until it accepts connections.
const startTimeout = 20 * time.Second

// start starts a command that will listen at a port, and waits until ready says so.
func start(ctx context.Context, args, environment []string, port int, ready func(context.Context, *process) error) (*process, error) {
	p := &process{port: port, output: &tail{}, exited: make(chan struct{})}
	p.command = exec.Command(args[0], args[1:]...) //nolint:gosec // the servers of this run
	p.command.Env = append(os.Environ(), environment...)
	p.command.Stdout, p.command.Stderr = p.output, p.output
	// Nothing outlives a benchmark that was killed.
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.command.Wait() // how it ended is of no matter
		close(p.exited)
	}()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := ready(ctx, p)
		if err == nil {
			return p, nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-p.exited:
			return nil, fmt.Errorf("%s ended at once: %s", args[0], p.output)
		case <-ctx.Done():
			p.kill()
			return nil, fmt.Errorf("%s is not ready: %w: %s", args[0], err, p.output)
		}
	}
}

// accepts is ready when the port is.
func accepts(_ context.Context, p *process) error {
	conn, err := net.Dial("tcp", p.address())
	if err != nil {
		return err
	}
	return conn.Close()
}

// answersReady is ready when /readyz says so.
func answersReady(ctx context.Context, p *process) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url()+"/readyz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

func (p *process) address() string { return "127.0.0.1:" + strconv.Itoa(p.port) }
func (p *process) url() string     { return "http://" + p.address() }

// kill ends the process at once and waits for it.
func (p *process) kill() {
	_ = p.command.Process.Kill()
	<-p.exited
}

// tick is the unit of times in /proc, USER_HZ, which is 100 on every Linux.
const tick = time.Second / 100

// cpu is the processor time that the process has used, user and system.
func (p *process) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var sum time.Duration
	for _, field := range fields[11:13] { // utime and stime, see proc(5)
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(ticks) * tick
	}
	return sum, nil
}

// memory is a line of /proc/<pid>/status in bytes: VmRSS now, VmHWM at its highest.
func (p *process) memory(name string) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, name+":"); found {
			kilobytes, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
			return kilobytes * 1024, err
		}
	}
	return 0, fmt.Errorf("no %s of process %d", name, p.command.Process.Pid)
}

// freePort is a port of loopback that nobody listens at now.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// tail keeps the end of what a process prints.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailBytes = 2 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-tailBytes):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
