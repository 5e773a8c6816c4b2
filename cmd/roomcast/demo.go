package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"

	"github.com/roomcast/roomcast/internal/app"
	"github.com/roomcast/roomcast/internal/config"
)

const demoHelp = `Usage: roomcast demo [flags]

Runs three instances in this process, on an embedded store in place of Redis, and
prints what to try. It reads no configuration, lets everybody in, and listens on
127.0.0.1 only.
`

func demo(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	port := flags.Int("port", 8080, "first `port` to try; the instances take it and the next free ones")
	verbose := flags.Bool("verbose", false, "log everything, to standard error")
	if code, done := parseFlags(flags, demoHelp, args, stdout, stderr); done {
		return code
	}
	cfg, err := config.Load([]string{"ROOMCAST_AUTH=" + config.AuthNone, "PORT=" + strconv.Itoa(*port)}, "")
	if err != nil {
		fmt.Fprintf(stderr, "roomcast demo: %v\n", err)
		return exitUsage
	}
	cfg.Log.Level = slog.LevelWarn
	if *verbose {
		cfg.Log.Level = slog.LevelDebug
	}
	logger := newLogger(stderr, cfg.Log)
	running, err := app.NewDemo(cfg, build(), logger)
	if err != nil {
		fmt.Fprintf(stderr, "roomcast demo: %v\n", err)
		return exitFailed
	}
	if err := running.Start(ctx); err != nil {
		fmt.Fprintf(stderr, "roomcast demo: %v\n", err)
		return exitFailed
	}
	running.Explain(stdout)
	<-ctx.Done()
	return stop(ctx, logger, 5*time.Second, running.Stop)
}
