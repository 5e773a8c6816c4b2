package harness

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/rs/zerolog"
)

// Link is a TCP connection's way through toxiproxy.
type Link struct{ *toxiproxy.Proxy }

// StartLink opens a way to an address (host:port), until the test ends.
func StartLink(t testing.TB, upstream string) *Link {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	link := &Link{toxiproxy.NewProxy(server, t.Name(), "127.0.0.1:0", upstream)}
	if err := link.Start(); err != nil {
		t.Fatalf("starting toxiproxy: %v", err)
	}
	t.Cleanup(link.Stop)
	return link
}

// Address is where to connect to, as host:port.
func (l *Link) Address() string { return l.Listen }

// Partition lets both directions of all connections carry nothing any more, without an end.
func (l *Link) Partition(t testing.TB) {
	t.Helper()
	l.add(t, `{"type":"timeout","stream":"downstream"}`)
	l.add(t, `{"type":"timeout","stream":"upstream"}`)
}

func (l *Link) add(t testing.TB, toxic string) *toxics.ToxicWrapper {
	t.Helper()
	added, err := l.Toxics.AddToxicJson(strings.NewReader(toxic))
	if err != nil {
		t.Fatalf("adding the toxic %s: %v", toxic, err)
	}
	return added
}

// RedisLink is the way of one instance to Redis.
type RedisLink struct {
	*Link
	feed *feed
}

const feedToxic = "roomcast_feed"

// registerFeed tells toxiproxy of our toxic; its list is the process's.
var registerFeed = sync.OnceFunc(func() { toxics.Register(feedToxic, new(feed)) })

// LinkRedis opens a way to the Redis at an address (host:port), until the test ends.
func LinkRedis(t testing.TB, redis string) *RedisLink {
	t.Helper()
	registerFeed()
	link := &RedisLink{Link: StartLink(t, redis)}
	link.feed = link.add(t, `{"type":"`+feedToxic+`"}`).Toxic.(*feed)
	link.feed.become(Hearing)
	t.Cleanup(func() {
		if _, err := link.feed.report(); err != nil {
			t.Errorf("on the way from Redis: %v", err)
		}
	})
	return link
}

// URL is the address as a redis:// URL.
func (l *RedisLink) URL() string { return "redis://" + l.Address() }

// Become changes what the instance hears.
func (l *RedisLink) Become(deafness Deafness) { l.feed.become(deafness) }

// LosePublications makes the instance miss publications, each with a probability; what is
// random is drawn from the seed.
func (l *RedisLink) LosePublications(probability float64, seed uint64) {
	l.feed.lose(probability, rand.New(rand.NewPCG(seed, 0)))
}

// Lost is how many publications the instance was made to miss.
func (l *RedisLink) Lost() int {
	lost, _ := l.feed.report()
	return lost
}
