package config

import (
	"crypto/rand"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// draft is a Config while it is read: with the values that only mean something beside
// others.
type draft struct {
	Config
	redis     redisForm
	access    accessForm
	logFormat string
	given     map[string]setting
}

// Load reads the configuration from environ ("NAME=value", as os.Environ gives it) and
// the file at dotenvPath; the environment wins. A missing file is no fault, and an empty
// path means no file. A variable set to nothing counts as unset. The error is a Faults
// with everything that is wrong.
func Load(environ []string, dotenvPath string) (Config, error) {
	d, faults := newDraft(environ, dotenvPath)
	unread := len(faults) > 0
	faults = append(faults, d.parse(table())...)
	// Faults of what is missing would mislead while part of the file is unread.
	if !unread {
		faults = append(faults, d.check(faults)...)
	}
	faults = append(faults, unknown(d.given)...)
	faults = append(faults, unknownRedis(d.given)...)
	if len(faults) > 0 {
		return Config{}, faults
	}
	d.finish()
	return d.Config, nil
}

// LoadListen reads, as Load does, where an instance listens, and looks at nothing else:
// whoever asks how an instance is needs neither its secrets nor a sound configuration.
func LoadListen(environ []string, dotenvPath string) (Listen, error) {
	d, faults := newDraft(environ, dotenvPath)
	if faults = append(faults, d.parse(listenVariables())...); len(faults) > 0 {
		return Listen{}, faults
	}
	return d.Listen, nil
}

// LoadAccess reads, as Load does, who may come in, and looks at nothing else.
func LoadAccess(environ []string, dotenvPath string) (Access, error) {
	d, faults := newDraft(environ, dotenvPath)
	faults = append(faults, d.parse(accessVariables())...)
	faults = append(faults, d.checkOf(faults, d.checkAuth)...)
	if len(faults) > 0 {
		return Access{}, faults
	}
	return d.Access, nil
}

// newDraft holds what was given, none of it read yet.
func newDraft(environ []string, dotenvPath string) (*draft, Faults) {
	file, fault := readDotenv(dotenvPath)
	d := &draft{given: merge(environ, file)}
	if fault != nil {
		return d, Faults{*fault}
	}
	return d, nil
}

// parse fills the draft from rows of the table, defaults first.
func (d *draft) parse(rows []spec) Faults {
	var faults Faults
	for _, spec := range rows {
		if spec.Default != "" {
			spec.rule.set(d, spec.Default)
		}
		given, ok := d.given[spec.Name]
		if !ok || spec.rule.set(d, given.value) {
			continue
		}
		faults = append(faults, Fault{Variable: spec.Name, given: given, Reason: "must be " + spec.Allowed})
		if spec.Default != "" {
			spec.rule.set(d, spec.Default) // what is wrong alone must not look wrong beside others too
		}
	}
	return faults
}

// check finds what is wrong with values that are each allowed alone; those of already
// are not.
func (d *draft) check(already Faults) Faults {
	return d.checkOf(already, func(add func(variable, reason string)) {
		d.checkAuth(add)
		d.checkTLS(add)
		d.checkRedis(add)
		d.checkLimits(add)
		d.checkContinuity(add)
		if d.adminClashes() {
			add("ROOMCAST_ADMIN_ADDR", "must differ from the address of PORT and ROOMCAST_HOST; leave it unset to serve metrics and health there")
		}
	})
}

// checkOf gathers what a check adds, but for variables that are wrong already.
func (d *draft) checkOf(already Faults, check func(add func(variable, reason string))) Faults {
	var faults Faults
	check(func(variable, reason string) {
		if slices.ContainsFunc(already, func(f Fault) bool { return f.Variable == variable }) {
			return
		}
		faults = append(faults, Fault{Variable: variable, given: d.given[variable], Reason: reason})
	})
	return faults
}

func (d *draft) checkLimits(add func(variable, reason string)) {
	if d.Limits.BacklogBytes < d.Engine.MaxPayload {
		// A smaller backlog would close every client whose kernel buffer cannot take the
		// largest update at once, again after each of its reconnects.
		add("ROOMCAST_BACKLOG_BYTES", "must be at least ROOMCAST_MAX_PAYLOAD, which is "+strconv.Itoa(d.Engine.MaxPayload))
	}
}

// checkContinuity refuses a history that cannot keep what recovery promises.
func (d *draft) checkContinuity(add func(variable, reason string)) {
	if d.Recovery.On && d.History.TTL < d.Recovery.Window+historySpare {
		add("ROOMCAST_HISTORY_TTL", "must be at least a minute longer than ROOMCAST_RECOVERY_WINDOW, which is "+brief(d.Recovery.Window)+
			": what a client missed must still be there when it returns")
	}
	if d.Recovery.ReplayBytes > d.Limits.BacklogBytes/2 {
		add("ROOMCAST_REPLAY_BYTES", "must be at most half of ROOMCAST_BACKLOG_BYTES, which is "+strconv.Itoa(d.Limits.BacklogBytes)+
			": a replay must not fill the backlog that live events need")
	}
}

// historySpare is how much longer than the window events are kept: a session is lost some
// time before anybody notices, and the clocks of Redis and of instances differ.
const historySpare = time.Minute

func (d *draft) adminClashes() bool {
	host, port, err := net.SplitHostPort(d.Listen.Admin)
	if err != nil || port == "0" || port != strconv.Itoa(d.Listen.Port) {
		return false
	}
	return host == d.Listen.Host || host == "" || d.Listen.Host == ""
}

// finish derives what depends on several values, once they are known to be sound.
func (d *draft) finish() {
	d.Redis = d.redis.resolve()
	d.Log.JSON = d.logFormat == "json" || d.logFormat == "auto" && d.Environment != "development"
	if d.Recovery.ReplayBytes == 0 {
		d.Recovery.ReplayBytes = d.Limits.BacklogBytes / 2
	}
	if d.Instance == "" {
		d.Instance = strings.ToLower(rand.Text()[:8])
	}
}

// setting is one value as it was given.
type setting struct {
	value  string
	source string // the file it stands in, empty for the environment
	secret bool
}

// merge lays the environment over the file. As everywhere in Go the first of several
// entries of one name counts. An empty value of the environment hides the file's, so
// that a deployment can unset what a file sets.
func merge(environ []string, file dotenv) map[string]setting {
	settings := make(map[string]setting)
	for name, value := range file.values {
		settings[name] = setting{value: value, source: file.name}
	}
	seen := make(map[string]bool)
	for _, entry := range environ {
		name, value, ok := strings.Cut(entry, "=")
		if !ok || seen[name] || serviceLink(name, value) {
			continue
		}
		seen[name] = true
		settings[name] = setting{value: value}
	}
	for _, spec := range table() {
		given, ok := settings[spec.Name]
		if ok && given.value == "" {
			delete(settings, spec.Name)
		} else if ok {
			given.secret = spec.secret
			settings[spec.Name] = given
		}
	}
	return settings
}
