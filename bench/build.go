package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// build compiles the servers of the run into a folder of its own, and installs what the
// Node ones need.
func build(ctx context.Context, s settings) (folder string, err error) {
	folder, err = os.MkdirTemp("", "roomcast-bench-")
	if err != nil {
		return "", err
	}
	// As `make build` does.
	commands := [][]string{{"go", "-C", "..", "build", "-trimpath", "-o", folder + "/roomcast", "./cmd/roomcast"}}
	for _, name := range []string{"floor", "centrifuge", "zishang", "googollee"} {
		if slices.Contains(s.peers, name) {
			commands = append(commands, []string{"go", "build", "-trimpath", "-o", folder + "/" + name, "./peers/" + name})
		}
	}
	if slices.Contains(s.scenarios, durable.name) {
		commands = append(commands, []string{"go", "build", "-trimpath", "-o", folder + "/" + goXADD.name, "./peers/" + goXADD.name})
	}
	node := func(name string) bool { return strings.HasPrefix(name, "node") }
	if slices.ContainsFunc(s.peers, node) || slices.Contains(s.scenarios, durable.name) {
		commands = append(commands, []string{"npm", "ci", "--silent", "--no-audit", "--no-fund", "--prefix", "peers/node"})
	}
	for _, args := range commands {
		command := exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // the list above
		command.Env = append(os.Environ(), "CGO_ENABLED=0")
		command.Stdout, command.Stderr = os.Stderr, os.Stderr
		if err := command.Run(); err != nil {
			_ = os.RemoveAll(folder)
			return "", fmt.Errorf("%v: %w", args, err)
		}
	}
	return folder, nil
}
