package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// help is what a command says of itself: the flags stand between the two, so that they are
// not lost behind a long listing.
type help struct {
	usage  string
	listed string
}

func (h help) print(w io.Writer, flags *flag.FlagSet) {
	fmt.Fprint(w, h.usage)
	if hasFlags(flags) {
		fmt.Fprint(w, "\nFlags:\n")
		flags.SetOutput(w)
		flags.PrintDefaults()
	}
	fmt.Fprint(w, h.listed)
}

// parseFlags parses a command's flags. done means that there is nothing more to do, with
// the exit code: help was asked for, or the flags were wrong.
func parseFlags(flags *flag.FlagSet, help help, args []string, stdout, stderr io.Writer) (code int, done bool) {
	flags.SetOutput(io.Discard) // what to print, and where, is decided here
	err := flags.Parse(args)
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	switch {
	case err == nil:
		return exitOK, false
	case errors.Is(err, flag.ErrHelp):
		help.print(stdout, flags)
		return exitOK, true
	}
	return misused(flags, err, stderr), true
}

// misused says what was asked wrongly, a line for each fault, and where to read how it is asked.
func misused(flags *flag.FlagSet, err error, stderr io.Writer) int {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(stderr, "roomcast %s: %s\n", flags.Name(), line)
	}
	fmt.Fprintf(stderr, "Try \"roomcast help %s\".\n", flags.Name())
	return exitUsage
}

func hasFlags(flags *flag.FlagSet) bool {
	found := false
	flags.VisitAll(func(*flag.Flag) { found = true })
	return found
}

// dotenvFlag adds the flag that names a file of variables. Only the file that nobody has
// named may be absent: a server that starts without the one it was given runs with other
// settings than its operator believes.
func dotenvFlag(flags *flag.FlagSet) *string {
	path := ".env"
	flags.Func("env-file", "`file` of variables for what the environment leaves unset (default .env, if there is one)",
		func(named string) error {
			path = named
			_, err := os.Stat(named)
			if errors.Is(err, fs.ErrNotExist) {
				return errors.New("there is no such file")
			}
			return err
		})
	return &path
}
