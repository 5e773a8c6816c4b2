package faults

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	goredis "github.com/redis/go-redis/v9"
)

// publishing writes what a publication of Roomcast does: the sequence, the room's history, the
// index, the answer under the publication's id, and the message on the channel.
var publishing = goredis.NewScript(`
local seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
redis.call('XADD', KEYS[2], 'MAXLEN', '=', 1000, seq .. '-0', 'o', ARGV[1])
redis.call('PEXPIRE', KEYS[2], 600000)
redis.call('ZADD', KEYS[3], seq, KEYS[2])
redis.call('SET', KEYS[4], seq, 'PX', 60000)
redis.call('PUBLISH', 'channel', ARGV[1])
return seq`)

// What it would cost to answer publishers only once a replica has what they published, which
// is not done: go test -run '^$' -bench Replica ./test/faults
func BenchmarkWaitForAReplica(b *testing.B) {
	p := startPair(b)
	for _, publishers := range []int{1, 32} {
		for _, replicas := range []int{0, 1} {
			b.Run(fmt.Sprintf("publishers=%d/replicas=%d", publishers, replicas), func(b *testing.B) {
				client := goredis.NewClient(&goredis.Options{Addr: p.master.Addr(), PoolSize: publishers, Protocol: 2})
				defer client.Close()
				if err := publishing.Load(b.Context(), client).Err(); err != nil {
					b.Fatal(err)
				}
				b.ResetTimer()
				var group sync.WaitGroup
				for n := range publishers {
					group.Go(func() {
						for range share(b.N, publishers, n) {
							publishAndWait(b, client, replicas)
						}
					})
				}
				group.Wait()
			})
		}
	}
}

// share is how many of count are the part of the nth.
func share(count, parts, nth int) int { return (count + nth) / parts }

// publishAndWait waits for so many replicas, in the same round trip.
func publishAndWait(b *testing.B, client *goredis.Client, replicas int) {
	keys := []string{"{c}:meta", "{c}:room", "{c}:rooms", "{c}:id"}
	pipeline := client.Pipeline()
	publishing.EvalSha(b.Context(), pipeline, keys, strings.Repeat("x", 200))
	if replicas > 0 {
		const milliseconds = 5000
		pipeline.Do(b.Context(), "WAIT", replicas, milliseconds)
	}
	if _, err := pipeline.Exec(b.Context()); err != nil {
		b.Error(err)
	}
}
