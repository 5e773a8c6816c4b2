package redis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// backoff is a pause that doubles up to a bound, jittered so that instances that lost
// the same server do not come back in step.
type backoff struct {
	first, most time.Duration
	next        time.Duration
}

func (b *backoff) reset() { b.next = 0 }

// wait pauses and reports whether ctx is still good.
func (b *backoff) wait(ctx context.Context) bool {
	b.next = min(max(2*b.next, b.first), b.most)
	timer := time.NewTimer(b.next/2 + rand.N(b.next/2)) //nolint:gosec // no secret
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// retry repeats a command that may be repeated, until it succeeds, fails for good, or ctx
// ends. The error then wraps both ctx's and what was wrong with the command.
func retry(ctx context.Context, command func() error) error {
	pause := backoff{first: 20 * time.Millisecond, most: time.Second}
	var cause error
	for {
		err := command()
		if err == nil || !temporary(err) {
			return err
		}
		// The last attempt often knows only that time ran out; an earlier one knows why.
		if cause == nil || !timedOut(err) {
			cause = err
		}
		if !pause.wait(ctx) {
			return fmt.Errorf("%w: %w", ctx.Err(), cause)
		}
	}
}

func timedOut(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.Canceled) || errors.As(err, &timeout) && timeout.Timeout()
}

// passing are the answers of a Redis that will soon answer otherwise without anybody's
// doing. A command that gets one is repeated until the caller's deadline:
//
//	LOADING        it has started and reads its data
//	BUSY           somebody's script keeps it from answering
//	READONLY       it is a replica by now: a new connection asks the sentinels, or DNS, again
//	MASTERDOWN     it is a replica without its master: the same
//	NOREPLICAS     min-replicas-to-write are not there: one is restarting, or this is the
//	               wrong side of a failover
//	CLUSTERDOWN, TRYAGAIN   slots are on their way
//	ERR max number of clients
//
// Every other answer stays until somebody acts, or until what fills the memory expires;
// waiting for the deadline would keep the caller from trying elsewhere or later. The
// command fails at once:
//
//	OOM            maxmemory is reached and nothing may be evicted
//	MISCONF        the last snapshot could not be written, so Redis takes no writes
//	NOAUTH, WRONGPASS, NOPERM, and ERR for what a script may not do
var passing = [...]string{"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "BUSY", "ERR max number of clients"}

// temporary reports whether the same command may succeed soon without anybody's doing.
// Everything that is not an answer of Redis is a fault of the way to it.
func temporary(err error) bool {
	if errors.Is(err, goredis.ErrClosed) {
		return false
	}
	text, answered := answer(err)
	if !answered {
		return true
	}
	for _, code := range passing {
		if says(text, code) {
			return true
		}
	}
	return false
}

// answer is what Redis answered, if err is an answer of Redis.
func answer(err error) (text string, answered bool) {
	var answer goredis.Error
	if !errors.As(err, &answer) {
		return "", false
	}
	return answer.Error(), true
}

// says reports whether an answer is of that code. Before version 7, Redis wraps what a
// script's command was told: "ERR … -READONLY You …".
func says(text, code string) bool {
	return strings.HasPrefix(text, code+" ") || strings.Contains(text, "-"+code+" ")
}
