package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"

	goredis "github.com/redis/go-redis/v9"

	"github.com/roomcast/roomcast/internal/event"
)

// Store is one instance's access to a channel. It is safe for concurrent use.
type Store struct {
	client   *goredis.Client
	errands  courier[*errand]
	outbox   courier[*outgoing]
	watched  bool // by sentinels
	instance string
	process  atomic.Value // run_id of the Redis process last connected to, a string
	scripts  scripts
	channel  string
	keys     keys
	history  history
	logger   *slog.Logger
	refusals refusals
	eviction eviction
	echo     echo
}

// history holds the bounds as publish.lua takes them.
type history struct {
	size, bytes int
	ttl         int64 // milliseconds
	rooms       int   // in the index
}

// Open makes a store. It does not connect: Redis being away is no error, but what every
// other method deals with.
func Open(options Options) (*Store, error) {
	if options.Channel == "" {
		options.Channel = DefaultChannel
	}
	if options.RoomIndexSize == 0 {
		options.RoomIndexSize = DefaultRoomIndexSize
	}
	if err := options.check(); err != nil {
		return nil, fmt.Errorf("redis store: %w", err)
	}
	s := &Store{
		watched:  options.Server.Master != "",
		instance: options.Instance,
		scripts:  newScripts(),
		channel:  options.Channel,
		keys:     keys{prefix: "{" + options.Channel + "}:"},
		history: history{
			size:  options.HistorySize,
			bytes: options.HistoryBytes,
			ttl:   options.HistoryTTL.Milliseconds(),
			rooms: options.RoomIndexSize,
		},
		logger:   options.Logger,
		refusals: refusals{logger: options.Logger},
	}
	s.process.Store("")
	s.client = options.newClient(s.onConnect)
	s.errands.carry = s.runErrands
	s.outbox.carry = s.publishAll
	return s, nil
}

// onConnect runs first on every connection: see open.lua. go-redis calls it for connections
// to sentinels too, which have no scripts. All is asked in one round trip, or on a slow way
// a command's time would be over before it is sent.
func (s *Store) onConnect(ctx context.Context, connection *goredis.Conn) error {
	pipe := connection.Pipeline()
	pipe.ClientSetName(ctx, "roomcast:"+s.instance) // for CLIENT LIST alone: may fail
	var info *goredis.StringCmd
	if s.watched {
		info = pipe.Info(ctx, "server")
	}
	role := "any"
	if s.watched { // the sentinels know a better one
		role = "master"
	}
	keys, epoch := s.keys.channel(), newEpoch()
	opened := s.scripts.open.EvalSha(ctx, pipe, keys, epoch, role)
	_, err := pipe.Exec(ctx)
	if _, answered := answer(err); err != nil && !answered {
		return fmt.Errorf("open a connection: %w", err)
	}
	if s.watched && infoField(info.Val(), "redis_mode") == "sentinel" {
		return nil
	}
	if goredis.HasErrorPrefix(opened.Err(), "NOSCRIPT") {
		opened = s.scripts.open.Eval(ctx, connection, keys, epoch, role)
	}
	process, err := opened.Text()
	if err != nil {
		return fmt.Errorf("open the channel's sequence: %w", err)
	}
	s.process.Store(process)
	return nil
}

// Close releases connections. Nothing may be called afterwards, and Follow must have
// returned.
func (s *Store) Close() error {
	err := s.client.Close()
	s.eviction.looking.Wait()
	if err != nil {
		return fmt.Errorf("close redis: %w", err)
	}
	return nil
}

// Ping reports whether Redis answers, in one attempt.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("ping redis: %w", err)
	}
	return nil
}

// Top reads where the sequence stands.
func (s *Store) Top(ctx context.Context) (event.Top, error) {
	result, err := s.run(ctx, s.scripts.top, s.keys.channel())
	if err != nil {
		return event.Top{}, fmt.Errorf("read the top: %w", err)
	}
	top := readTop(result)
	if result.err != nil {
		return event.Top{}, fmt.Errorf("read the top: %w", result.err)
	}
	return top, nil
}

func readTop(result *reply) event.Top {
	return event.Top{Position: result.position(), Previous: result.position()}
}

// changedSlice bounds the rooms of one run of changed.lua, which holds up everybody else.
const changedSlice = 5000

// Changed returns those of rooms that had a publication after the sequence, or about
// which the index cannot say.
func (s *Store) Changed(ctx context.Context, rooms []event.Room, after uint64) ([]event.Room, error) {
	var changed []event.Room
	for len(rooms) > 0 {
		slice := rooms[:min(len(rooms), changedSlice)]
		rooms = rooms[len(slice):]
		names := make([]any, 0, len(slice)+1)
		names = append(names, after)
		for _, room := range slice {
			names = append(names, room.String())
		}
		result, err := s.run(ctx, s.scripts.changed, s.keys.channel(), names...)
		if err != nil {
			return nil, fmt.Errorf("ask which rooms changed: %w", err)
		}
		for _, value := range result.values {
			place, ok := value.(int64)
			if !ok || place < 0 || place >= int64(len(slice)) {
				return nil, errors.New("ask which rooms changed: the answer names a room that was not asked about")
			}
			changed = append(changed, slice[place])
		}
	}
	return changed, nil
}

// Range reads a room's events after the sequence, in order. It stops early, with More
// set, before the event that would take it over maxBytes; it always makes progress by one.
func (s *Store) Range(ctx context.Context, room event.Room, after uint64, maxBytes int) (event.Range, error) {
	keys := append(s.keys.channel(), s.keys.room(room))
	result, err := s.run(ctx, s.scripts.ranging, keys, room.String(), strconv.FormatUint(after, 10), maxBytes)
	if err != nil {
		return event.Range{}, fmt.Errorf("read a room's history: %w", err)
	}
	found := event.Range{Top: readTop(result), Last: result.number(), Floor: result.number(), More: result.number() == 1}
	for result.err == nil && len(result.values) > 0 {
		// The position is one of the present sequence, whichever epoch the event was
		// published under: it stays good the longest.
		position := event.Position{Epoch: found.Top.Epoch, Sequence: result.number()}
		previous, object := result.number(), result.text()
		if result.err == nil {
			found.Events = append(found.Events, event.NewDelivery(room, position, previous, object))
		}
	}
	if result.err != nil {
		return event.Range{}, fmt.Errorf("read a room's history: %w", result.err)
	}
	return found, nil
}

// run runs a script that may be repeated, with a fresh epoch as its first argument.
func (s *Store) run(ctx context.Context, script *goredis.Script, keys []string, args ...any) (*reply, error) {
	return s.insist(ctx, args, func(args []any) ([]any, error) {
		return script.Run(ctx, s.client, keys, args...).Slice()
	})
}

// runTogether is run for a script whose answer is small: it goes together with others.
func (s *Store) runTogether(ctx context.Context, script *goredis.Script, keys []string, args ...any) (*reply, error) {
	return s.insist(ctx, args, func(args []any) ([]any, error) {
		return s.runErrand(ctx, script, keys, args)
	})
}

func (s *Store) insist(ctx context.Context, args []any, once func(args []any) ([]any, error)) (*reply, error) {
	result := new(reply)
	err := retry(ctx, func() (err error) {
		result.values, err = once(append([]any{newEpoch()}, args...))
		return err
	})
	s.refusals.note(err)
	return result, err
}

// keys names what is kept for a channel.
type keys struct{ prefix string }

func (k keys) channel() []string           { return []string{k.prefix + "meta", k.prefix + "rooms"} }
func (k keys) tails() string               { return k.prefix + "tails" }
func (k keys) room(room event.Room) string { return k.prefix + "room:" + room.String() }
func (k keys) id(id string) string         { return k.prefix + "id:" + id }
