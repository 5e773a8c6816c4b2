package test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/test/harness"
)

const module = "github.com/roomcast/roomcast"

// allowed is what each package may import of ours, tests apart: doors open downwards only,
// and neighbours never know each other. A package that is not listed may not exist: say
// here where it belongs.
var allowed = map[string][]string{
	"internal/engineio":   {"internal/limit", "internal/nonblock"},
	"internal/limit":      {},
	"internal/load":       {},
	"internal/metrics":    {},
	"internal/nonblock":   {},
	"internal/packet":     {},
	"internal/playground": {},
	"internal/proxy":      {},

	"internal/event":   {"internal/packet"},
	"internal/session": {"internal/event"},

	"internal/auth":   {"internal/event"},
	"internal/config": {"internal/auth", "internal/proxy"},

	"internal/hub":    {"internal/event"},
	"internal/memory": {"internal/event"},
	"internal/redis":  {"internal/event", "internal/nonblock"},

	"internal/socketio": {"internal/engineio", "internal/event", "internal/packet", "internal/session"},
	"internal/eio3":     {"internal/engineio", "internal/event", "internal/packet", "internal/session"},

	"internal/gateway": {"internal/auth", "internal/event", "internal/hub", "internal/session"},
	"internal/rest":    {"internal/auth", "internal/event", "internal/hub", "internal/limit"},

	"cmd/roomcast": {"internal/app", "internal/auth", "internal/config", "internal/load", "internal/metrics"},
}

// forTests are packages that only tests import.
var forTests = []string{
	"internal/logtest", "internal/redis/redistest", "internal/storetest",
	"test/continuity", "test/faults", "test/harness",
}

// everything is imported by the one package that puts the parts together.
const everything = "internal/app"

type goPackage struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func TestImportsPointDownwards(t *testing.T) {
	t.Parallel()
	for _, p := range packagesOf(t) {
		name := local(p.ImportPath)
		if name == "test" || slices.Contains(forTests, name) {
			continue
		}
		may, listed := allowed[name]
		if !listed && name != everything {
			t.Errorf("%s is not in the plan of this test", name)
			continue
		}
		for _, imported := range p.Imports {
			target := local(imported)
			switch {
			case target == "":
			case slices.Contains(forTests, target):
				t.Errorf("%s imports %s, which is for tests", name, target)
			case name != everything && !slices.Contains(may, target):
				t.Errorf("%s imports %s; it may import %q", name, target, may)
			}
		}
	}
}

// Neighbours do not know each other in tests either, or one could not be changed without
// the other.
func TestTestsDoNotJoinNeighbours(t *testing.T) {
	t.Parallel()
	layers := [][]string{
		{"internal/memory", "internal/redis", "internal/hub"},
		{"internal/socketio", "internal/eio3"},
		{"internal/gateway", "internal/rest"},
	}
	// The hub is tested on the store that ships for it.
	exceptions := map[string]string{"internal/hub": "internal/memory"}
	for _, p := range packagesOf(t) {
		name := local(p.ImportPath)
		for _, layer := range layers {
			if !slices.Contains(layer, name) {
				continue
			}
			for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
				target := local(imported)
				if target != name && slices.Contains(layer, target) && exceptions[name] != target {
					t.Errorf("the tests of %s import its neighbour %s", name, target)
				}
			}
		}
	}
}

// packagesOf lists the module's packages.
func packagesOf(t *testing.T) []goPackage {
	t.Helper()
	command := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	command.Dir = filepath.Clean(harness.Root())
	output, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []goPackage
	decoder := json.NewDecoder(strings.NewReader(string(output)))
	for {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// local is the path inside the module, empty for a package that is not ours.
func local(importPath string) string {
	path, ours := strings.CutPrefix(importPath, module+"/")
	if !ours {
		return ""
	}
	return path
}
