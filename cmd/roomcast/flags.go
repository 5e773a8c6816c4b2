package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
)

// parseFlags parses a command's flags. done means that there is nothing more to do, with
// the exit code: help was asked for, or the flags were wrong.
func parseFlags(flags *flag.FlagSet, help string, args []string, stdout, stderr io.Writer) (code int, done bool) {
	flags.SetOutput(io.Discard) // what to print, and where, is decided here
	err := flags.Parse(args)
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	switch {
	case err == nil:
		return exitOK, false
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, help)
		if hasFlags(flags) {
			fmt.Fprint(stdout, "\nFlags:\n")
			flags.SetOutput(stdout)
			flags.PrintDefaults()
		}
		return exitOK, true
	}
	fmt.Fprintf(stderr, "roomcast %s: %v\nTry \"roomcast %s --help\".\n", flags.Name(), err, flags.Name())
	return exitUsage, true
}

func hasFlags(flags *flag.FlagSet) bool {
	found := false
	flags.VisitAll(func(*flag.Flag) { found = true })
	return found
}
