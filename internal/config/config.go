// Package config is the only reader of the environment: it turns the environment and a
// .env file into a Config, or into everything that is wrong with them, together.
package config

import (
	"log/slog"
	"time"

	"github.com/roomcast/roomcast/internal/auth"
	"github.com/roomcast/roomcast/internal/proxy"
)

// Config is what one instance runs with. Every value in it has been checked.
type Config struct {
	// Environment names the deployment, such as development or production.
	Environment string
	// Instance tells this instance from the others of its deployment: 1 to 32 characters
	// of A-Z a-z 0-9 _ -, drawn at random when none was given.
	Instance string
	// Channel is the pub/sub channel that all instances of a deployment share; their
	// Redis keys carry its name too.
	Channel string

	Listen  Listen
	Redis   Redis
	Engine  Engine
	Limits  Limits
	History History
	// Recovery is how a client continues its session on another connection.
	Recovery Recovery
	Drain    Drain
	Access   Access
	Log      Log
}

// Listen is where the instance is reached.
type Listen struct {
	Host  string // an address or a host name, empty for all interfaces
	Port  int    // 0 for any free port
	Admin string // host:port for metrics and health alone, empty to serve them on Port

	// TLS is what Port is served with; its zero value: in the clear.
	TLS TLS
	// Proxies are those who may say which client a request comes from.
	Proxies proxy.Networks
}

// TLS names the files, in PEM form, of a certificate with its chain and of its key.
type TLS struct {
	CertFile, KeyFile string
}

// Engine is the Engine.IO side: protocol revisions and their clocks.
type Engine struct {
	EIO3 bool // whether clients of Socket.IO 1 and 2 are served

	PingInterval   time.Duration
	PingTimeout    time.Duration
	ConnectTimeout time.Duration // from the handshake to the first namespace joined
	UpgradeTimeout time.Duration // from the websocket of an upgrade to its completion

	// MaxPayload bounds one message from a client and one REST body, in bytes.
	MaxPayload int
}

// Limits bound what clients may take of one instance.
type Limits struct {
	BacklogBytes    int // unsent bytes of one connection; past it the connection is closed
	MaxSessions     int // sessions of this instance
	RoomsPerSession int
	// SessionsPerAddress and SessionsPerUser are of this instance.
	SessionsPerAddress, SessionsPerUser int
	// Handshakes are of all clients together, AddressHandshakes those of one address, in a second.
	Handshakes, AddressHandshakes int
	// Packets and InboundBytes are of one client, in a second.
	Packets, InboundBytes int
	// PublishesPerCaller and PublishesPerRoom are of this instance, in a second.
	PublishesPerCaller, PublishesPerRoom int
	// Requests are those of REST that are under way.
	Requests int
}

// History is what each room keeps, so that a client that was away can be brought up to
// date. Whichever bound is reached first wins.
type History struct {
	Size  int // events
	Bytes int
	TTL   time.Duration
}

// Recovery is how a client whose connection was lost continues its session.
type Recovery struct {
	On bool
	// Window is how long after the loss a session can be continued.
	Window time.Duration
	// ReplayBytes bounds the missed events that are sent again, in bytes of JSON; at most
	// half of what a connection's backlog holds.
	ReplayBytes int
}

// Drain is how an instance goes down.
type Drain struct {
	// Notice is how long it still accepts connections after it has stopped being ready,
	// so that a balancer sees that first.
	Notice time.Duration
	// Over is the time over which the websockets are closed, one by one.
	Over time.Duration
}

const (
	// AuthJWT asks clients for a token and backends for a key or a token.
	AuthJWT = "jwt"
	// AuthNone lets everyone who reaches the server read and publish. It is never the
	// default: an open server has to be asked for.
	AuthNone = "none"
)

// Access says who may come in.
type Access struct {
	Auth    string // AuthJWT or AuthNone
	Tokens  Tokens
	APIKeys auth.APIKeys
	Origins Origins
}

// Tokens is which tokens are good, with AuthJWT.
type Tokens struct {
	Keys             []auth.Key // of secrets and of files
	JWKS             string     // a URL; empty for none
	Issuer, Audience string     // empty: any
	Leeway           time.Duration
	// Notice is how long before a token's end its client is warned, Grace how long after it
	// the connection is closed.
	Notice, Grace time.Duration
}

// Log is how the instance writes its log.
type Log struct {
	Level slog.Level
	JSON  bool
}
