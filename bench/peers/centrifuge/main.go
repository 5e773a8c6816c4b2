// Command centrifuge is a server on the library of that name: its own protocol in JSON, over
// websocket, with its Redis broker.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/centrifugal/centrifuge"
)

func main() {
	node, err := centrifuge.New(centrifuge.Config{LogLevel: centrifuge.LogLevelNone})
	if err != nil {
		log.Fatal(err)
	}
	if url := os.Getenv("REDIS_URL"); url != "" {
		shard, err := centrifuge.NewRedisShard(node, centrifuge.RedisShardConfig{Address: url})
		if err != nil {
			log.Fatal(err)
		}
		broker, err := centrifuge.NewRedisBroker(node, centrifuge.RedisBrokerConfig{Shards: []*centrifuge.RedisShard{shard}})
		if err != nil {
			log.Fatal(err)
		}
		node.SetBroker(broker)
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{}}, nil
	})
	node.OnConnect(func(client *centrifuge.Client) {
		client.OnSubscribe(func(_ centrifuge.SubscribeEvent, answer centrifuge.SubscribeCallback) {
			answer(centrifuge.SubscribeReply{}, nil)
		})
	})
	if err := node.Run(); err != nil {
		log.Fatal(err)
	}
	routes := http.NewServeMux()
	routes.Handle("/connection/websocket", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{}))
	routes.HandleFunc("POST /api/v1/workspaces/{workspace}/apps/{app}/updates", func(w http.ResponseWriter, r *http.Request) {
		publish(node, w, r)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening")
	log.Fatal(http.Serve(listener, routes)) //nolint:gosec // a benchmark on loopback
}

func publish(node *centrifuge.Node, w http.ResponseWriter, r *http.Request) {
	var update struct {
		Event  string          `json:"event"`
		Data   json.RawMessage `json:"data"`
		UserID string          `json:"userId"`
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1_000_000))
	if err == nil {
		err = json.Unmarshal(body, &update)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	workspace, app := r.PathValue("workspace"), r.PathValue("app")
	object := fmt.Appendf(nil, `{"event":%q,"workspaceId":%q,"appId":%q,"payload":%s,"userId":%q}`,
		update.Event, workspace, app, update.Data, update.UserID)
	if _, err := node.Publish("workspace_"+workspace+"_app_"+app, object); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, `{"id":"1"}`)
}
