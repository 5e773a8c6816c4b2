package config

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Redis is where the shared store is, whichever way it was given.
type Redis struct {
	// Addresses holds host:port of the server, or of the sentinels when Master is set.
	// It is empty for the embedded store.
	Addresses []string
	Master    string // the name under which the sentinels know the server
	Username  string
	Password  Secret
	Database  int
	TLS       bool
}

// Embedded reports whether no Redis was configured: this instance is then alone.
func (r Redis) Embedded() bool { return len(r.Addresses) == 0 }

// Secret is a text that no log, error or dump shows. string(s) is the text.
type Secret string

const hidden = "(hidden)"

// Format hides the text from every verb of fmt.
func (Secret) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, hidden) }

// MarshalText hides the text from encoders.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// redisForm is Redis as it was given, in one of three ways.
type redisForm struct {
	url       Redis
	host      string
	port      int
	password  string
	sentinels []string
	master    string
}

// checkRedis refuses mixtures of the three ways, since one of them would lose silently.
func (d *draft) checkRedis(add func(variable, reason string)) {
	given := func(variable string) bool { _, ok := d.given[variable]; return ok }
	needs := func(variable, other string) {
		if given(variable) && !given(other) {
			add(variable, "needs "+other)
		}
	}
	switch {
	case given("REDIS_URL"):
		for _, variable := range []string{"REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD", "REDIS_SENTINELS", "REDIS_MASTER"} {
			if given(variable) {
				add(variable, "cannot stand beside REDIS_URL; set one or the other")
			}
		}
	case given("REDIS_SENTINELS"):
		for _, variable := range []string{"REDIS_HOST", "REDIS_PORT"} {
			if given(variable) {
				add(variable, "cannot stand beside REDIS_SENTINELS, which know the server's address; set one or the other")
			}
		}
		needs("REDIS_SENTINELS", "REDIS_MASTER")
	default:
		needs("REDIS_PORT", "REDIS_HOST")
		if given("REDIS_PASSWORD") && !given("REDIS_HOST") {
			add("REDIS_PASSWORD", "needs REDIS_HOST or REDIS_SENTINELS")
		}
		needs("REDIS_MASTER", "REDIS_SENTINELS")
	}
}

// resolve is the one form that the rest of the program sees.
func (f redisForm) resolve() Redis {
	switch {
	case len(f.sentinels) > 0:
		return Redis{Addresses: f.sentinels, Master: f.master, Password: Secret(f.password)}
	case f.host != "":
		address := net.JoinHostPort(f.host, strconv.Itoa(f.port))
		return Redis{Addresses: []string{address}, Password: Secret(f.password)}
	}
	return f.url
}

func redisURL() rule {
	const allowed = "redis://[[user]:password@]host[:port][/database], or the same with rediss:// for TLS"
	return rule{allowed, func(d *draft, text string) bool {
		redis, ok := parseRedisURL(text)
		d.redis.url = redis
		return ok
	}}
}

func parseRedisURL(text string) (Redis, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "redis" && u.Scheme != "rediss" || !hostName(u.Hostname()) || u.ForceQuery || u.RawQuery != "" || u.Fragment != "" {
		return Redis{}, false
	}
	port := u.Port()
	if port == "" {
		port = "6379"
	}
	database, databaseOK := 0, true
	if path := strings.TrimPrefix(u.Path, "/"); path != "" {
		database, databaseOK = number(path, 0, 1<<20)
	}
	if _, ok := number(port, 1, 65535); !ok || !databaseOK {
		return Redis{}, false
	}
	password, _ := u.User.Password()
	return Redis{
		Addresses: []string{net.JoinHostPort(u.Hostname(), port)},
		Username:  u.User.Username(),
		Password:  Secret(password),
		Database:  database,
		TLS:       u.Scheme == "rediss",
	}, true
}

func sentinels() rule {
	return rule{"host:port, or several with commas between", func(d *draft, text string) bool {
		addresses := list(text)
		sound := !slices.ContainsFunc(addresses, func(address string) bool {
			host, port, err := net.SplitHostPort(address)
			_, portOK := number(port, 1, 65535)
			return err != nil || !hostName(host) || !portOK
		})
		d.redis.sentinels = addresses
		return sound
	}}
}
