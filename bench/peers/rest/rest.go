// Package rest is the publishing route that the Go peers have in common.
package rest

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
)

// maxBody bounds a request, in bytes.
const maxBody = 1_000_000

// Room is a room's name.
func Room(workspace, app string) string { return "workspace_" + workspace + "_app_" + app }

// Handle adds the route; publish gets the room and the JSON object for its members.
func Handle(routes *http.ServeMux, publish func(room string, object []byte) error) {
	routes.HandleFunc("POST /api/v1/workspaces/{workspace}/apps/{app}/updates", func(w http.ResponseWriter, r *http.Request) {
		room, object, err := read(w, r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := publish(room, object); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"1"}`)
	})
}

func read(w http.ResponseWriter, r *http.Request) (room string, object []byte, err error) {
	var update struct {
		Event  string          `json:"event"`
		Data   json.RawMessage `json:"data"`
		UserID string          `json:"userId"`
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(body, &update)
	}
	workspace, app := r.PathValue("workspace"), r.PathValue("app")
	object = fmt.Appendf(nil, `{"event":%q,"workspaceId":%q,"appId":%q,"payload":%s,"userId":%q}`,
		update.Event, workspace, app, update.Data, update.UserID)
	return Room(workspace, app), object, err
}

// Serve listens at PORT of loopback, says so, and serves until the process ends.
func Serve(routes http.Handler) {
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening")
	log.Fatal(http.Serve(listener, routes)) //nolint:gosec // a benchmark on loopback
}
