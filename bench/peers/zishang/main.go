// Command zishang is a server on zishang520/socket.io, one instance alone.
package main

import (
	"encoding/json"
	"net/http"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"github.com/roomcast/roomcast/bench/peers/rest"
)

func main() {
	server := socket.NewServer(nil, nil)
	_ = server.On("connection", func(clients ...any) {
		client := clients[0].(*socket.Socket)
		_ = client.On("application", func(data ...any) { subscribe(client, data) })
	})
	routes := http.NewServeMux()
	routes.Handle("/socket.io/", server.ServeHandler(nil))
	rest.Handle(routes, func(room string, object []byte) error {
		// The library encodes values, not text that is JSON already.
		var value map[string]any
		if err := json.Unmarshal(object, &value); err != nil {
			return err
		}
		return server.To(socket.Room(room)).Emit(room, value)
	})
	rest.Serve(routes)
}

func subscribe(client *socket.Socket, data []any) {
	message, _ := data[0].(map[string]any)
	payload, _ := message["payload"].(map[string]any)
	workspace, _ := payload["workspaceId"].(string)
	app, _ := payload["appId"].(string)
	client.Join(socket.Room(rest.Room(workspace, app)))
	_ = client.Emit("application_response", map[string]any{"status": "SUCCESS", "event": "SUBSCRIBE", "payload": payload})
}
