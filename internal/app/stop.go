package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
)

// stack undoes what was begun, the last first, each step by its name.
type stack struct {
	steps []step
}

type step struct {
	name string
	stop func(ctx context.Context) error
}

func (s *stack) push(name string, stop func(ctx context.Context) error) {
	s.steps = append(s.steps, step{name, stop})
}

// run undoes everything, whatever fails on the way, and joins the errors.
func (s *stack) run(ctx context.Context) error {
	var errs []error
	for len(s.steps) > 0 {
		last := s.steps[len(s.steps)-1]
		s.steps = s.steps[:len(s.steps)-1]
		if err := last.stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stopping %s: %w", last.name, err))
		}
	}
	return errors.Join(errs...)
}

// fetchTime is how long a polling client between two polls may take to come and learn that
// its session is over. As a rule that is one round trip.
const fetchTime = 2 * time.Second

// Stop takes the instance down: not ready any more, some notice for balancers to see
// that, then the end of polling sessions, then no new connections, then one websocket
// after the other, then the channel and the store. The listener goes before the
// websockets, so that a client that reconnects is refused by the kernel and tries the next
// instance, instead of coming back here; nobody is refused by an answer before there is
// nobody left. When the context ends all that is left goes at once. Stopping again waits
// for the first and does nothing more.
func (i *Instance) Stop(ctx context.Context) error {
	i.draining.Store(true)
	i.stopping.Lock()
	defer i.stopping.Unlock()
	if len(i.stops.steps) == 0 {
		return nil
	}
	select {
	case <-time.After(i.options.Config.Drain.Notice):
	case <-ctx.Done():
	}
	return i.stops.run(ctx)
}

// stopPolling ends the sessions that would need the listener for their next request.
func (i *Instance) stopPolling(ctx context.Context) error {
	began := time.Now()
	ended := i.engine.EndPolling(ctx, min(fetchTime, i.options.Config.Drain.Over))
	i.options.Logger.Info("polling sessions ended", "sessions", ended, "took", since(began))
	return nil
}

// stopAccepting closes the listener, then the connections at rest: proxies keep such ones
// for the next request, which has to find another instance.
func (i *Instance) stopAccepting(context.Context) error {
	err := i.listener.Close()
	i.public.SetKeepAlivesEnabled(false)
	i.options.Logger.Info("no longer accepting connections")
	return ignoreClosed(err)
}

// drain closes the sessions that are left in turn, and then those of handshakes that were
// still under way. There are none as a rule: they have had the time of the drain.
func (i *Instance) drain(ctx context.Context) error {
	began := time.Now()
	closed, err := i.engine.Drain(ctx, i.options.Config.Drain.Over)
	i.coming.await(ctx)
	late, errLate := i.engine.Drain(ctx, arrivalTime)
	i.options.Logger.Info("sessions closed", "sessions", closed+late, "took", since(began))
	return cmp.Or(err, errLate)
}

// since is a duration for the log.
func since(began time.Time) time.Duration { return time.Since(began).Round(time.Millisecond) }

// stopSessions refuses what comes now, ends what is left and waits for what serves it.
func (i *Instance) stopSessions(ctx context.Context) error {
	i.old.Close()
	errs := []error{i.engine.Close(ctx)}
	errs = append(errs, i.old.Wait(ctx), i.public.Shutdown(ctx))
	return errors.Join(errs...)
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// readiness is the hub as the REST side sees it, with the instance's own going down.
type readiness struct{ instance *Instance }

var errDraining = fmt.Errorf("%w: this instance is going down", hub.ErrUnavailable)

// Ready implements rest.Publisher.
func (r readiness) Ready() error {
	if r.instance.draining.Load() {
		return errDraining
	}
	return r.instance.hub.Ready()
}

// Publish implements rest.Publisher. It goes on working while the instance goes down:
// requests that are here already have nowhere else to go.
func (r readiness) Publish(ctx context.Context, publication event.Publication) (event.Receipt, error) {
	return r.instance.hub.Publish(ctx, publication)
}
