package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/joho/godotenv"
)

// maxDotenv bounds the file, in bytes. A real one has a few hundred.
const maxDotenv = 64 << 10

// dotenv is what a .env file says.
type dotenv struct {
	name   string // for faults: the path as it was given
	values map[string]string
}

// readDotenv never touches the process environment, which other code would then read
// behind this package's back.
func readDotenv(path string) (dotenv, *Fault) {
	file := dotenv{name: path}
	if path == "" {
		return file, nil
	}
	text, err := readBounded(path)
	if errors.Is(err, fs.ErrNotExist) {
		return file, nil
	}
	if err != nil {
		return file, &Fault{Variable: file.name, Reason: err.Error()}
	}
	// The library takes a last line without "=" and newline for a nameless value.
	text += "\n"
	file.values, err = godotenv.Unmarshal(text)
	if _, nameless := file.values[""]; err == nil && !nameless {
		return file, nil
	}
	line := faultyLine(text)
	file.values = nil
	// The library's own message quotes the rest of the file, secrets and all.
	reason := fmt.Sprintf("line %d must be NAME=value, with quotes closed, or a comment that begins with #", line)
	return file, &Fault{Variable: file.name, Reason: reason}
}

func readBounded(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("cannot be opened: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxDotenv+1))
	if err != nil {
		return "", fmt.Errorf("cannot be read: %w", err)
	}
	if len(text) > maxDotenv {
		return "", fmt.Errorf("is larger than %d bytes", maxDotenv)
	}
	return string(text), nil
}

// faultyLine is the line after the longest sound beginning. Looking from the end passes
// over beginnings that stop within a quoted value of several lines.
func faultyLine(text string) int {
	lines := strings.SplitAfter(text, "\n")
	for n := len(lines) - 1; n > 0; n-- {
		values, err := godotenv.Unmarshal(strings.Join(lines[:n], ""))
		if _, nameless := values[""]; err == nil && !nameless {
			return n + 1
		}
	}
	return 1
}
