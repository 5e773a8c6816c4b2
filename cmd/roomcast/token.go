package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/roomcast/roomcast/internal/auth"
	"github.com/roomcast/roomcast/internal/config"
)

//nolint:gosec // a text that speaks of tokens, and holds none
const tokenHelp = `Usage: roomcast token [flags]

Prints a token for development, signed with the first secret of ROOMCAST_JWT_SECRET,
with the issuer and audience that the server asks for. In production tokens are made
by whoever knows the users.

Example:
  export ROOMCAST_JWT_SECRET=$(openssl rand -base64 32)
  roomcast token -sub ann -read "acme/*" -publish acme/board-7
`

// maxLifetime is the longest that a token for development holds.
const maxLifetime = 30 * 24 * time.Hour

func token(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("token", flag.ContinueOnError)
	var grant auth.Grant
	flags.StringVar(&grant.Subject, "sub", "dev", "whom it is for")
	flags.StringVar(&grant.Name, "name", "", "the name to show")
	rooms(flags, "read", &grant.Read)
	rooms(flags, "publish", &grant.Publish)
	flags.DurationVar(&grant.Lifetime, "for", time.Hour, "how long it holds")
	dotenv := dotenvFlag(flags)
	if code, done := parseFlags(flags, help{usage: tokenHelp}, args, stdout, stderr); done {
		return code
	}
	if grant.Lifetime <= 0 || grant.Lifetime > maxLifetime {
		return misused(flags, fmt.Errorf("invalid value %q for flag -for: must be from 1s to 720h", grant.Lifetime), stderr)
	}
	access, err := config.LoadAccess(os.Environ(), *dotenv)
	if err != nil {
		fmt.Fprintf(stderr, "roomcast token: the configuration is wrong:\n%v\n", err)
		return exitUsage
	}
	grant.Issuer, grant.Audience = access.Tokens.Issuer, access.Tokens.Audience
	text, err := mint(access.Tokens.Keys, grant)
	if err != nil {
		return misused(flags, err, stderr)
	}
	fmt.Fprintln(stdout, text)
	return exitOK
}

func mint(keys []auth.Key, grant auth.Grant) (string, error) {
	for _, key := range keys {
		if key.IsSecret() {
			return auth.Mint(key, grant)
		}
	}
	return "", errors.New("there is no secret to sign with: set ROOMCAST_JWT_SECRET")
}

// rooms adds a flag that takes rooms with commas between, and may be given several times.
func rooms(flags *flag.FlagSet, name string, into *[]string) {
	flags.Func(name, "`rooms` it permits to "+name+", each <workspace>/<app> with * for all and acme-* for all that begin so, with commas between",
		func(text string) error {
			*into = append(*into, strings.Split(text, ",")...)
			return nil
		})
}
