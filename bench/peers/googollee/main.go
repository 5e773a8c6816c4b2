// Command googollee is a server on googollee/go-socket.io, for clients of Socket.IO 1 and 2,
// one instance alone.
package main

import (
	"encoding/json"
	"log"
	"net/http"

	socketio "github.com/googollee/go-socket.io"

	"github.com/roomcast/roomcast/bench/peers/rest"
)

type subscription struct {
	Event   string `json:"event"`
	Payload struct {
		WorkspaceID string `json:"workspaceId"`
		AppID       string `json:"appId"`
	} `json:"payload"`
}

type answer struct {
	Status string `json:"status"`
	subscription
}

func main() {
	server := socketio.NewServer(nil)
	server.OnConnect("/", func(socketio.Conn) error { return nil })
	server.OnError("/", func(socketio.Conn, error) {})
	server.OnEvent("/", "application", func(conn socketio.Conn, message subscription) {
		conn.Join(rest.Room(message.Payload.WorkspaceID, message.Payload.AppID))
		conn.Emit("application_response", answer{"SUCCESS", message})
	})
	go func() { log.Fatal(server.Serve()) }()
	routes := http.NewServeMux()
	routes.Handle("/socket.io/", server)
	rest.Handle(routes, func(room string, object []byte) error {
		server.BroadcastToRoom("/", room, room, json.RawMessage(object))
		return nil
	})
	rest.Serve(routes)
}
