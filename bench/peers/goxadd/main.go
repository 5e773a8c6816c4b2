// Command goxadd is the least that a durable publication costs with net/http and go-redis: a
// bare route and one XADD.
package main

import (
	"context"
	"log"
	"net/http"
	"os"

	"github.com/redis/go-redis/v9"

	"github.com/roomcast/roomcast/bench/peers/rest"
)

// historySize is how many entries a room keeps, about.
const historySize = 1000

func main() {
	options, err := redis.ParseURL(os.Getenv("REDIS_URL"))
	if err != nil {
		log.Fatal(err)
	}
	client := redis.NewClient(options)
	routes := http.NewServeMux()
	rest.Handle(routes, func(room string, object []byte) error {
		return client.XAdd(context.Background(), &redis.XAddArgs{
			Stream: "stream:" + room, MaxLen: historySize, Approx: true, Values: []any{"o", object},
		}).Err()
	})
	rest.Serve(routes)
}
