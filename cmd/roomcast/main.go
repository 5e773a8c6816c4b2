// Command roomcast is the Roomcast server and what belongs to running it.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// version is set when a release is built.
var version = "dev"

const usage = `Roomcast: a self-hosted Socket.IO collaboration server.

A change published by REST on any instance reaches the members of its room on
every instance, through one Redis channel.

Usage:
  roomcast <command> [flags]

Commands:
  demo      three instances in one process, nothing installed; start here
  serve     one instance, configured by environment variables
  health    ask the instance on this machine whether it lives (for containers)
  version   print the version

"roomcast <command> --help" says more.
`

// exit codes: 1 for what went wrong while running, 2 for what was asked wrongly.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the default holds again: a second one ends at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	switch args[0] {
	case "serve":
		return serve(ctx, args[1:], stdout, stderr)
	case "demo":
		return demo(ctx, args[1:], stdout, stderr)
	case "health":
		return health(ctx, args[1:], stdout, stderr)
	case "version", "--version":
		fmt.Fprintln(stdout, "roomcast", version, revision())
		return exitOK
	case "help", "--help", "-h":
		fmt.Fprint(stdout, usage)
		return exitOK
	}
	fmt.Fprintf(stderr, "roomcast: unknown command %q\n\n%s", args[0], usage)
	return exitUsage
}

// revision is the commit the binary was built from, if that is known.
func revision() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				return setting.Value
			}
		}
	}
	return "unknown"
}
