package config

import (
	"fmt"
	"strings"
)

// Fault is one thing that is wrong with the configuration.
type Fault struct {
	Variable string // its name, or that of the file
	Reason   string // what is allowed
	given    setting
}

// Error is one line: variable, value unless it is a secret, where it stands unless that
// is the environment, and what is allowed.
func (f Fault) Error() string {
	var line strings.Builder
	line.WriteString(f.Variable)
	switch {
	case f.given.secret:
		line.WriteString("=(hidden)")
	case f.given.value != "":
		fmt.Fprintf(&line, "=%q", shorten(f.given.value))
	}
	if f.given.source != "" {
		fmt.Fprintf(&line, " (in %s)", f.given.source)
	}
	return line.String() + ": " + f.Reason
}

// shorten keeps a line readable whatever was pasted into a variable.
func shorten(value string) string {
	const limit = 80
	runes := []rune(value)
	if len(runes) <= limit {
		return value
	}
	return string(runes[:limit]) + "…"
}

// Faults is everything that is wrong with a configuration, as an error.
type Faults []Fault

// Error has one line per fault.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.Error()
	}
	return strings.Join(lines, "\n")
}
