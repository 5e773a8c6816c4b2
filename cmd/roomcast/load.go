package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/roomcast/roomcast/internal/load"
)

const loadHelp = `Usage: roomcast load [flags]

Connects clients to a server of Roomcast's contract, joins rooms, publishes by
REST, and reports how long updates took, and whether any was lost or came twice.
Clients that lose their connection come back as official clients do.

  roomcast load                                    # 100 clients, the demo on this machine
  roomcast load -clients 5000 -rooms 500 -rate 100 -duration 1m
  roomcast load -url http://a:8080,http://b:8080 -max-p99 100ms -json report.json

How far it is goes to standard error, the report to standard output. Ctrl-C ends
publishing; what was published until then is still awaited and judged. It exits
with 0 when the run passed, 1 when a limit was exceeded, 2 when asked wrongly.
`

// loadCommand is what the flags of "roomcast load" say.
type loadCommand struct {
	plan   load.Plan
	limits load.Limits

	urls, publishURLs string
	transport         string
	report            string        // file of the JSON report, "-" for standard output
	maxP99            time.Duration // 0 for none
}

func runLoad(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	var c loadCommand
	c.define(flags)
	if code, done := parseFlags(flags, help{usage: loadHelp}, args, stdout, stderr); done {
		return code
	}
	if err := c.complete(); err != nil {
		return misused(flags, err, stderr)
	}
	report, err := c.plan.Run(ctx, load.NewProgress(stderr, terminalWidth(stderr)).Watch)
	if err != nil {
		fmt.Fprintf(stderr, "roomcast load: %v\n", err)
		return exitFailed
	}
	exceeded := c.limits.Judge(report)
	if err := c.write(report, exceeded, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "roomcast load: write the report: %v\n", err)
		return exitFailed
	}
	if len(exceeded) > 0 {
		return exitFailed
	}
	return exitOK
}

func (c *loadCommand) define(flags *flag.FlagSet) {
	crowd, publisher := &c.plan.Crowd, &c.plan.Publisher
	flags.StringVar(&c.urls, "url", "http://localhost:8080", "`addresses` of the server, comma-separated; clients are spread over them")
	flags.StringVar(&c.publishURLs, "publish-url", "", "`addresses` to publish at, comma-separated (default those of -url)")
	flags.IntVar(&crowd.Clients, "clients", 100, "`number` of clients")
	flags.IntVar(&crowd.Rooms, "rooms", 10, "`number` of rooms")
	flags.IntVar(&crowd.RoomsPerClient, "rooms-per-client", 1, "`number` of rooms that each client joins")
	flags.Float64Var(&c.plan.Rate, "rate", 10, "`updates` published each second, over all rooms; 0 for none")
	flags.IntVar(&publisher.Size, "size", 200, "`bytes` of data in an update, about; some 40 at least")
	flags.StringVar(&c.transport, "transport", "websocket", "how clients connect, `one of` websocket, polling, or upgrade from the second to the first")
	flags.IntVar(&crowd.Revision, "protocol", 4, "`revision` of Engine.IO: 4 (clients 3.x and 4.x) or 3 (1.x and 2.x)")
	flags.IntVar(&crowd.Ramp, "ramp", 200, "`clients` that connect each second; 0 for as fast as it goes")
	flags.DurationVar(&c.plan.Duration, "duration", 30*time.Second, "how long to publish")
	flags.DurationVar(&crowd.ReconnectDelay, "reconnect-delay", time.Second, "mean time before a client that was lost comes back")
	flags.StringVar(&crowd.Workspace, "workspace", "", "workspace of the rooms (default a random one, which nobody else is in)")
	secretVar(flags, &crowd.Token, "token", "`token` that clients show, or @ and a file that holds it")
	secretVar(flags, &publisher.Key, "key", "API `key` to publish with, or @ and a file that holds it")
	flags.StringVar(&c.report, "json", "", "`file` for the report as JSON; - for standard output, and the text to standard error")
	flags.DurationVar(&c.maxP99, "max-p99", 0, "longest p99 from publishing to arrival; 0 for no limit")
	for _, limit := range []struct {
		value *int64
		name  string
		what  string
	}{
		{&c.limits.Lost, "max-lost", "updates that may be lost"},
		{&c.limits.Doubled, "max-doubled", "updates that may come twice"},
		{&c.limits.Unjoined, "max-unjoined", "clients that may fail to join"},
		{&c.limits.Failed, "max-failed", "publications that may be refused"},
	} {
		flags.Int64Var(limit.value, limit.name, 0, "`number` of "+limit.what+"; -1 for no limit")
	}
}

// secretVar adds a flag for what should not stand in a list of processes: it can be read
// from a file.
func secretVar(flags *flag.FlagSet, value *string, name, usage string) {
	flags.Func(name, usage, func(text string) error {
		path, isFile := strings.CutPrefix(text, "@")
		if !isFile {
			*value = text
			return nil
		}
		content, err := os.ReadFile(path) // the user's own choice
		*value = strings.TrimSpace(string(content))
		if err == nil && *value == "" {
			err = errors.New("the file is empty")
		}
		return err
	})
}

// complete works out what follows from the flags, and reports all that is wrong.
func (c *loadCommand) complete() error {
	crowd, publisher := &c.plan.Crowd, &c.plan.Publisher
	crowd.Servers = splitList(c.urls)
	publisher.Servers = crowd.Servers
	if c.publishURLs != "" {
		publisher.Servers = splitList(c.publishURLs)
	}
	crowd.Transport = load.Transport(c.transport)
	if crowd.Workspace == "" {
		crowd.Workspace = "load-" + strconv.FormatUint(rand.Uint64(), 36) //nolint:gosec // no secret
	}
	publisher.Workspace, publisher.Rooms = crowd.Workspace, crowd.Rooms
	c.limits.P99Milliseconds = load.Unlimited
	if c.maxP99 > 0 {
		c.limits.P99Milliseconds = float64(c.maxP99) / float64(time.Millisecond)
	}
	faults := []error{c.plan.Validate()}
	if c.maxP99 < 0 {
		faults = append(faults, fmt.Errorf("max-p99: must be 0 or more, not %s", c.maxP99))
	}
	return errors.Join(faults...)
}

func splitList(text string) []string {
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// write writes the report where it is wanted, and the verdict to standard error.
func (c *loadCommand) write(report *load.Report, exceeded []string, stdout, stderr io.Writer) error {
	text := stdout
	if c.report == "-" {
		text = stderr
	}
	if err := report.WriteText(text); err != nil {
		return err
	}
	if c.report != "" {
		if err := writeJSON(c.report, report, stdout); err != nil {
			return err
		}
	}
	for _, what := range exceeded {
		fmt.Fprintf(stderr, "roomcast load: failed: %s\n", what)
	}
	return nil
}

func writeJSON(path string, report *load.Report, stdout io.Writer) error {
	content, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	content = append(content, '\n')
	if path == "-" {
		_, err = stdout.Write(content)
		return err
	}
	return os.WriteFile(path, content, 0o644) //nolint:gosec // no secret
}

// terminalWidth asks how many columns w has, or is nil where w is no terminal.
func terminalWidth(w io.Writer) func() int {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return nil
	}
	return func() int {
		width, _, err := term.GetSize(int(file.Fd()))
		if err != nil {
			return 0
		}
		return width
	}
}
