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
	if code, done := parseFlags(flags, help{usage: demoHelp}, args, stdout, stderr); done {
		return code
	}
	if *port < 0 || *port > 65535 {
		return misused(flags, fmt.Errorf("invalid value \"%d\" for flag -port: must be a whole number from 0 to 65535", *port), stderr)
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
		fmt.Fprintf(stderr, "roomcast demo: %v\nSet -port to another.\n", err)
		return exitFailed
	}
	if err := running.Start(ctx); err != nil {
		fmt.Fprintf(stderr, "roomcast demo: %v\n", err)
		return exitFailed
	}
	running.Explain(stdout)
	<-ctx.Done()
	code := stop(ctx, logger, 5*time.Second, running.Stop)
	if code == exitOK {
		fmt.Fprintln(stdout, "Stopped.")
	}
	return code
}
