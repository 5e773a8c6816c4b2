package config

import (
	"fmt"
	"strings"
	"time"

	"github.com/roomcast/roomcast/internal/proxy"
)

// Variable is one variable of the environment, as a reader of the documentation needs it.
type Variable struct {
	Name    string
	Default string // empty: unset; Meaning says what happens then
	Unit    string // duration, bytes, …; empty for a name or a choice
	Allowed string // completes "must be"
	Meaning string
}

// spec is one row of the table: a variable and how it is read.
type spec struct {
	Variable
	secret bool
	rule   rule
}

// Variables lists every variable, in the order of the documentation.
func Variables() []Variable {
	rows := table()
	variables := make([]Variable, len(rows))
	for i, row := range rows {
		variables[i] = row.Variable
	}
	return variables
}

// MarkdownTable is the table of the README.
func MarkdownTable() string {
	var out strings.Builder
	out.WriteString("| Variable | Default | Allowed | Meaning |\n|---|---|---|---|\n")
	for _, v := range Variables() {
		value := "unset"
		if v.Default != "" {
			value = "`" + v.Default + "`"
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", v.Name, value, plain(v.Allowed), v.Meaning)
	}
	return out.String()
}

// plain keeps Markdown from reading punctuation as markup.
func plain(text string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, "_", `\_`, "~", `\~`, "[", `\[`, "]", `\]`).Replace(text)
}

// Describe is the same listing for a terminal.
func Describe() string {
	var out strings.Builder
	for _, v := range Variables() {
		value := "unset"
		if v.Default != "" {
			value = v.Default
		}
		fmt.Fprintf(&out, "  %s (%s)\n      %s.\n      Allowed: %s.\n", v.Name, value, strings.ReplaceAll(v.Meaning, "`", ""), v.Allowed)
	}
	return out.String()
}

// table declares each variable once: reading, faults and documentation are made from it.
func table() []spec {
	var rows []spec
	for _, part := range [][]spec{listenVariables(), nameVariables(), redisVariables(), engineVariables(), limitVariables(), continuityVariables(), accessVariables(), logVariables()} {
		rows = append(rows, part...)
	}
	return rows
}

// row keeps what a fault says to be allowed and what the documentation says the same.
func row(name, value, unit, meaning string, read rule) spec {
	return spec{Variable: Variable{Name: name, Default: value, Unit: unit, Allowed: read.allowed, Meaning: meaning}, rule: read}
}

func secret(s spec) spec {
	s.secret = true
	return s
}

func listenVariables() []spec {
	return []spec{
		row("PORT", "8080", "port", "Port for clients, REST and the page; 0 takes any free one",
			whole(0, 65535, "", func(d *draft) *int { return &d.Listen.Port })),
		row("ROOMCAST_HOST", "", "", "Interface to listen on; unset: all of them",
			host(func(d *draft) *string { return &d.Listen.Host })),
		row("ROOMCAST_ADMIN_ADDR", "", "", "Serve `/metrics`, `/healthz` and `/readyz` on this address and no longer on `PORT`",
			address(func(d *draft) *string { return &d.Listen.Admin })),
		row("ROOMCAST_TLS_CERT_FILE", "", "", "Certificate, with its chain, for TLS on `PORT`; read again when the file has changed. Unset: in the clear, for a proxy that ends TLS",
			anyText(func(d *draft) *string { return &d.Listen.TLS.CertFile })),
		row("ROOMCAST_TLS_KEY_FILE", "", "", "The key of `ROOMCAST_TLS_CERT_FILE`",
			anyText(func(d *draft) *string { return &d.Listen.TLS.KeyFile })),
		row("ROOMCAST_TRUSTED_PROXIES", "", "", "Addresses and networks of proxies that say by `X-Forwarded-For` which client a request comes from; unset: nobody is believed",
			networks(func(d *draft) *proxy.Networks { return &d.Listen.Proxies })),
	}
}

func nameVariables() []spec {
	return []spec{
		row("ENVIRONMENT", "development", "", "Name of the deployment, for the log; anything but `development` also makes `ROOMCAST_LOG_FORMAT=auto` write JSON",
			characters(64, "._-", func(d *draft) *string { return &d.Environment })),
		row("ROOMCAST_INSTANCE_ID", "", "", "Name of this instance, unlike that of every other one; unset: 8 random characters at each start",
			characters(32, "_-", func(d *draft) *string { return &d.Instance })),
	}
}

func redisVariables() []spec {
	return []spec{
		secret(row("REDIS_URL", "", "", "The Redis that all instances share; with none of the `REDIS_` variables set the store is in this process, and this instance is alone",
			redisURL())),
		row("REDIS_HOST", "", "", "Instead of `REDIS_URL`: the server's host",
			host(func(d *draft) *string { return &d.redis.host })),
		row("REDIS_PORT", "6379", "port", "With `REDIS_HOST`: the server's port",
			whole(1, 65535, "", func(d *draft) *int { return &d.redis.port })),
		secret(row("REDIS_PASSWORD", "", "", "With `REDIS_HOST` or `REDIS_SENTINELS`: the server's password",
			anyText(func(d *draft) *string { return &d.redis.password }))),
		row("REDIS_SENTINELS", "", "", "Instead of `REDIS_URL`: the sentinels that know the server",
			sentinels()),
		row("REDIS_MASTER", "", "", "With `REDIS_SENTINELS`: the name they know the server by",
			characters(128, "._-", func(d *draft) *string { return &d.redis.master })),
		row("ROOMCAST_CHANNEL", "socketevent", "", "Pub/sub channel, and part of every key; deployments that share a Redis need one each",
			characters(128, "._~-", func(d *draft) *string { return &d.Channel })),
	}
}

func engineVariables() []spec {
	const shortest, longest = 100 * time.Millisecond, 10 * time.Minute
	return []spec{
		row("ROOMCAST_EIO3", "on", "", "Serve clients of Socket.IO 1 and 2 too",
			onOff(func(d *draft) *bool { return &d.Engine.EIO3 })),
		row("ROOMCAST_PING_INTERVAL", "25s", "duration", "Time between two heartbeats of a connection",
			duration(shortest, longest, func(d *draft) *time.Duration { return &d.Engine.PingInterval })),
		row("ROOMCAST_PING_TIMEOUT", "20s", "duration", "Time to answer a heartbeat before the connection is given up",
			duration(shortest, longest, func(d *draft) *time.Duration { return &d.Engine.PingTimeout })),
		row("ROOMCAST_CONNECT_TIMEOUT", "45s", "duration", "Time from the handshake to the first namespace joined",
			duration(shortest, longest, func(d *draft) *time.Duration { return &d.Engine.ConnectTimeout })),
		row("ROOMCAST_UPGRADE_TIMEOUT", "10s", "duration", "Time for an upgrade from polling to websocket to finish",
			duration(shortest, longest, func(d *draft) *time.Duration { return &d.Engine.UpgradeTimeout })),
		row("ROOMCAST_MAX_PAYLOAD", "1000000", "bytes", "Largest message of a client and largest REST body",
			whole(1000, 3_000_000, "bytes", func(d *draft) *int { return &d.Engine.MaxPayload })),
	}
}

func limitVariables() []spec {
	return []spec{
		row("ROOMCAST_BACKLOG_BYTES", "1048576", "bytes", "Unsent bytes of one connection before it is closed; at least `ROOMCAST_MAX_PAYLOAD`",
			whole(1000, 1<<30, "bytes", func(d *draft) *int { return &d.Limits.BacklogBytes })),
		row("ROOMCAST_MAX_SESSIONS", "100000", "sessions", "Sessions of this instance before further ones are refused",
			whole(1, 10_000_000, "sessions", func(d *draft) *int { return &d.Limits.MaxSessions })),
		row("ROOMCAST_SESSIONS_PER_ADDRESS", "1000", "sessions", "Sessions that clients of one address, or of one /64 of IPv6, may have on this instance. Not counted: those at "+
			"`ROOMCAST_TRUSTED_PROXIES` and, while that is unset, at private and loopback addresses, as balancers have them",
			whole(1, 10_000_000, "sessions", func(d *draft) *int { return &d.Limits.SessionsPerAddress })),
		row("ROOMCAST_SESSIONS_PER_USER", "100", "sessions", "Sessions that tokens of one subject may have on this instance",
			whole(1, 10_000_000, "sessions", func(d *draft) *int { return &d.Limits.SessionsPerUser })),
		row("ROOMCAST_HANDSHAKES_PER_SECOND", "5000", "handshakes", "Handshakes of all clients together, in a second; twice as many may come at once",
			whole(1, 1_000_000, "handshakes", func(d *draft) *int { return &d.Limits.Handshakes })),
		row("ROOMCAST_HANDSHAKES_PER_ADDRESS", "200", "handshakes", "Handshakes of one address in a second, counted as `ROOMCAST_SESSIONS_PER_ADDRESS`; twice as many may come at once",
			whole(1, 1_000_000, "handshakes", func(d *draft) *int { return &d.Limits.AddressHandshakes })),
		row("ROOMCAST_PACKETS_PER_SECOND", "100", "packets", "Packets one client may send in a second, pings and pongs among them, before it is closed; twice as many, and two for each of `ROOMCAST_ROOMS_PER_SESSION`, may come at once",
			whole(1, 100_000, "packets", func(d *draft) *int { return &d.Limits.Packets })),
		row("ROOMCAST_INBOUND_BYTES_PER_SECOND", "1000000", "bytes", "Bytes one client may send in a second before it is closed; `ROOMCAST_MAX_PAYLOAD` and twice as many may come at once",
			whole(1000, 1<<30, "bytes", func(d *draft) *int { return &d.Limits.InboundBytes })),
		row("ROOMCAST_PUBLISHES_PER_KEY", "2000", "publications", "Publications by one key, or by tokens of one subject, through this instance in a second; twice as many may come at once",
			whole(1, 1_000_000, "publications", func(d *draft) *int { return &d.Limits.PublishesPerCaller })),
		row("ROOMCAST_PUBLISHES_PER_ROOM", "500", "publications", "Publications to one room through this instance in a second; twice as many may come at once",
			whole(1, 1_000_000, "publications", func(d *draft) *int { return &d.Limits.PublishesPerRoom })),
		row("ROOMCAST_REST_CONCURRENCY", "1000", "requests", "REST requests that may be under way; each holds its body",
			whole(1, 1_000_000, "requests", func(d *draft) *int { return &d.Limits.Requests })),
		row("ROOMCAST_ROOMS_PER_SESSION", "100", "rooms", "Rooms one session may be in",
			whole(1, 2_000, "rooms", func(d *draft) *int { return &d.Limits.RoomsPerSession })),
	}
}

func continuityVariables() []spec {
	return []spec{
		row("ROOMCAST_RECOVERY", "on", "", "Let clients of Socket.IO 4.6 and later continue their session after a lost connection; events to clients of 3.x and 4.x then have an offset as extra last argument",
			onOff(func(d *draft) *bool { return &d.Recovery.On })),
		row("ROOMCAST_RECOVERY_WINDOW", "2m", "duration", "How long after the loss a session can be continued",
			duration(time.Second, 12*time.Hour, func(d *draft) *time.Duration { return &d.Recovery.Window })),
		row("ROOMCAST_REPLAY_BYTES", "", "bytes", "Most bytes of missed events that are sent again to a returning client; unset: half of `ROOMCAST_BACKLOG_BYTES`, which is the most it may be",
			whole(500, 1<<29, "bytes", func(d *draft) *int { return &d.Recovery.ReplayBytes })),
		row("ROOMCAST_HISTORY_SIZE", "1000", "events", "Events that a room keeps for clients that were away",
			whole(10, 100_000, "events", func(d *draft) *int { return &d.History.Size })),
		row("ROOMCAST_HISTORY_BYTES", "1048576", "bytes", "Bytes of events that a room keeps",
			whole(1000, 1<<30, "bytes", func(d *draft) *int { return &d.History.Bytes })),
		row("ROOMCAST_HISTORY_TTL", "10m", "duration", "How long a room keeps an event; at least `ROOMCAST_RECOVERY_WINDOW` and a minute",
			duration(time.Minute, 24*time.Hour, func(d *draft) *time.Duration { return &d.History.TTL })),
		row("ROOMCAST_DRAIN_NOTICE", "3s", "duration", "Time between no longer being ready and no longer accepting, when going down",
			duration(0, 5*time.Minute, func(d *draft) *time.Duration { return &d.Drain.Notice })),
		row("ROOMCAST_DRAIN", "15s", "duration", "Time over which websockets are closed, one by one, when going down; fewer than 20 a second are not spread further",
			duration(0, 10*time.Minute, func(d *draft) *time.Duration { return &d.Drain.Over })),
	}
}

func logVariables() []spec {
	return []spec{
		row("ROOMCAST_LOG_LEVEL", "info", "", "Least level that is logged",
			logLevel()),
		row("ROOMCAST_LOG_FORMAT", "auto", "", "How log lines are written; `auto`: text in `development`, JSON elsewhere",
			choice(func(d *draft) *string { return &d.logFormat }, "text", "json", "auto")),
	}
}
