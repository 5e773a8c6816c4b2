package app

import (
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

// Stop takes the instance down: not ready any more, some notice for balancers to see
// that, then no new connections, then the sessions' end, then the channel and the store.
// The listener goes before the sessions, so that a client that reconnects at once is
// refused by the kernel and tries the next instance, instead of coming back here.
// Stopping again waits for the first and does nothing more.
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

// stopSessions ends all sessions and waits for what serves them.
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
