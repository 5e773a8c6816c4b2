// Command bench measures Roomcast beside other servers on the same work: in one run, on one
// machine, each pair in turn. It prints a table of ratios, and writes it with all it measured.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

type settings struct {
	rounds    int
	peers     []string
	scenarios []string
	small     bool
	out       string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := parse(os.Args[1:])
	if err == nil {
		err = run(ctx, s)
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse(args []string) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&s.rounds, "rounds", 5, "how often each pair is measured")
	peers := flags.String("peers", "floor,node,centrifuge", "`servers` beside Roomcast, or all, or none: "+strings.Join(peerNames(), ", "))
	names := flags.String("scenarios", "all", "`scenarios`: "+strings.Join(scenarioNames(), ", "))
	flags.BoolVar(&s.small, "small", false, "a tenth of the work: to see that it runs, not to judge by")
	flags.StringVar(&s.out, "out", "results", "`folder` for results.md, results.json and results.svg")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	var err error
	if s.peers, err = choose("peer", *peers, peerNames()); err != nil {
		return s, err
	}
	s.scenarios, err = choose("scenario", *names, scenarioNames())
	return s, err
}

// choose resolves a comma-separated list of names.
func choose(kind, list string, known []string) ([]string, error) {
	switch list {
	case "all":
		return known, nil
	case "none":
		return nil, nil
	}
	chosen := strings.Split(list, ",")
	for _, name := range chosen {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("unknown %s %q; there are %s", kind, name, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}

func run(ctx context.Context, s settings) error {
	began := time.Now()
	binaries, err := build(ctx, s)
	if err != nil {
		return err
	}
	defer os.RemoveAll(binaries)
	r := newResults(s)
	for _, name := range s.scenarios {
		scenario := scenarioNamed(name)
		for round := range s.rounds {
			for _, c := range order(scenario.contenders(s.peers), round) {
				if err := measure(ctx, s, scenario, c, binaries, r); err != nil {
					return fmt.Errorf("%s, %s: %w", name, c.name, err)
				}
			}
		}
	}
	r.took = time.Since(began).Round(time.Second)
	return r.write(s.out)
}

// order turns the order of a round around for the next, so that no server always comes
// behind the same one.
func order(contenders []contender, round int) []contender {
	contenders = slices.Clone(contenders)
	if round%2 == 1 {
		slices.Reverse(contenders)
	}
	return contenders
}

// measure runs one scenario against one server, fresh processes and a fresh Redis each time.
func measure(ctx context.Context, s settings, scenario scenario, c contender, binaries string, r *results) error {
	w, err := newWorkbench(ctx, c, binaries, s.small)
	if err != nil {
		return err
	}
	defer w.close()
	measured, err := scenario.run(ctx, w)
	if err != nil {
		return errors.Join(err, w.diagnosis())
	}
	r.add(scenario, c, measured)
	return nil
}
