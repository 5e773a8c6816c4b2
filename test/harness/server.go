package harness

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// ServerOptions is what tests vary of `roomcast serve`.
type ServerOptions struct {
	ID    string   // ROOMCAST_INSTANCE_ID
	Redis string   // redis:// URL, empty for the embedded store
	Env   []string // further NAME=value
	Key   string   // shown with each Call, empty for none
	TLS   Certificate
}

// Server is one running instance.
type Server struct {
	*Process
	ID      string
	Address string // host:port
	URL     string // http://host:port

	options ServerOptions
	client  http.Client // that trusts the server
}

// StartServer runs an instance and waits until it is ready.
func StartServer(t testing.TB, options ServerOptions) *Server {
	t.Helper()
	s := StartUnready(t, options)
	s.AwaitReady(t)
	return s
}

// StartUnready runs an instance and waits only until it answers: for a Redis that is away.
// At the end of the test it is told to go and has to, cleanly.
func StartUnready(t testing.TB, options ServerOptions) *Server {
	t.Helper()
	at := address(FreePort(t))
	s := &Server{ID: options.ID, Address: at, URL: "http://" + at, options: options, client: http.Client{Timeout: Patience}}
	if options.TLS != (Certificate{}) {
		trusted := x509.NewCertPool()
		trusted.AppendCertsFromPEM([]byte(options.TLS.PEM))
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}}
		t.Cleanup(transport.CloseIdleConnections)
		s.URL, s.client.Transport = "https://"+at, transport
	}
	s.run(t)
	t.Cleanup(func() {
		if s.Running() {
			s.Terminate(t)
		}
	})
	return s
}

// Restart runs an instance that has ended once more, at the same address, and waits until it
// is ready.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.run(t)
	s.AwaitReady(t)
}

func (s *Server) run(t testing.TB) {
	t.Helper()
	_, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(Binary(t), "serve")
	command.Dir = t.TempDir() // no .env of whoever runs the tests
	command.Env = append([]string{
		"PATH=" + os.Getenv("PATH"),
		"PORT=" + port,
		"ROOMCAST_HOST=127.0.0.1",
		"ROOMCAST_INSTANCE_ID=" + s.ID,
		"ROOMCAST_AUTH=none",
		"ROOMCAST_DRAIN_NOTICE=0s", // no balancer has to notice
	}, s.options.Env...)
	if s.options.TLS != (Certificate{}) {
		command.Env = append(command.Env, "ROOMCAST_TLS_CERT_FILE="+s.options.TLS.CertFile, "ROOMCAST_TLS_KEY_FILE="+s.options.TLS.KeyFile)
	}
	if s.options.Redis != "" {
		command.Env = append(command.Env, "REDIS_URL="+s.options.Redis)
	}
	s.Process = Run(t, "roomcast "+s.ID, command)
	Eventually(t, "instance "+s.ID+" answers /healthz", func() bool {
		if !s.Running() {
			t.Fatalf("instance %s ended at start: %s", s.ID, s.command.ProcessState)
		}
		return s.status("/healthz") == http.StatusOK
	})
}

// AwaitReady waits until the instance hears itself through its store.
func (s *Server) AwaitReady(t testing.TB) {
	t.Helper()
	Eventually(t, "instance "+s.ID+" is ready", func() bool { return s.status("/readyz") == http.StatusOK })
}

// status is 0 while nobody answers.
func (s *Server) status(path string) int {
	response, err := s.client.Get(s.URL + path)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	return response.StatusCode
}

// Answer is what came back over REST.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Call does one request with a JSON body, or without when body is nil.
func (s *Server) Call(t testing.TB, method, path string, body any) Answer {
	t.Helper()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, content)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if s.options.Key != "" {
		request.Header.Set("Authorization", "Bearer "+s.options.Key)
	}
	response, err := s.client.Do(request)
	if err != nil {
		t.Fatalf("%s %s on instance %s: %v", method, path, s.ID, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("reading the answer to %s %s: %v", method, path, err)
	}
	return Answer{Status: response.StatusCode, Header: response.Header, Body: string(text)}
}

// PutApp updates an app, with any further fields, and expects it to be accepted.
func (s *Server) PutApp(t testing.TB, room Room, fields map[string]any) {
	t.Helper()
	body := map[string]any{"workspaceId": room.Workspace, "appId": room.App, "displayName": "an app"}
	for name, value := range fields {
		body[name] = value
	}
	if answer := s.Call(t, http.MethodPut, "/api/v1/apps/", body); answer.Status != http.StatusOK {
		t.Fatalf("PUT /api/v1/apps/ for %v: status %d, body %s", room, answer.Status, answer.Body)
	}
}

// Metric is the sum of the series of one metric that have all of the labels, each given
// as `name="value"`.
func (s *Server) Metric(t testing.TB, name string, labels ...string) float64 {
	t.Helper()
	var sum float64
	for line := range strings.Lines(s.Call(t, http.MethodGet, "/metrics", nil).Body) {
		line = strings.TrimSpace(line)
		end := strings.LastIndexByte(line, ' ') // a label may hold spaces, the value cannot
		if end < 0 {
			continue
		}
		series := line[:end]
		if metric, _, _ := strings.Cut(series, "{"); metric != name || !containsAll(series, labels) {
			continue
		}
		number, err := strconv.ParseFloat(line[end+1:], 64)
		if err != nil {
			t.Fatalf("metric %s: %v", series, err)
		}
		sum += number
	}
	return sum
}

func containsAll(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}
