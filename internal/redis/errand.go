package redis

import (
	"context"

	goredis "github.com/redis/go-redis/v9"
)

// errand is a script to be run together with others, each of its own, in one round trip.
type errand struct {
	script *goredis.Script
	keys   []string
	args   []any

	result []any
	err    error
}

// runErrand runs a script once, or twice where Redis did not know it.
func (s *Store) runErrand(ctx context.Context, script *goredis.Script, keys []string, args []any) ([]any, error) {
	e := &errand{script: script, keys: keys, args: args}
	if err := s.errands.take(ctx, e, e.bytes()); err != nil {
		return nil, err
	}
	if goredis.HasErrorPrefix(e.err, "NOSCRIPT") {
		return script.Eval(ctx, s.client, keys, args...).Slice()
	}
	return e.result, e.err
}

func (e *errand) bytes() int {
	sum := 0
	for _, arg := range e.args {
		if text, ok := arg.(string); ok {
			sum += len(text)
		}
	}
	return sum
}

// runErrands is how errands are carried.
func (s *Store) runErrands(ctx context.Context, batch []*parcel[*errand]) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ioTimeout)
	defer cancel()
	pipe := s.client.Pipeline()
	commands := make([]*goredis.Cmd, len(batch))
	for i, p := range batch {
		commands[i] = p.cargo.script.EvalSha(ctx, pipe, p.cargo.keys, p.cargo.args...)
	}
	_, err := pipe.Exec(ctx)
	for i, p := range batch {
		if commands[i].Err() == nil && commands[i].Val() == nil {
			p.cargo.err = err // none was sent: there was no connection to be had
			continue
		}
		p.cargo.result, p.cargo.err = commands[i].Slice()
	}
}
