package app_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/roomcast/roomcast/internal/app"
	"github.com/roomcast/roomcast/internal/metrics"
)

// startDemo runs a demo from a port on, until the end of the test at the latest.
func startDemo(t *testing.T, port int) *app.Demo {
	t.Helper()
	d, err := app.NewDemo(load(t, "PORT="+strconv.Itoa(port)), metrics.BuildInfo{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopDemo(t, d) })
	return d
}

func stopDemo(t *testing.T, d *app.Demo) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := d.Stop(ctx); err != nil {
		t.Errorf("stopping: %v", err)
	}
}

// Everything that the demo tells a newcomer to do works as it stands there.
func TestDemoDoesWhatItExplains(t *testing.T) {
	d := startDemo(t, 0)
	var text strings.Builder
	d.Explain(&text)
	urls := d.URLs()
	if len(urls) != 3 {
		t.Fatalf("%d instances", len(urls))
	}
	for n, name := range []string{"A", "B", "C"} {
		if !strings.Contains(text.String(), "  instance "+name+"  "+urls[n]+"\n") {
			t.Errorf("instance %s at %s is not in\n%s", name, urls[n], text.String())
		}
		if status := call(t, http.MethodGet, urls[n]+"/", "").status; status != http.StatusOK {
			t.Errorf("the page of instance %s: %d", name, status)
		}
	}
	const room = `{workspaceId: "demo", appId: "board"}` // as JavaScript has it
	clients := []*websocket{dial(t, urls[0], "/socket.io/", "4"), dial(t, urls[1], "/socket.io/", "3")}
	for _, client := range clients {
		client.send(`42["application",{"event":"SUBSCRIBE","payload":{"workspaceId":"demo","appId":"board"}}]`)
		client.wants(`"status":"SUCCESS"`)
	}
	curl := regexp.MustCompile(`(?m)^curl -X (\S+) (\S+) -d '(.*)'$`).FindStringSubmatch(text.String())
	if curl == nil || !strings.HasPrefix(curl[2], urls[2]+"/") || !strings.Contains(text.String(), `{event: "SUBSCRIBE", payload: `+room+`}`) {
		t.Fatalf("no line for curl to instance C, or no client code, in\n%s", text.String())
	}
	// As curl sends it.
	got := call(t, curl[1], curl[2], curl[3], "Content-Type", "application/x-www-form-urlencoded")
	if got.status != http.StatusOK {
		t.Errorf("curl would get %d %s", got.status, got.body)
	}
	name := regexp.MustCompile(`socket\.on\("(workspace_[^"]+)"`).FindStringSubmatch(text.String())[1]
	for _, client := range clients {
		client.wants(`^42\["` + name + `",\{"event":"UPDATE_APP",.*"displayName":"Hello from C"`)
	}
}

// The page has a client on A and one on B, which must let the page of the other in.
func TestDemoPagesReachTwoInstances(t *testing.T) {
	d := startDemo(t, 0)
	urls := d.URLs()
	panes := `"panes":[{"label":"instance A","url":"` + urls[0] + `"},{"label":"instance B","url":"` + urls[1] + `"}]}`
	for n, page := range urls {
		want := `{"here":"instance ` + []string{"A", "B", "C"}[n] + `",` + panes
		if got := call(t, http.MethodGet, page+"/playground/config.json", "").body; strings.TrimSpace(got) != want {
			t.Errorf("the page of %s connects to %s", page, got)
		}
		for _, origin := range []string{page, strings.Replace(page, "127.0.0.1", "localhost", 1)} {
			got := call(t, http.MethodGet, urls[1]+"/socket.io/?EIO=4&transport=polling", "", "Origin", origin)
			if got.status != http.StatusOK || got.header.Get("Access-Control-Allow-Origin") != origin {
				t.Errorf("instance B to a page of %s: %d, allowing %q", origin, got.status, got.header.Get("Access-Control-Allow-Origin"))
			}
		}
	}
	if got := call(t, http.MethodGet, urls[0]+"/socket.io/?EIO=4&transport=polling", "", "Origin", "http://evil.example"); got.status != http.StatusForbidden {
		t.Errorf("a page of another origin: %d", got.status)
	}
}

func TestDemoTakesTheNextFreePorts(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	first := taken.Addr().(*net.TCPAddr).Port
	d := startDemo(t, first)
	var ports []int
	for _, url := range d.URLs() {
		port, err := strconv.Atoi(strings.TrimPrefix(url, "http://127.0.0.1:"))
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, port)
	}
	if !slices.IsSorted(ports) || ports[0] <= first || ports[2] >= first+100 || ports[0] == ports[1] || ports[1] == ports[2] {
		t.Errorf("from %d on, which is taken, it took %v", first, ports)
	}
}

func TestDemoWithoutFreePorts(t *testing.T) {
	before := goleak.IgnoreCurrent()
	_, err := app.NewDemo(load(t, "PORT=65534"), metrics.BuildInfo{}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.HasPrefix(err.Error(), "no 3 free ports from 65534 to 65535: ") {
		t.Errorf("it says %v", err)
	}
	goleak.VerifyNone(t, before)
	for _, port := range []string{"65534", "65535"} {
		listener, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatalf("it keeps port %s: %v", port, err)
		}
		_ = listener.Close()
	}
}

func TestDemoStopsWhole(t *testing.T) {
	before := goleak.IgnoreCurrent()
	d := startDemo(t, 0)
	clients := []*websocket{dial(t, d.URLs()[0], "/socket.io/", "4"), dial(t, d.URLs()[2], "/socket.io/", "3")}
	stopDemo(t, d)
	for _, client := range clients {
		client.wantsEnd()
	}
	for _, url := range d.URLs() {
		if !refuses(strings.TrimPrefix(url, "http://")) {
			t.Errorf("%s is still served", url)
		}
	}
	goleak.VerifyNone(t, before)
}
