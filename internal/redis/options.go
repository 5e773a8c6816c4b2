package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/nonblock"
)

const (
	// DefaultChannel is the pub/sub channel, and the hash tag of all keys.
	DefaultChannel = "socketevent"

	// DefaultRoomIndexSize bounds the room index. At about 150 bytes a room it takes 15 MB
	// of Redis; rooms that were forgotten cost their members a reload at worst.
	DefaultRoomIndexSize = 100_000

	// ioTimeout bounds connecting, one write and one read. Healthy Redis answers in
	// milliseconds; a second attempt on a new connection is worth more than patience.
	ioTimeout = 3 * time.Second
)

// Server says where Redis is.
type Server struct {
	// Addresses holds host:port of the server, or of its sentinels when Master is set.
	Addresses []string
	Master    string // the name under which the sentinels know the server
	Username  string
	Password  string
	Database  int
	TLS       bool
}

// Options of a Store; fields are required unless their comment says otherwise.
type Options struct {
	Server   Server
	Instance string // names the connections in CLIENT LIST
	Channel  string // DefaultChannel if empty

	// What each room keeps, whichever bound is reached first; its newest event in any case.
	HistorySize  int           // events
	HistoryBytes int           // of objects
	HistoryTTL   time.Duration // from an event's publication on, in whole milliseconds

	RoomIndexSize int // DefaultRoomIndexSize if zero
	Logger        *slog.Logger
}

func (o Options) check() error {
	switch {
	case len(o.Server.Addresses) == 0:
		return errors.New("no address of a Redis server")
	case len(o.Server.Addresses) > 1 && o.Server.Master == "":
		return errors.New("several addresses need the name of a master that sentinels know")
	case strings.ContainsAny(o.Channel, "{}"):
		// The hash tag of the keys would end at the wrong brace.
		return errors.New("the channel's name must not hold braces")
	case o.HistorySize < 1 || o.HistoryBytes < 1 || o.HistoryTTL < time.Millisecond:
		return errors.New("history needs a size, bytes and a time to live")
	case o.RoomIndexSize < 0:
		return errors.New("the room index needs a size")
	case o.Logger == nil:
		return errors.New("no logger")
	}
	return event.CheckID("instance", o.Instance)
}

// newClient makes the client without connecting. onConnect runs on every new connection,
// those of the feed included, before anything else.
func (o Options) newClient(onConnect func(context.Context, *goredis.Conn) error) *goredis.Client {
	options := &goredis.UniversalOptions{
		Addrs:      o.Server.Addresses,
		MasterName: o.Server.Master,
		Username:   o.Server.Username,
		Password:   o.Server.Password,
		DB:         o.Server.Database,
		Dialer:     o.Server.dialer(),
		OnConnect:  onConnect, // names the connection too, which would be a round trip of its own
		// Revision 3 of the protocol offers only pushes that nobody here listens to.
		Protocol:        2,
		DisableIdentity: true, // a round trip for the name of a library
		// Retries are ours: a repeated publish must carry its id, and the caller's
		// deadline decides when to give up.
		MaxRetries:            -1,
		DialerRetries:         1,
		DialTimeout:           ioTimeout,
		ReadTimeout:           ioTimeout,
		WriteTimeout:          ioTimeout,
		ContextTimeoutEnabled: true,
	}
	if o.Server.Master != "" {
		return goredis.NewFailoverClient(options.Failover())
	}
	return goredis.NewClient(options.Simple())
}

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

func (s Server) dialer() dialFunc {
	plain := &net.Dialer{Timeout: ioTimeout, KeepAlive: time.Minute}
	dial := nonblocking(plain.DialContext)
	if s.TLS {
		secure := &tls.Dialer{NetDialer: plain, Config: &tls.Config{MinVersion: tls.VersionTLS12}}
		dial = secure.DialContext
	}
	return linked(dial, new(lines).watched(dial))
}

// nonblocking makes the reading of single messages cheaper, of which an instance hears many.
func nonblocking(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if tcp, ok := conn.(*net.TCPConn); ok && err == nil {
			return nonblock.NewConn(tcp)
		}
		return conn, err
	}
}

// LogClient sends what go-redis itself has to say, which it would otherwise print, to
// logger at debug level. It holds for the whole process: call it once, before Open.
func LogClient(logger *slog.Logger) { goredis.SetLogger(clientLog{logger}) }

type clientLog struct{ logger *slog.Logger }

func (l clientLog) Printf(ctx context.Context, format string, values ...any) {
	if l.logger.Enabled(ctx, slog.LevelDebug) {
		l.logger.DebugContext(ctx, "redis client", "message", fmt.Sprintf(format, values...))
	}
}
