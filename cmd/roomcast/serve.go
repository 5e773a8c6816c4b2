package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/roomcast/roomcast/internal/app"
	"github.com/roomcast/roomcast/internal/config"
)

const serveHelp = `Usage: roomcast serve [flags]

Runs one instance until it gets SIGINT or SIGTERM; a second one ends it at once.
It is configured by the environment variables below, and by a .env file in the
working directory for those the environment does not set.

Example:
  REDIS_URL=redis://localhost:6379 ROOMCAST_AUTH=none roomcast serve
`

// stopPatience bounds going down, beyond the notice and the drain, before the process ends
// anyway.
const stopPatience = 20 * time.Second

func serve(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	dotenv := dotenvFlag(flags)
	help := help{usage: serveHelp, listed: "\nVariables:\n" + config.Describe()}
	if code, done := parseFlags(flags, help, args, stdout, stderr); done {
		return code
	}
	cfg, err := config.Load(os.Environ(), *dotenv)
	if err != nil {
		fmt.Fprintf(stderr, "roomcast serve: the configuration is wrong:\n%v\n", err)
		return exitUsage
	}
	logger := newLogger(stderr, cfg.Log)
	store, err := app.OpenStore(cfg, logger)
	if err != nil {
		logger.Error("cannot start", "error", err)
		return exitFailed
	}
	instance := app.New(app.Options{
		Config: cfg, Store: store, Build: build(), Logger: logger,
	})
	if err := instance.Start(ctx); err != nil {
		logger.Error("cannot start", "error", err)
		return exitFailed
	}
	app.TuneCollector()
	defer beside(ctx, app.KeepTidy)()
	code := exitOK
	select {
	case <-ctx.Done():
		logger.Info("going down", "notice", cfg.Drain.Notice, "drain", cfg.Drain.Over)
	case err := <-instance.Failed():
		logger.Error("going down", "error", err)
		code = exitFailed
	}
	return max(code, stop(ctx, logger, goingDown(cfg.Drain), instance.Stop))
}

// beside has work done until the function it returns is called, or ctx ends.
func beside(ctx context.Context, work func(context.Context)) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		work(ctx)
	}()
	return func() { cancel(); <-done }
}

// goingDown is the longest that an instance takes for it.
func goingDown(drain config.Drain) time.Duration { return drain.Notice + drain.Over + stopPatience }

// stop takes down what a command ran, in bounded time. The command's context has usually
// ended by then.
func stop(ctx context.Context, logger *slog.Logger, patience time.Duration, stop func(context.Context) error) int {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if err := stop(ctx); err != nil {
		logger.Error("did not go down cleanly", "error", err)
		return exitFailed
	}
	logger.Info("down")
	return exitOK
}

func build() app.Build {
	return app.Build{Version: version, Revision: cmp.Or(commit(), "unknown")}
}

func newLogger(w io.Writer, cfg config.Log) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.Level}
	if cfg.JSON {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
