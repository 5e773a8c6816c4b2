package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/config"
)

func TestFaults(t *testing.T) {
	const durations = "must be a duration in whole milliseconds from 100ms to 10m, such as 1500ms, 25s or 2m"
	const redisURL = "REDIS_URL=(hidden): must be redis://[[user]:password@]host[:port][/database], or the same with rediss:// for TLS"
	const origins = "must be exact origins such as https://app.example.com with commas between, without a path or a slash at the end, or * alone"
	for entry, want := range map[string]string{
		"PORT=http":             `PORT="http": must be a whole number from 0 to 65535`,
		"PORT=65536":            `PORT="65536": must be a whole number from 0 to 65535`,
		"PORT=+80":              `PORT="+80": must be a whole number from 0 to 65535`,
		"ENVIRONMENT=my laptop": `ENVIRONMENT="my laptop": must be 1 to 64 characters of A-Z a-z 0-9 . _ -`,

		"ROOMCAST_HOST=localhost:80":        `ROOMCAST_HOST="localhost:80": must be an IP address or a host name, without a port`,
		"ROOMCAST_ADMIN_ADDR=9090":          `ROOMCAST_ADMIN_ADDR="9090": must be host:port, or :port for all interfaces`,
		"ROOMCAST_ADMIN_ADDR=:8080":         `ROOMCAST_ADMIN_ADDR=":8080": must differ from the address of PORT and ROOMCAST_HOST; leave it unset to serve metrics and health there`,
		"ROOMCAST_INSTANCE_ID=a.b":          `ROOMCAST_INSTANCE_ID="a.b": must be 1 to 32 characters of A-Z a-z 0-9 _ -`,
		"ROOMCAST_CHANNEL={tag}":            `ROOMCAST_CHANNEL="{tag}": must be 1 to 128 characters of A-Z a-z 0-9 . _ ~ -`,
		"ROOMCAST_EIO3=true":                `ROOMCAST_EIO3="true": must be on or off`,
		"ROOMCAST_PING_INTERVAL=25":         `ROOMCAST_PING_INTERVAL="25": ` + durations,
		"ROOMCAST_PING_TIMEOUT=99ms":        `ROOMCAST_PING_TIMEOUT="99ms": ` + durations,
		"ROOMCAST_CONNECT_TIMEOUT=11m":      `ROOMCAST_CONNECT_TIMEOUT="11m": ` + durations,
		"ROOMCAST_UPGRADE_TIMEOUT=1.5001s":  `ROOMCAST_UPGRADE_TIMEOUT="1.5001s": ` + durations,
		"ROOMCAST_MAX_PAYLOAD=1MB":          `ROOMCAST_MAX_PAYLOAD="1MB": must be a whole number from 1000 to 3000000 bytes`,
		"ROOMCAST_MAX_PAYLOAD=999999999999": `ROOMCAST_MAX_PAYLOAD="999999999999": must be a whole number from 1000 to 3000000 bytes`,
		"ROOMCAST_BACKLOG_BYTES=999":        `ROOMCAST_BACKLOG_BYTES="999": must be a whole number from 1000 to 1073741824 bytes`,
		"ROOMCAST_BACKLOG_BYTES=65536":      `ROOMCAST_BACKLOG_BYTES="65536": must be at least ROOMCAST_MAX_PAYLOAD, which is 1000000`,
		"ROOMCAST_MAX_SESSIONS=0":           `ROOMCAST_MAX_SESSIONS="0": must be a whole number from 1 to 10000000 sessions`,
		"ROOMCAST_ROOMS_PER_SESSION=-1":     `ROOMCAST_ROOMS_PER_SESSION="-1": must be a whole number from 1 to 2000 rooms`,
		"ROOMCAST_HISTORY_SIZE=9":           `ROOMCAST_HISTORY_SIZE="9": must be a whole number from 10 to 100000 events`,
		"ROOMCAST_HISTORY_BYTES=1":          `ROOMCAST_HISTORY_BYTES="1": must be a whole number from 1000 to 1073741824 bytes`,
		"ROOMCAST_HISTORY_TTL=59s":          `ROOMCAST_HISTORY_TTL="59s": must be a duration in whole milliseconds from 1m to 24h, such as 1500ms, 25s or 2m`,
		"ROOMCAST_HISTORY_TTL=179s":         `ROOMCAST_HISTORY_TTL="179s": must be at least a minute longer than ROOMCAST_RECOVERY_WINDOW, which is 2m: what a client missed must still be there when it returns`,
		"ROOMCAST_RECOVERY_WINDOW=9m1s":     `ROOMCAST_HISTORY_TTL: must be at least a minute longer than ROOMCAST_RECOVERY_WINDOW, which is 9m1s: what a client missed must still be there when it returns`,
		"ROOMCAST_RECOVERY=no":              `ROOMCAST_RECOVERY="no": must be on or off`,
		"ROOMCAST_RECOVERY_WINDOW=0s":       `ROOMCAST_RECOVERY_WINDOW="0s": must be a duration in whole milliseconds from 1s to 12h, such as 1500ms, 25s or 2m`,
		"ROOMCAST_REPLAY_BYTES=524289":      `ROOMCAST_REPLAY_BYTES="524289": must be at most half of ROOMCAST_BACKLOG_BYTES, which is 1048576: a replay must not fill the backlog that live events need`,
		"ROOMCAST_DRAIN=15":                 `ROOMCAST_DRAIN="15": must be a duration in whole milliseconds from 0s to 10m, such as 1500ms, 25s or 2m`,
		"ROOMCAST_DRAIN_NOTICE=-1s":         `ROOMCAST_DRAIN_NOTICE="-1s": must be a duration in whole milliseconds from 0s to 5m, such as 1500ms, 25s or 2m`,
		"ROOMCAST_AUTH=off":                 `ROOMCAST_AUTH="off": must be jwt or none`,
		"ROOMCAST_AUTH=jwt":                 `ROOMCAST_AUTH="jwt": no key for tokens is set: set ROOMCAST_JWT_SECRET (32 bytes or more, such as from openssl rand -base64 32), ROOMCAST_JWT_PUBLIC_KEY_FILE or ROOMCAST_JWKS_URL; or, if everyone who can reach this server may read and change every app, ROOMCAST_AUTH=none`,
		"ROOMCAST_AUTH=":                    `ROOMCAST_AUTH: no key for tokens is set: set ROOMCAST_JWT_SECRET (32 bytes or more, such as from openssl rand -base64 32), ROOMCAST_JWT_PUBLIC_KEY_FILE or ROOMCAST_JWKS_URL; or, if everyone who can reach this server may read and change every app, ROOMCAST_AUTH=none`,
		"ROOMCAST_LOG_LEVEL=INFO":           `ROOMCAST_LOG_LEVEL="INFO": must be debug, info, warn or error`,
		"ROOMCAST_LOG_FORMAT=xml":           `ROOMCAST_LOG_FORMAT="xml": must be text, json or auto`,

		"ROOMCAST_ALLOWED_ORIGINS=https://a.example/": `ROOMCAST_ALLOWED_ORIGINS="https://a.example/": ` + origins,
		"ROOMCAST_ALLOWED_ORIGINS=a.example":          `ROOMCAST_ALLOWED_ORIGINS="a.example": ` + origins,
		"ROOMCAST_ALLOWED_ORIGINS=https://*.example":  `ROOMCAST_ALLOWED_ORIGINS="https://*.example": ` + origins,
		"ROOMCAST_ALLOWED_ORIGINS=http://a,*":         `ROOMCAST_ALLOWED_ORIGINS="http://a,*": ` + origins,
		"ROOMCAST_ALLOWED_ORIGINS=http://a:99999":     `ROOMCAST_ALLOWED_ORIGINS="http://a:99999": ` + origins,
		"ROOMCAST_ALLOWED_ORIGINS=http://a:":          `ROOMCAST_ALLOWED_ORIGINS="http://a:": ` + origins,
		"ROOMCAST_ALLOWED_ORIGINS=http://a?":          `ROOMCAST_ALLOWED_ORIGINS="http://a?": ` + origins,
		"ROOMCAST_ALLOWED_ORIGINS=http://a,":          `ROOMCAST_ALLOWED_ORIGINS="http://a,": ` + origins,

		"REDIS_URL=http://:hunter2@h":           redisURL,
		"REDIS_URL=redis://:hunter2@":           redisURL,
		"REDIS_URL=redis://:hunter2@h:0":        redisURL,
		"REDIS_URL=redis://:hunter2@h:port":     redisURL,
		"REDIS_URL=redis://:hunter2@h/first":    redisURL,
		"REDIS_URL=redis://:hunter2@h?db=1":     redisURL,
		"REDIS_HOST=redis://h":                  `REDIS_HOST="redis://h": must be an IP address or a host name, without a port`,
		"REDIS_PORT=7000":                       `REDIS_PORT="7000": needs REDIS_HOST`,
		"REDIS_PASSWORD=hunter2":                `REDIS_PASSWORD=(hidden): needs REDIS_HOST or REDIS_SENTINELS`,
		"REDIS_MASTER=main":                     `REDIS_MASTER="main": needs REDIS_SENTINELS`,
		"REDIS_SENTINELS=a:26379":               `REDIS_SENTINELS="a:26379": needs REDIS_MASTER`,
		"REDIS_SENTINELS=a,b:26379":             `REDIS_SENTINELS="a,b:26379": must be host:port, or several with commas between`,
		"redis_url=redis://:hunter2@h":          `redis_url: no such variable; did you mean REDIS_URL?`,
		"REDIS_URI=redis://:hunter2@h":          `REDIS_URI: no such variable; did you mean REDIS_URL?`,
		"REDIS_PASSWD=hunter2":                  `REDIS_PASSWD: no such variable; did you mean REDIS_PASSWORD?`,
		"REDIS_SENTINEL=a:1":                    `REDIS_SENTINEL: no such variable; did you mean REDIS_SENTINELS?`,
		"REDIS_HSOT=h":                          `REDIS_HSOT: no such variable; did you mean REDIS_HOST?`,
		"REDIS_USER=me":                         `REDIS_USER: no such variable; the user stands in REDIS_URL, as in redis://user:password@host`,
		"REDIS_USERNAME=me":                     `REDIS_USERNAME: no such variable; the user stands in REDIS_URL, as in redis://user:password@host`,
		"REDIS_DB=1":                            `REDIS_DB: no such variable; the database stands in REDIS_URL, as in redis://host/1`,
		"redis_database=1":                      `redis_database: no such variable; the database stands in REDIS_URL, as in redis://host/1`,
		"REDIS_TLS=true":                        `REDIS_TLS: no such variable; TLS stands in REDIS_URL, as in rediss://host`,
		"REDIS_SSL=true":                        `REDIS_SSL: no such variable; TLS stands in REDIS_URL, as in rediss://host`,
		"ROOMCAST_PING_INTERVALL=1s":            `ROOMCAST_PING_INTERVALL: no such variable; did you mean ROOMCAST_PING_INTERVAL?`,
		"ROOMCAST_HSITORY_SIZE=20":              `ROOMCAST_HSITORY_SIZE: no such variable; did you mean ROOMCAST_HISTORY_SIZE?`,
		"ROOMCAST_PORT=9000":                    `ROOMCAST_PORT: no such variable; did you mean PORT?`,
		"ROOMCAST_REDIS_URL=redis://:hunter2@h": `ROOMCAST_REDIS_URL: no such variable; did you mean REDIS_URL?`,
		"roomcast_eio3=off":                     `roomcast_eio3: no such variable; did you mean ROOMCAST_EIO3?`,
		"ROOMCAST_JWT_SECRET=hunter2":           `ROOMCAST_JWT_SECRET=(hidden): must be secrets of at least 32 bytes with commas between`,
		"ROOMCAST_API_KEYS=ci:hunter2:read:w":   `ROOMCAST_API_KEYS=(hidden): would be ignored with ROOMCAST_AUTH=none, which lets everyone read and change every app; unset one of the two`,
		"ROOMCAST_JWKS_URL=http://id.example/":  `ROOMCAST_JWKS_URL=(hidden): must be an https:// URL, or http:// on this machine`,
		"ROOMCAST_JWKS_URL=https://u:p@id/":     `ROOMCAST_JWKS_URL=(hidden): must be an https:// URL, or http:// on this machine`,
		"ROOMCAST_JWT_SECRETS=x":                `ROOMCAST_JWT_SECRETS: no such variable; did you mean ROOMCAST_JWT_SECRET?`,
		"ROOMCAST_=1":                           `ROOMCAST_: no such variable`,
		"PORT=" + strings.Repeat("é", 100):      `PORT="` + strings.Repeat("é", 80) + `…": must be a whole number from 0 to 65535`,
	} {
		_, err := load(t, "", entry, "ROOMCAST_AUTH=none")
		if err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", entry, err, want)
		}
	}
}

func TestRedisFormsConflict(t *testing.T) {
	_, err := load(t, "", "ROOMCAST_AUTH=none", "REDIS_URL=redis://h", "REDIS_HOST=h", "REDIS_PORT=1", "REDIS_PASSWORD=hunter2", "REDIS_SENTINELS=a:1", "REDIS_MASTER=m")
	want := `REDIS_HOST="h": cannot stand beside REDIS_URL; set one or the other
REDIS_PORT="1": cannot stand beside REDIS_URL; set one or the other
REDIS_PASSWORD=(hidden): cannot stand beside REDIS_URL; set one or the other
REDIS_SENTINELS="a:1": cannot stand beside REDIS_URL; set one or the other
REDIS_MASTER="m": cannot stand beside REDIS_URL; set one or the other`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	_, err = load(t, "", "ROOMCAST_AUTH=none", "REDIS_SENTINELS=a:1", "REDIS_MASTER=m", "REDIS_HOST=h", "REDIS_PORT=1")
	want = `REDIS_HOST="h": cannot stand beside REDIS_SENTINELS, which know the server's address; set one or the other
REDIS_PORT="1": cannot stand beside REDIS_SENTINELS, which know the server's address; set one or the other`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestAllFaultsTogether(t *testing.T) {
	_, err := load(t, "PORT=x\nROOMCAST_CHANEL=secret\nREDIS_URL=http://:hunter2@h\n", "ROOMCAST_EIO3=yes", "REDIS_MASTER=m")
	want := `PORT="x" (in .env): must be a whole number from 0 to 65535
REDIS_URL=(hidden) (in .env): must be redis://[[user]:password@]host[:port][/database], or the same with rediss:// for TLS
ROOMCAST_EIO3="yes": must be on or off
ROOMCAST_AUTH: no key for tokens is set: set ROOMCAST_JWT_SECRET (32 bytes or more, such as from openssl rand -base64 32), ROOMCAST_JWT_PUBLIC_KEY_FILE or ROOMCAST_JWKS_URL; or, if everyone who can reach this server may read and change every app, ROOMCAST_AUTH=none
REDIS_MASTER="m": cannot stand beside REDIS_URL; set one or the other
ROOMCAST_CHANEL (in .env): no such variable; did you mean ROOMCAST_CHANNEL?`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	var faults config.Faults
	if !errors.As(err, &faults) || len(faults) != 6 || faults[0].Variable != "PORT" {
		t.Errorf("faults %#v", faults)
	}
}

func TestFaultyFile(t *testing.T) {
	const reason = "must be NAME=value, with quotes closed, or a comment that begins with #"
	for text, want := range map[string]string{
		"PORT=80\nREDIS PASSWORD hunter2\nX=1\n": ".env: line 2 " + reason,
		"A='1\n2'\nB=\"hunter2\nC=3\n":           ".env: line 3 " + reason,
		"# fine\nPORT":                           ".env: line 2 " + reason,
		"=hunter2\n":                             ".env: line 1 " + reason,
		strings.Repeat("#", 70_000):              ".env: is larger than 65536 bytes",
	} {
		// What the rest of the file would have set is not reported as missing.
		_, err := load(t, text, "ROOMCAST_EIO3=x")
		want += "\n" + `ROOMCAST_EIO3="x": must be on or off`
		if err == nil || err.Error() != want {
			t.Errorf("%.60q\n got %v\nwant %s", text, err, want)
		}
	}
	folder := t.TempDir()
	if _, err := config.Load([]string{"ROOMCAST_AUTH=none"}, folder); err == nil || !strings.HasPrefix(err.Error(), folder+": cannot be read: ") {
		t.Errorf("an unreadable file must be a fault, got %v", err)
	}
}

// Of several files of one name a fault has to say which: it names the path as it was given.
func TestFaultsNameThePath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "staging.env")
	if err := os.WriteFile(path, []byte("PORT=http\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Load([]string{"ROOMCAST_AUTH=none"}, path)
	if want := `PORT="http" (in ` + path + `): must be a whole number from 0 to 65535`; err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

// What other programs and images set is theirs, and what is set to nothing is not set.
func TestOtherRedisNamesAreLeftAlone(t *testing.T) {
	mustLoad(t, "", "ROOMCAST_AUTH=none", "REDIS_VERSION=7.4.1", "REDIS_DOWNLOAD_URL=http://download.example", "REDIS_ARGS=--save",
		"REDIS_SERVICE_HOST=10.0.0.2", "REDIS_DB=", "REDISTRIBUTE=1")
}
