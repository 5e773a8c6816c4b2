package test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/roomcast/roomcast/test/harness"
)

// Callers that get no answer in time send again, through a balancer, while the first
// request may still be under way on another instance.
func TestAKeyPublishesOnceOnAllInstances(t *testing.T) {
	t.Parallel()
	const keys, each = 20, 8
	cluster := harness.StartCluster(t, "one", "two")
	runner := harness.StartRunner(t)
	room, fence := harness.Room{Workspace: "w", App: "a"}, harness.Room{Workspace: "w", App: "fence"}
	var clients []*harness.Client
	for n, version := range []int{2, 4} {
		client := runner.Open(t, harness.Dial{Version: version, Mode: "websocket", URL: cluster.Servers[n].URL})
		client.Subscribe(t, room)
		client.Subscribe(t, fence)
		clients = append(clients, client)
	}

	var want []string
	for n := range keys {
		// The second is another update, so whichever comes later is refused.
		bodies := []string{fmt.Sprintf(`{"event":"TAKEN","data":{"seat":%d}}`, n), fmt.Sprintf(`{"event":"FREED","data":{"seat":%d}}`, n)}
		answers := atOnce(t, cluster.Servers, fmt.Sprintf("seat-%d", n), bodies, each)
		want = append(want, first(t, answers))
	}

	cluster.Servers[0].PutApp(t, fence, nil)
	for _, client := range clients {
		client.AwaitUpdate(t, fence)
		var got []string
		for _, update := range client.Updates(t, room) {
			got = append(got, update.Position)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s got updates at %v, want those that were answered: %v", client, got, want)
		}
	}
	counted := map[string]float64{}
	for _, server := range cluster.Servers {
		for _, outcome := range []string{"duplicate", "reused"} {
			counted[outcome] += server.Metric(t, "roomcast_publications_total", `outcome="`+outcome+`"`)
		}
	}
	if counted["duplicate"] != keys*(each-1) || counted["reused"] != keys*each {
		t.Errorf("counted %v, want %d duplicates and %d reused", counted, keys*(each-1), keys*each)
	}
}

// atOnce sends each body as often as told under one key, all at the same moment, spread
// over the servers.
func atOnce(t *testing.T, servers []*harness.Server, key string, bodies []string, each int) []harness.Answer {
	t.Helper()
	answers := make([]harness.Answer, each*len(bodies))
	client := &http.Client{Timeout: harness.Patience}
	defer client.CloseIdleConnections()
	start := make(chan struct{})
	var group sync.WaitGroup
	for i := range answers {
		server, body := servers[i%len(servers)], bodies[i/each]
		group.Go(func() {
			<-start
			var err error
			if answers[i], err = postUnder(t, client, server, key, body); err != nil {
				t.Errorf("POST under %s on instance %s: %v", key, server.ID, err)
			}
		})
	}
	close(start)
	group.Wait()
	return answers
}

func postUnder(t *testing.T, client *http.Client, server *harness.Server, key, body string) (harness.Answer, error) {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		server.URL+"/api/v1/workspaces/w/apps/a/updates", strings.NewReader(body))
	if err != nil {
		return harness.Answer{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", key)
	response, err := client.Do(request)
	if err != nil {
		return harness.Answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return harness.Answer{Status: response.StatusCode, Header: response.Header, Body: string(text)}, err
}

// first is the position in the answers of one key, which must agree: one says that the update
// was published, others of the same body that it had been, and those of the other body 422.
func first(t *testing.T, answers []harness.Answer) (position string) {
	t.Helper()
	seen := map[string]int{}
	for _, answer := range answers {
		said := fmt.Sprintf("%d, replayed %q", answer.Status, answer.Header.Get("Idempotency-Replayed"))
		seen[said]++
		if answer.Status != http.StatusCreated {
			continue
		}
		_, at, _ := strings.Cut(strings.TrimSuffix(answer.Body, "\"}\n"), `"position":"`)
		if position != "" && at != position {
			t.Errorf("one key is answered with the positions %s and %s", position, at)
		}
		position = at
	}
	half := len(answers) / 2
	if seen[`201, replayed ""`] != 1 || seen[`201, replayed "true"`] != half-1 || seen[`422, replayed ""`] != half {
		t.Errorf("of %d requests under one key, half of them for another update, the answers are %v", len(answers), seen)
	}
	return position
}
