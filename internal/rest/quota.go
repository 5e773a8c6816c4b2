package rest

import (
	"fmt"
	"math"
	"net/http"
	"strconv"

	"github.com/roomcast/roomcast/internal/auth"
	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/limit"
)

// quotas bound how much is published through this instance: by one caller, and to one room.
type quotas struct {
	caller, room *limit.Keyed // nil: no bound
}

func newQuotas(options Options) quotas {
	keyed := func(rate limit.Rate) *limit.Keyed {
		if rate.PerSecond == 0 {
			return nil
		}
		return limit.NewKeyed(rate)
	}
	return quotas{caller: keyed(options.PublishesPerCaller), room: keyed(options.PublishesPerRoom)}
}

// take counts one publication, and says in the header how many more there may be: of the
// bound that is nearer (draft-ietf-httpapi-ratelimit-headers).
func (q quotas) take(header http.Header, caller *auth.Principal, room event.Room) error {
	type bound struct {
		name   string
		of     *limit.Keyed
		key    string
		refuse string
	}
	bounds := []bound{{"room", q.room, room.String(), "the room has as many publications as it may in a second"}}
	if owner := caller.Owner(); owner != "" {
		bounds = append(bounds, bound{"caller", q.caller, owner, "the caller has made as many publications as it may in a second"})
	}
	least := math.Inf(1)
	for _, b := range bounds {
		if b.of == nil {
			continue
		}
		verdict, rate := b.of.Take(b.key, 1), b.of.Rate()
		if share := verdict.Left / rate.Burst; !verdict.OK || share < least {
			least = share
			header.Set("RateLimit-Policy", fmt.Sprintf("%q;q=%.0f;w=1", b.name, rate.PerSecond))
			header.Set("RateLimit", fmt.Sprintf("%q;r=%.0f;t=1", b.name, math.Floor(verdict.Left)))
		}
		if !verdict.OK {
			header.Set("Retry-After", strconv.Itoa(int(math.Ceil(verdict.Wait.Seconds()))))
			return &failure{kind: tooManyRequests, detail: b.refuse}
		}
	}
	return nil
}
