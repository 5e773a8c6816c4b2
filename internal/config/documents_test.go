package config_test

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/config"
)

var update = flag.Bool("update", false, "rewrite the configuration table of the README")

const (
	readme = "../../README.md"
	begin  = "<!-- configuration:begin -->\n"
	end    = "<!-- configuration:end -->"
)

func TestReadmeTable(t *testing.T) {
	text, err := os.ReadFile(readme)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	table, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("README.md needs the lines %q and %q around its configuration table", begin, end)
	}
	if table == config.MarkdownTable() {
		return
	}
	if !*update {
		t.Fatalf("the configuration table of README.md is out of date; go test ./internal/config -update rewrites it\n%s", config.MarkdownTable())
	}
	if err := os.WriteFile(readme, []byte(before+begin+config.MarkdownTable()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestEnvExample(t *testing.T) {
	text, err := os.ReadFile("../../.env.example")
	if err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile(`(?m)^(# ?)?[A-Za-z0-9_]+=.*$`).FindAllString(string(text), -1)
	var want []string
	for _, v := range config.Variables() {
		want = append(want, "# "+v.Name+"="+v.Default)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf(".env.example\n got %q\nwant %q", got, want)
	}
	// With every # removed it still says what the defaults say.
	uncommented := regexp.MustCompile(`(?m)^# ([A-Z0-9_]+=)`).ReplaceAllString(string(text), "$1")
	environ := []string{"ROOMCAST_AUTH=none", "ROOMCAST_INSTANCE_ID=i"}
	_, err = load(t, uncommented, environ...)
	if err == nil || err.Error() != `REDIS_PORT="6379" (in .env): needs REDIS_HOST` {
		t.Errorf("all defaults set: %v", err)
	}
	uncommented = strings.Replace(uncommented, "\nREDIS_PORT=", "\n# REDIS_PORT=", 1)
	if got, want := mustLoad(t, uncommented, environ...), mustLoad(t, "", environ...); !reflect.DeepEqual(got, want) {
		t.Errorf("defaults by .env.example\n got %+v\nwant %+v", got, want)
	}
}

func TestDocumentationIsWhole(t *testing.T) {
	table, listing := config.MarkdownTable(), config.Describe()
	names := make(map[string]bool)
	for _, v := range config.Variables() {
		if names[v.Name] {
			t.Errorf("%s is declared twice", v.Name)
		}
		names[v.Name] = true
		if v.Allowed == "" || v.Meaning == "" {
			t.Errorf("%s: allowed %q, meaning %q", v.Name, v.Allowed, v.Meaning)
		}
		if !strings.Contains(table, "| `"+v.Name+"` | ") || !strings.Contains(listing, "  "+v.Name+" (") {
			t.Errorf("%s is missing from a listing", v.Name)
		}
		// Each default has to be a value that its own rule allows.
		if v.Default != "" && v.Name != "REDIS_PORT" {
			mustLoad(t, "", "ROOMCAST_AUTH=none", v.Name+"="+v.Default)
		}
	}
	for _, line := range strings.Split(strings.TrimSuffix(table, "\n"), "\n") {
		if cells := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|"); cells != 5 {
			t.Errorf("not four cells: %s", line)
		}
	}
	want := "| `ROOMCAST_PING_INTERVAL` | `25s` | a duration in whole milliseconds from 100ms to 10m, such as 1500ms, 25s or 2m | Time between two heartbeats of a connection |\n"
	if !strings.Contains(table, want) {
		t.Errorf("the table lacks %s", want)
	}
}
