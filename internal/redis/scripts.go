package redis

import (
	"crypto/rand"
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/roomcast/roomcast/internal/event"
)

var (
	//go:embed lua/sequence.lua
	sequenceLua string
	//go:embed lua/history.lua
	historyLua string
	//go:embed lua/session.lua
	sessionLua string

	//go:embed lua/open.lua
	openLua string
	//go:embed lua/publish.lua
	publishLua string
	//go:embed lua/heartbeat.lua
	heartbeatLua string
	//go:embed lua/top.lua
	topLua string
	//go:embed lua/range.lua
	rangeLua string
	//go:embed lua/changed.lua
	changedLua string

	//go:embed lua/keep.lua
	keepLua string
	//go:embed lua/leave.lua
	leaveLua string
	//go:embed lua/part.lua
	partLua string
	//go:embed lua/claim.lua
	claimLua string
)

// scripts are run by their hash, and sent once more in full to a Redis that does not
// know them.
type scripts struct {
	open, publish, heartbeat, top, ranging, changed *goredis.Script
	keep, leave, part, claim                        *goredis.Script
}

func newScripts() scripts {
	return scripts{
		open:      goredis.NewScript(sequenceLua + openLua),
		publish:   goredis.NewScript(sequenceLua + historyLua + publishLua),
		heartbeat: goredis.NewScript(sequenceLua + sessionLua + heartbeatLua),
		top:       goredis.NewScript(sequenceLua + topLua),
		ranging:   goredis.NewScript(sequenceLua + historyLua + rangeLua),
		changed:   goredis.NewScript(sequenceLua + changedLua),

		keep:  goredis.NewScript(sequenceLua + sessionLua + keepLua),
		leave: goredis.NewScript(sequenceLua + sessionLua + leaveLua),
		part:  goredis.NewScript(sequenceLua + sessionLua + partLua),
		claim: goredis.NewScript(sequenceLua + sessionLua + claimLua),
	}
}

// newEpoch is eight characters of a-z and 2-7. Two epochs of one channel are equal once
// in 2^40 restarts.
func newEpoch() string { return strings.ToLower(rand.Text()[:8]) }

// reply reads a script's result from front to back. The first value of another kind than
// asked for is kept in err, and everything after it reads as zero.
type reply struct {
	values []any
	err    error
}

func (r *reply) text() string {
	if r.err != nil {
		return ""
	}
	if len(r.values) == 0 {
		r.err = fmt.Errorf("script result ends early")
		return ""
	}
	text, ok := r.values[0].(string)
	if !ok {
		r.err = fmt.Errorf("script result holds a %T where text is due", r.values[0])
	}
	r.values = r.values[1:]
	return text
}

func (r *reply) number() uint64 {
	text := r.text()
	if r.err != nil {
		return 0
	}
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		r.err = fmt.Errorf("script result holds no number: %w", err)
	}
	return number
}

func (r *reply) position() event.Position {
	return event.Position{Epoch: r.text(), Sequence: r.number()}
}
