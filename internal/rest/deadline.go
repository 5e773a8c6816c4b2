package rest

import (
	"context"
	"sync"
	"time"
)

// deadlines bound publications. Those that begin within a fiftieth of the bound share one
// context and its timer, of the one that began last: one for each would cost more than
// finding its route.
type deadlines struct {
	bound time.Duration

	mu      sync.Mutex
	shared  context.Context //nolint:containedctx // it is what is shared
	release context.CancelFunc
	until   time.Time // when another one is due
}

// begin is the context of a publication that begins now. It ends with its deadline and not
// before, whatever becomes of the caller.
func (d *deadlines) begin() context.Context {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if now.After(d.until) {
		share := d.bound / 50
		d.until = now.Add(share)
		// Not released before its time: there may be many who use it.
		d.shared, d.release = context.WithTimeout(context.Background(), d.bound+share) //nolint:gosec // see above: it ends by itself
	}
	return d.shared
}
