package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/config"
	"github.com/roomcast/roomcast/internal/proxy"
)

// load reads environ and a file .env of the working directory holding dotenv.
func load(t *testing.T, dotenv string, environ ...string) (config.Config, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile(".env", []byte(dotenv), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.Load(environ, ".env")
}

func mustLoad(t *testing.T, dotenv string, environ ...string) config.Config {
	t.Helper()
	c, err := load(t, dotenv, environ...)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return c
}

func TestDefaults(t *testing.T) {
	c := mustLoad(t, "", "ROOMCAST_AUTH=none", "PATH=/bin")
	if !regexp.MustCompile(`^[a-z0-9]{8}$`).MatchString(c.Instance) {
		t.Errorf("drawn instance id %q, want 8 of a-z 0-9", c.Instance)
	}
	if again := mustLoad(t, "", "ROOMCAST_AUTH=none"); again.Instance == c.Instance {
		t.Errorf("two instances drew the same id %q", c.Instance)
	}
	c.Instance = ""
	want := config.Config{
		Environment: "development",
		Channel:     "socketevent",
		Listen:      config.Listen{Port: 8080},
		Engine: config.Engine{
			EIO3:           true,
			PingInterval:   25 * time.Second,
			PingTimeout:    20 * time.Second,
			ConnectTimeout: 45 * time.Second,
			UpgradeTimeout: 10 * time.Second,
			MaxPayload:     1_000_000,
		},
		Limits: config.Limits{BacklogBytes: 1 << 20, MaxSessions: 100_000, RoomsPerSession: 100,
			SessionsPerAddress: 1000, SessionsPerUser: 100, Handshakes: 5000, AddressHandshakes: 200, Packets: 100, InboundBytes: 1_000_000, PublishesPerCaller: 2000, PublishesPerRoom: 500, Requests: 1000},
		History: config.History{Size: 1000, Bytes: 1 << 20, TTL: 10 * time.Minute},
		Recovery: config.Recovery{
			On: true, Window: 2 * time.Minute, ReplayBytes: 1 << 19,
		},
		Drain:  config.Drain{Notice: 3 * time.Second, Over: 15 * time.Second},
		Access: config.Access{Auth: "none", Tokens: config.Tokens{Leeway: 5 * time.Second, Notice: time.Minute, Grace: 25 * time.Second}},
		Log:    config.Log{Level: slog.LevelInfo},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("defaults\n got %+v\nwant %+v", c, want)
	}
	if !c.Redis.Embedded() {
		t.Error("without any REDIS_ variable the store must be the embedded one")
	}
}

func TestEverythingSet(t *testing.T) {
	c := mustLoad(t, "", "ROOMCAST_AUTH=none", "PORT=0", "ROOMCAST_HOST=::1", "ROOMCAST_ADMIN_ADDR=:9090",
		"ENVIRONMENT=staging", "ROOMCAST_INSTANCE_ID=A-b_3", "ROOMCAST_CHANNEL=a.b~c", "ROOMCAST_EIO3=off",
		"ROOMCAST_PING_INTERVAL=300ms", "ROOMCAST_PING_TIMEOUT=1.5s", "ROOMCAST_CONNECT_TIMEOUT=10m",
		"ROOMCAST_UPGRADE_TIMEOUT=100ms", "ROOMCAST_MAX_PAYLOAD=1000", "ROOMCAST_BACKLOG_BYTES=1000",
		"ROOMCAST_MAX_SESSIONS=1", "ROOMCAST_ROOMS_PER_SESSION=2", "ROOMCAST_HISTORY_SIZE=10",
		"ROOMCAST_SESSIONS_PER_ADDRESS=3", "ROOMCAST_HANDSHAKES_PER_SECOND=4", "ROOMCAST_PACKETS_PER_SECOND=5", "ROOMCAST_INBOUND_BYTES_PER_SECOND=1000",
		"ROOMCAST_PUBLISHES_PER_KEY=6", "ROOMCAST_PUBLISHES_PER_ROOM=7", "ROOMCAST_REST_CONCURRENCY=8",
		"ROOMCAST_HISTORY_BYTES=2000", "ROOMCAST_HISTORY_TTL=1m", "ROOMCAST_DRAIN_NOTICE=0", "ROOMCAST_DRAIN=1m",
		"ROOMCAST_RECOVERY=off", "ROOMCAST_RECOVERY_WINDOW=5s", "ROOMCAST_REPLAY_BYTES=500",
		"ROOMCAST_ALLOWED_ORIGINS=https://App.example.com:443, http://[::1]:3000,http://h:80,capacitor://localhost,https://app.example.com",
		"ROOMCAST_LOG_LEVEL=debug", "REDIS_URL=redis://h",
		"ROOMCAST_TRUSTED_PROXIES=10.0.0.0/8, ::1", "ROOMCAST_SESSIONS_PER_USER=9", "ROOMCAST_HANDSHAKES_PER_ADDRESS=11")
	want := config.Config{
		Environment: "staging",
		Instance:    "A-b_3",
		Channel:     "a.b~c",
		Listen:      config.Listen{Host: "::1", Admin: ":9090", Proxies: proxy.Networks{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}},
		Redis:       config.Redis{Addresses: []string{"h:6379"}},
		Engine: config.Engine{
			PingInterval:   300 * time.Millisecond,
			PingTimeout:    1500 * time.Millisecond,
			ConnectTimeout: 10 * time.Minute,
			UpgradeTimeout: 100 * time.Millisecond,
			MaxPayload:     1000,
		},
		Limits: config.Limits{
			BacklogBytes: 1000, MaxSessions: 1, RoomsPerSession: 2, SessionsPerAddress: 3, SessionsPerUser: 9, Handshakes: 4, AddressHandshakes: 11, Packets: 5, InboundBytes: 1000,
			PublishesPerCaller: 6, PublishesPerRoom: 7, Requests: 8,
		},
		History: config.History{Size: 10, Bytes: 2000, TTL: time.Minute},
		Recovery: config.Recovery{
			Window: 5 * time.Second, ReplayBytes: 500,
		},
		Drain: config.Drain{Over: time.Minute},
		Access: config.Access{Auth: "none", Tokens: config.Tokens{Leeway: 5 * time.Second, Notice: time.Minute, Grace: 25 * time.Second}, Origins: config.Origins{
			List: []string{"https://app.example.com", "http://[::1]:3000", "http://h", "capacitor://localhost"},
		}},
		Log: config.Log{Level: slog.LevelDebug, JSON: true},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("\n got %+v\nwant %+v", c, want)
	}
	if c := mustLoad(t, "", "ROOMCAST_AUTH=none", "ROOMCAST_BACKLOG_BYTES=2000001"); c.Recovery.ReplayBytes != 1_000_000 {
		t.Errorf("a replay has %d bytes, want half of the backlog", c.Recovery.ReplayBytes)
	}
	if c := mustLoad(t, "", "ROOMCAST_AUTH=none", "ROOMCAST_ALLOWED_ORIGINS=*"); !c.Access.Origins.Any {
		t.Error("* must allow any origin")
	}
}

// Whoever asks how an instance is has its address and need not have the rest.
func TestLoadListen(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile(".env", []byte("ROOMCAST_ADMIN_ADDR=:9090\nPORT=1\nROOMCAST_TYPO=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := config.LoadListen([]string{"PORT=9000", "REDIS_URL=none of its business", "ROOMCAST_EIO3=maybe"}, ".env")
	if want := (config.Listen{Port: 9000, Admin: ":9090"}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	_, err = config.LoadListen([]string{"PORT=http", "ROOMCAST_EIO3=maybe"}, "")
	if want := `PORT="http": must be a whole number from 0 to 65535`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestLogFormat(t *testing.T) {
	for _, test := range []struct {
		environment, format string
		json                bool
	}{
		{"development", "auto", false}, {"production", "auto", true}, {"staging", "", true},
		{"development", "json", true}, {"production", "text", false},
	} {
		c := mustLoad(t, "", "ROOMCAST_AUTH=none", "ENVIRONMENT="+test.environment, "ROOMCAST_LOG_FORMAT="+test.format)
		if c.Log.JSON != test.json {
			t.Errorf("ENVIRONMENT=%s ROOMCAST_LOG_FORMAT=%s: JSON is %v", test.environment, test.format, c.Log.JSON)
		}
	}
}

func TestRedisForms(t *testing.T) {
	for _, test := range []struct {
		environ []string
		want    config.Redis
	}{
		{[]string{"REDIS_URL=redis://127.0.0.1:7000/3"}, config.Redis{Addresses: []string{"127.0.0.1:7000"}, Database: 3}},
		{[]string{"REDIS_URL=rediss://me:s%40cret@cache.example:6380"}, config.Redis{Addresses: []string{"cache.example:6380"}, Username: "me", Password: "s@cret", TLS: true}},
		{[]string{"REDIS_URL=redis://:pw@[::1]/"}, config.Redis{Addresses: []string{"[::1]:6379"}, Password: "pw"}},
		{[]string{"REDIS_HOST=cache", "REDIS_PASSWORD=pw"}, config.Redis{Addresses: []string{"cache:6379"}, Password: "pw"}},
		{[]string{"REDIS_HOST=::1", "REDIS_PORT=7000"}, config.Redis{Addresses: []string{"[::1]:7000"}}},
		{[]string{"REDIS_SENTINELS=a:26379, b:26379", "REDIS_MASTER=main", "REDIS_PASSWORD=pw"}, config.Redis{Addresses: []string{"a:26379", "b:26379"}, Master: "main", Password: "pw"}},
	} {
		c := mustLoad(t, "", append(test.environ, "ROOMCAST_AUTH=none")...)
		if !reflect.DeepEqual(c.Redis, test.want) {
			t.Errorf("%q:\n got %+v of %q\nwant %+v of %q", test.environ, c.Redis, string(c.Redis.Password), test.want, string(test.want.Password))
		}
	}
}

func TestPrecedence(t *testing.T) {
	c := mustLoad(t, "PORT=1111\nROOMCAST_AUTH=none\nexport ROOMCAST_CHANNEL='of the file'\nREDIS_HOST=file\n",
		"ROOMCAST_CHANNEL=environment", "ROOMCAST_CHANNEL=second", "REDIS_HOST=")
	if c.Listen.Port != 1111 {
		t.Errorf("port %d, want the file's 1111", c.Listen.Port)
	}
	if c.Channel != "environment" {
		t.Errorf("channel %q, want the first of the environment", c.Channel)
	}
	if !c.Redis.Embedded() {
		t.Errorf("REDIS_HOST set to nothing in the environment must unset the file's: %+v", c.Redis)
	}
	missing, err := config.Load([]string{"ROOMCAST_AUTH=none"}, filepath.Join(t.TempDir(), "no.env"))
	if err != nil || missing.Listen.Port != 8080 {
		t.Errorf("a missing file is no fault: %v", err)
	}
	if _, err := config.Load([]string{"ROOMCAST_AUTH=none"}, ""); err != nil {
		t.Errorf("no file at all is no fault: %v", err)
	}
	if value, set := os.LookupEnv("ROOMCAST_CHANNEL"); set {
		t.Errorf("reading a file must not change the environment: ROOMCAST_CHANNEL=%q", value)
	}
}

// Kubernetes announces Services named roomcast and redis by such variables.
func TestServiceLinksAreNotSettings(t *testing.T) {
	c := mustLoad(t, "", "ROOMCAST_AUTH=none", "ROOMCAST_PORT=tcp://10.0.0.1:8080", "ROOMCAST_SERVICE_HOST=10.0.0.1",
		"ROOMCAST_SERVICE_PORT=8080", "ROOMCAST_SERVICE_PORT_HTTP=8080", "ROOMCAST_PORT_8080_TCP=tcp://10.0.0.1:8080",
		"ROOMCAST_PORT_8080_TCP_ADDR=10.0.0.1", "REDIS_PORT=tcp://10.0.0.2:6379", "REDIS_URL=redis://redis")
	if got := c.Redis.Addresses[0]; got != "redis:6379" {
		t.Errorf("redis at %s", got)
	}
}

func TestSecretsStayHidden(t *testing.T) {
	c := mustLoad(t, "", "ROOMCAST_JWT_SECRET=hunter2 hunter2 hunter2 hunter2 hunter2", "ROOMCAST_API_KEYS=ci:hunter2:read:*", "REDIS_URL=redis://:hunter2@h")
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "password", c.Redis.Password, "redis", c.Redis)
	for _, shown := range []string{fmt.Sprintf("%v %+v %#v %s %q %x", c, c, c, c.Redis.Password, c.Redis.Password, c.Redis.Password), string(encoded), logged.String()} {
		if strings.Contains(shown, "hunter2") || strings.Contains(shown, "68756e74657232") {
			t.Errorf("the password shows in %s", shown)
		}
	}
	if string(c.Redis.Password) != "hunter2" {
		t.Error("the password is lost")
	}
}

func FuzzDotenv(f *testing.F) {
	f.Add("ROOMCAST_AUTH=none\n# comment\nexport PORT=\"80${X}\"\nREDIS_URL='redis://:hunter2@h")
	f.Add("PORT")
	f.Add("=\nA: b\n")
	f.Add("\ufeffPORT=1")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := load(t, text, "REDIS_PASSWORD=hunter2")
		var faults config.Faults
		switch {
		case err == nil && c.Access.Auth != "none":
			t.Errorf("accepted without an explicit ROOMCAST_AUTH: %+v", c)
		case err != nil && (!errors.As(err, &faults) || len(faults) == 0):
			t.Errorf("not Faults: %v", err)
		case err != nil && strings.Contains(err.Error(), "hunter2") && !strings.Contains(text, "hunter2"):
			t.Errorf("secret shown: %v", err)
		}
	})
}
