package main

import (
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/config"
)

// What was asked for goes to standard output with code 0, what was asked wrongly to
// standard error with code 2.
func TestUsage(t *testing.T) {
	environment(t)
	for _, c := range []struct {
		args           string
		code           int
		stdout, stderr string // what it begins with; empty for nothing at all
	}{
		{"", 2, "", usage},
		{"help", 0, usage, ""},
		{"--help", 0, usage, ""},
		{"-h", 0, usage, ""},
		{"version", 0, "roomcast dev", ""},
		{"--version", 0, "roomcast dev", ""},
		{"version --help", 0, versionHelp, ""},
		{"version now", 2, "", "roomcast version: unexpected argument \"now\"\nTry \"roomcast help version\".\n"},
		{"help serve", 0, serveHelp, ""},
		{"--help demo", 0, demoHelp, ""},
		{"help health", 0, healthHelp, ""},
		{"help load", 0, loadHelp, ""},
		{"help version", 0, versionHelp, ""},
		{"help serv", 2, "", "roomcast: unknown command \"serv\"\n\n" + usage},
		{"help help", 2, "", "roomcast: unknown command \"help\"\n\n" + usage},
		{"serv", 2, "", "roomcast: unknown command \"serv\"\n\n" + usage},
		{"-serve", 2, "", "roomcast: unknown command \"-serve\"\n\n" + usage},
		{"serve --help", 0, serveHelp, ""},
		{"serve -h", 0, serveHelp, ""},
		{"demo --help", 0, demoHelp, ""},
		{"health --help", 0, healthHelp, ""},
		{"serve --port 80", 2, "", "roomcast serve: flag provided but not defined: -port\nTry \"roomcast help serve\".\n"},
		{"serve -env-file gone.env", 2, "", "roomcast serve: invalid value \"gone.env\" for flag -env-file: there is no such file\nTry \"roomcast help serve\".\n"},
		{"health -env-file gone.env", 2, "", "roomcast health: invalid value \"gone.env\" for flag -env-file: there is no such file\nTry \"roomcast help health\".\n"},
		{"serve now", 2, "", "roomcast serve: unexpected argument \"now\"\nTry \"roomcast help serve\".\n"},
		{"serve --env-file", 2, "", "roomcast serve: flag needs an argument: -env-file\nTry \"roomcast help serve\".\n"},
		{"demo --port x", 2, "", "roomcast demo: invalid value \"x\" for flag -port: parse error\nTry \"roomcast help demo\".\n"},
		{"demo --port 70000", 2, "", "roomcast demo: invalid value \"70000\" for flag -port: must be a whole number from 0 to 65535\nTry \"roomcast help demo\".\n"},
		{"demo --port -1", 2, "", "roomcast demo: invalid value \"-1\" for flag -port: must be a whole number from 0 to 65535\n"},
		{"demo 8080", 2, "", "roomcast demo: unexpected argument \"8080\"\nTry \"roomcast help demo\".\n"},
		{"load now", 2, "", "roomcast load: unexpected argument \"now\"\nTry \"roomcast help load\".\n"},
		{"load -rooms 0 -ramp -1", 2, "", "roomcast load: rooms: must be at least 1, not 0\nroomcast load: ramp: must be 0 or more, not -1\nTry"},
		{"load -token @/dev/null", 2, "", "roomcast load: invalid value \"@/dev/null\" for flag -token: the file is empty\nTry"},
		{"health --verbose", 2, "", "roomcast health: flag provided but not defined: -verbose\nTry \"roomcast help health\".\n"},
	} {
		code, stdout, stderr := command(t, strings.Fields(c.args)...)
		if code != c.code || !begins(stdout, c.stdout) || !begins(stderr, c.stderr) {
			t.Errorf("roomcast %s: %d\nstdout %q\nstderr %q", c.args, code, stdout, stderr)
		}
	}
}

func begins(text, want string) bool {
	return strings.HasPrefix(text, want) && (want != "" || text == "")
}

// Help is good enough to work from: every command, flag and variable is in it.
func TestHelpIsWhole(t *testing.T) {
	environment(t)
	for name, flags := range map[string][]string{
		"serve": {"-env-file"}, "demo": {"-port", "-verbose"}, "health": {"-env-file", "-ready"}, "version": nil,
		"load": {
			"-url", "-publish-url", "-clients", "-rooms", "-rooms-per-client", "-rate", "-size", "-transport", "-protocol", "-ramp",
			"-duration", "-reconnect-delay", "-workspace", "-token", "-key", "-json", "-max-p99", "-max-lost", "-max-doubled",
			"-max-unjoined", "-max-failed",
		},
	} {
		if !strings.Contains(usage, "\n  "+name+" ") {
			t.Errorf("%s is not in the usage", name)
		}
		if flags == nil {
			continue
		}
		_, help, _ := command(t, name, "--help")
		for _, flag := range flags {
			if !strings.Contains(help, "\n  "+flag) {
				t.Errorf("%s is not in the help of %s", flag, name)
			}
		}
	}
	_, help, _ := command(t, "serve", "--help")
	if !strings.Contains(help, "\nFlags:\n") || strings.Index(help, "\nFlags:\n") > strings.Index(help, "\nVariables:\n") {
		t.Errorf("the flags are lost behind the variables:\n%s", help)
	}
	for _, variable := range config.Variables() {
		if !strings.Contains(help, "  "+variable.Name+" (") {
			t.Errorf("%s is not in the help of serve", variable.Name)
		}
	}
}
