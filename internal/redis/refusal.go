package redis

import (
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// refusalInterval is how often refusals of one code are logged at most: a full Redis
// refuses every publication there is.
const refusalInterval = time.Minute

// refusals tell the log what Redis answers instead of obeying, since callers say no more
// than that they could not do it. A command without an answer is none: that the way to
// Redis is broken, the hub tells.
type refusals struct {
	logger *slog.Logger
	lasts  atomic.Bool // a publication was refused, and none accepted since

	mu     sync.Mutex
	logged map[string]time.Time // by code, of which Redis has a few dozen
}

// note logs err unless one of its code was logged a short while ago. What Redis says may
// name a command, a user or a script; it holds no password and nothing that was sent.
func (r *refusals) note(err error) {
	text, answered := answer(err)
	if !answered {
		return
	}
	if code := codeOf(text); r.isDue(code, time.Now()) {
		r.logger.Error("Redis refuses commands; that it goes on is logged once a minute", "code", code, "answer", text)
	}
}

func (r *refusals) isDue(code string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, ok := r.logged[code]; ok && now.Sub(last) < refusalInterval {
		return false
	}
	if r.logged == nil {
		r.logged = make(map[string]time.Time)
	}
	r.logged[code] = now
	return true
}

// published notes what became of a publication, to say once that it is over.
func (r *refusals) published(err error) {
	if err != nil {
		if _, answered := answer(err); answered {
			r.lasts.Store(true)
		}
		return
	}
	if r.lasts.Load() && r.lasts.CompareAndSwap(true, false) {
		r.logger.Info("Redis accepts publications again")
	}
}

// codeOf is the first word of an answer, or of the one that a Redis before version 7
// wraps: "ERR Error running script (…): @user_script:1: -OOM command not allowed …".
func codeOf(text string) string {
	if _, wrapped, found := strings.Cut(text, ": -"); found {
		text = wrapped
	}
	code, _, _ := strings.Cut(text, " ")
	return code
}
