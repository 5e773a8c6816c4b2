// Package eio3 serves Socket.IO 1.x and 2.x clients (protocol revision 4 over Engine.IO
// 3) through github.com/googollee/go-socket.io v1.7.0.
//
// Set before a network that library can be ended by a single frame and stalled by a
// single client, so it stands between doors of ours. Transports, heartbeat, ids and
// limits are the engineio package's; what the library sees of a session is a virtual
// transport that hands over packets which packet.Decode has already accepted:
//
//	engineio.Session ──Text, Binary──▶ connection ──validated, bounded──▶ conn ──▶ library
//	      ▲  ▲                                                             │          │
//	      │  └──────────────── CONNECT "40", written by the library ◀──────┘          ▼
//	      └──────────── replies, acks, deliveries: client.Send ◀──────────── session.Peer
//
// A library session lives exactly as long as its client is joined to the root namespace:
// the gateway decides first, and only then is the library told. Its rooms, broadcasts,
// acknowledgements and emitter are not used. Each session costs three parked goroutines
// and about 13 KB more than one of revision 5.
package eio3

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	socketio "github.com/googollee/go-socket.io"
	libengine "github.com/googollee/go-socket.io/engineio"
	"github.com/googollee/go-socket.io/engineio/transport"

	"github.com/roomcast/roomcast/internal/engineio"
	"github.com/roomcast/roomcast/internal/session"
)

const (
	// defaultAttachmentTimeout is how long a packet waits for its attachments.
	defaultAttachmentTimeout = 20 * time.Second
	// defaultConnectTimeout is the reference server's.
	defaultConnectTimeout = 45 * time.Second
	// defaultMaxPayload is the reference server's maxHttpBufferSize.
	defaultMaxPayload = 1_000_000
)

// Options are what a Server needs. Gateway and Logger are required.
type Options struct {
	Gateway session.Gateway
	Logger  *slog.Logger
	// AttachmentTimeout bounds the wait for the binary attachments a packet announced,
	// all of them together; the session is closed after it. Default 20 s.
	AttachmentTimeout time.Duration
	// ConnectTimeout is how long after the handshake a client that was refused must have
	// joined all the same. Default 45 s.
	ConnectTimeout time.Duration
	// MaxPayload bounds, in bytes, the attachments of one packet in total, and the
	// packets of one session that wait for the library. It should be what the Engine.IO
	// server takes as one message. Default 1,000,000.
	MaxPayload int
}

// Server turns Engine.IO 3 sessions into Socket.IO clients of the gateway.
type Server struct {
	options Options
	library *socketio.Server
	serving sync.WaitGroup // the library's accept loop

	mu      sync.Mutex
	open    int           // library sessions not yet let go
	closed  bool          // none is begun any more
	drained chan struct{} // closed when closed and open == 0
}

// New makes a Server and starts the library's accept loop, which Wait ends.
func New(options Options) *Server {
	if options.AttachmentTimeout <= 0 {
		options.AttachmentTimeout = defaultAttachmentTimeout
	}
	if options.ConnectTimeout <= 0 {
		options.ConnectTimeout = defaultConnectTimeout
	}
	if options.MaxPayload <= 0 {
		options.MaxPayload = defaultMaxPayload
	}
	s := &Server{options: options, drained: make(chan struct{})}
	// The library numbers its sessions 1, 2, 3…; that is harmless here, since its ids
	// never leave the process and no request from outside reaches its ServeHTTP.
	s.library = socketio.NewServer(&libengine.Options{
		Transports: []transport.Transport{virtualTransport{}},
	})
	s.register()
	s.serving.Go(func() { _ = s.library.Serve() }) // returns io.EOF once closed, nothing else
	return s
}

// Accept begins a revision 3 session and returns what takes its packets; r is the
// handshake request, which is not kept. When it returns, CONNECT or the refusal has been
// sent, or, after Close, the session has been closed.
func (s *Server) Accept(session *engineio.Session, r *http.Request) engineio.Handler {
	return s.accept(session, r)
}

func (s *Server) accept(transport transportSession, r *http.Request) *connection {
	c := &connection{
		server:        s,
		transport:     transport,
		query:         r.URL.RawQuery,
		authorization: r.Header.Get("Authorization"),
		opened:        time.Now(),
	}
	if err := c.join(""); err != nil {
		c.fail(err)
	}
	return c
}

// Close lets no further client join. Those that are here stay: ending them is the
// Engine.IO server's part.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	if s.open == 0 {
		close(s.drained)
	}
}

// Wait calls Close, waits until all clients have left and been let go by the library,
// and then ends the library's accept loop.
//
// That loop ends only when the library's own Close closes the channel on which its
// sessions arrive, and a session that arrives later panics on a goroutine nobody can
// recover. It is safe here and only here: none is begun after Close, and each one begun
// has passed that channel before it could be let go.
func (s *Server) Wait(ctx context.Context) error {
	s.Close()
	select {
	case <-s.drained:
	case <-ctx.Done():
		select {
		case <-s.drained: // nothing to wait for
		default:
			return fmt.Errorf("waiting for revision 4 clients to leave: %w", ctx.Err())
		}
	}
	_ = s.library.Close() // has no way to fail
	s.serving.Wait()
	return nil
}

// enter counts a library session in, unless the server is closed.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.open++
	return true
}

// leave counts a library session out.
func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	if s.closed && s.open == 0 {
		close(s.drained)
	}
}
