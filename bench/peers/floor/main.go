// Command floor is the least that a fan-out can cost in the usual way: one frame, encoded
// once, and one write of it for each connection. It keeps nothing and promises nothing.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/redis/go-redis/v9"

	"github.com/roomcast/roomcast/bench/peers/rest"
)

const (
	channel      = "floor"
	pingInterval = 25 * time.Second
	open         = `0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`
)

type server struct {
	redis *redis.Client // nil for one instance alone

	mu    sync.Mutex
	rooms map[string][]net.Conn // by name
}

func main() {
	s := &server{rooms: make(map[string][]net.Conn)}
	if url := os.Getenv("REDIS_URL"); url != "" {
		options, err := redis.ParseURL(url)
		if err != nil {
			log.Fatal(err)
		}
		s.redis = redis.NewClient(options)
		go s.hear()
	}
	go s.ping()
	routes := http.NewServeMux()
	routes.HandleFunc("GET /socket.io/", s.socket)
	rest.Handle(routes, s.publish)
	rest.Serve(routes)
}

// hear fans out what comes over Redis, in the goroutine that hears it.
func (s *server) hear() {
	for message := range s.redis.Subscribe(context.Background(), channel).Channel() {
		room, object, _ := strings.Cut(message.Payload, "\n")
		s.deliver(room, object)
	}
}

// deliver is the floor itself.
func (s *server) deliver(room, object string) {
	frame := ws.MustCompileFrame(ws.NewTextFrame([]byte(`42["` + room + `",` + object + `]`)))
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.rooms[room] {
		_, _ = conn.Write(frame) // its reader notices that it is gone
	}
}

func (s *server) ping() {
	frame := ws.MustCompileFrame(ws.NewTextFrame([]byte("2")))
	for range time.Tick(pingInterval) {
		s.mu.Lock()
		for _, members := range s.rooms {
			for _, conn := range members {
				_, _ = conn.Write(frame)
			}
		}
		s.mu.Unlock()
	}
}

func (s *server) publish(room string, object []byte) error {
	if s.redis == nil {
		s.deliver(room, string(object))
		return nil
	}
	return s.redis.Publish(context.Background(), channel, room+"\n"+string(object)).Err()
}

// socket leaves the reading to a goroutine of its own: that of the handshake, and its
// buffers, go.
func (s *server) socket(w http.ResponseWriter, r *http.Request) {
	conn, _, _, err := ws.UpgradeHTTP(r, w)
	if err != nil {
		return
	}
	go s.read(conn)
}

func (s *server) read(conn net.Conn) {
	defer conn.Close()
	if wsutil.WriteServerText(conn, []byte(open)) != nil {
		return
	}
	var joined string
	defer func() { s.leave(joined, conn) }()
	for {
		text, err := wsutil.ReadClientText(conn)
		if err != nil {
			return
		}
		switch {
		case string(text) == "40":
			err = wsutil.WriteServerText(conn, []byte(`40{"sid":"s"}`))
		case strings.HasPrefix(string(text), `42["application"`):
			joined, err = s.join(conn, text)
		}
		if err != nil {
			return
		}
	}
}

func (s *server) join(conn net.Conn, text []byte) (room string, err error) {
	var message [2]json.RawMessage
	var subscribe struct {
		Payload struct {
			WorkspaceID string `json:"workspaceId"`
			AppID       string `json:"appId"`
		} `json:"payload"`
	}
	if err := json.Unmarshal(text[2:], &message); err != nil {
		return "", err
	}
	if err := json.Unmarshal(message[1], &subscribe); err != nil {
		return "", err
	}
	room = rest.Room(subscribe.Payload.WorkspaceID, subscribe.Payload.AppID)
	s.mu.Lock()
	s.rooms[room] = append(s.rooms[room], conn)
	s.mu.Unlock()
	return room, wsutil.WriteServerText(conn, []byte(`42["application_response",{"status":"SUCCESS","event":"SUBSCRIBE"}]`))
}

func (s *server) leave(room string, conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	members := s.rooms[room]
	for i, member := range members {
		if member == conn {
			members[i] = members[len(members)-1]
			s.rooms[room] = members[:len(members)-1]
			return
		}
	}
}
