// Command roomcast is the Roomcast server and what belongs to running it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// version and revision, the commit, are set by the linker when a release is built.
var (
	version  = "dev"
	revision string
)

const usage = `Roomcast: a self-hosted Socket.IO collaboration server.

A change published by REST on any instance reaches the members of its room on
every instance, through one Redis channel.

Usage:
  roomcast <command> [flags]

Commands:
  demo      three instances in one process, nothing installed; start here
  serve     one instance, configured by environment variables
  load      clients and updates against a running server, and what became of them
  check     look at the configuration, and at what it names, without serving
  token     make a token for development
  health    ask the instance on this machine whether it lives (for containers)
  version   print the version

"roomcast help <command>" says more.
`

const versionHelp = `Usage: roomcast version

Prints the version, and the commit it was built from if that is known.
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
	name, args := args[0], args[1:]
	switch name {
	case "-version", "--version":
		name = "version"
	case "help", "-help", "--help", "-h":
		if len(args) == 0 {
			fmt.Fprint(stdout, usage)
			return exitOK
		}
		name, args = args[0], []string{"-help"}
	}
	switch name {
	case "serve":
		return serve(ctx, args, stdout, stderr)
	case "demo":
		return demo(ctx, args, stdout, stderr)
	case "check":
		return check(ctx, args, stdout, stderr)
	case "token":
		return token(args, stdout, stderr)
	case "load":
		return runLoad(ctx, args, stdout, stderr)
	case "health":
		return health(ctx, args, stdout, stderr)
	case "version":
		return printVersion(args, stdout, stderr)
	}
	fmt.Fprintf(stderr, "roomcast: unknown command %q\n\n%s", name, usage)
	return exitUsage
}

func printVersion(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("version", flag.ContinueOnError)
	if code, done := parseFlags(flags, help{usage: versionHelp}, args, stdout, stderr); done {
		return code
	}
	line := "roomcast " + version
	if commit := commit(); commit != "" {
		line += " (" + commit + ")"
	}
	fmt.Fprintln(stdout, line)
	return exitOK
}

// commit is what the binary was built from, or "" where nobody knows: without the linker's
// word, the go command's own.
func commit() string {
	if revision != "" {
		return revision
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				return setting.Value
			}
		}
	}
	return ""
}
