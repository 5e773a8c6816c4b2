package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/roomcast/roomcast/internal/config"
)

const healthHelp = `Usage: roomcast health [flags]

Asks the instance on this machine whether its process lives; exits with 0 if so,
with 1 if not. It finds the instance as "roomcast serve" is told where to listen:
by PORT, ROOMCAST_HOST and ROOMCAST_ADMIN_ADDR, from the environment or a .env
file. It is meant for the health check of a container, which has no other tool.
`

func health(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("health", flag.ContinueOnError)
	ready := flags.Bool("ready", false, "ask whether it is ready for clients instead (this depends on Redis)")
	dotenv := dotenvFlag(flags)
	if code, done := parseFlags(flags, help{usage: healthHelp}, args, stdout, stderr); done {
		return code
	}
	listen, err := config.LoadListen(os.Environ(), *dotenv)
	if err != nil {
		// Not the exit code of wrong use, which container runtimes reserve: with such a
		// configuration no instance can be running.
		fmt.Fprintf(stderr, "roomcast health: the configuration is wrong:\n%v\n", err)
		return exitFailed
	}
	path := "/healthz"
	if *ready {
		path = "/readyz"
	}
	if err := ask(ctx, healthURL(listen)+path); err != nil {
		fmt.Fprintf(stderr, "roomcast health: %v\n", err)
		return exitFailed
	}
	fmt.Fprintln(stdout, "ok")
	return exitOK
}

// healthURL is where this machine reaches the operators' routes, which are in the clear at an
// address of their own.
func healthURL(listen config.Listen) string {
	scheme, host, port := "http://", listen.Host, strconv.Itoa(listen.Port)
	if listen.TLS != (config.TLS{}) && listen.Admin == "" {
		scheme = "https://"
	}
	if listen.Admin != "" {
		host, port, _ = net.SplitHostPort(listen.Admin) // checked when it was read
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + net.JoinHostPort(host, port)
}

func ask(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	// The default transport would send what is meant for this machine to the proxy that
	// the environment names.
	direct := &http.Transport{
		DisableKeepAlives: true,
		// The certificate is for the name that clients know, not for this machine's own address;
		// nothing secret is said, and what comes back is believed for a restart at most.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
	}
	response, err := direct.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}
