package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/roomcast/roomcast/internal/app"
	"github.com/roomcast/roomcast/internal/config"
)

const checkHelp = `Usage: roomcast check [flags]

Reads the configuration as "roomcast serve" does, looks whether Redis and the URL of
the keys answer, and says what is open to whom. It serves nothing and changes nothing.
It exits with 0 if all is well, 1 if something does not answer, 2 if the configuration
is wrong.
`

func check(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	dotenv := dotenvFlag(flags)
	if code, done := parseFlags(flags, help{usage: checkHelp}, args, stdout, stderr); done {
		return code
	}
	cfg, err := config.Load(os.Environ(), *dotenv)
	if err != nil {
		fmt.Fprintf(stderr, "roomcast check: the configuration is wrong:\n%v\n", err)
		return exitUsage
	}
	code := exitOK
	for _, finding := range app.Check(ctx, cfg, slog.New(slog.DiscardHandler)) {
		mark := "ok  "
		if finding.Err != nil {
			mark, code = "FAIL", exitFailed
			finding.Text += ": " + finding.Err.Error()
		}
		fmt.Fprintf(stdout, "%s  %-8s  %s\n", mark, finding.Subject, finding.Text)
	}
	return code
}
