package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/test/harness"
)

// A document that names a test as its evidence must not outlive the test.
func TestDocumentsNameTestsThatExist(t *testing.T) {
	t.Parallel()
	list := exec.Command("go", "list", "-f", `{{range $f := .TestGoFiles}}{{$.Dir}}/{{$f}} {{end}}{{range $f := .XTestGoFiles}}{{$.Dir}}/{{$f}} {{end}}{{if eq .Name "storetest"}}{{range $f := .GoFiles}}{{$.Dir}}/{{$f}} {{end}}{{end}}`, "./...")
	list.Dir = harness.Root()
	files, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	declared := make(map[string]bool)
	declaration := regexp.MustCompile(`func (Test\w+)\(`)
	for _, file := range strings.Fields(string(files)) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range declaration.FindAllStringSubmatch(string(text), -1) {
			declared[match[1]] = true
		}
	}
	documents, err := filepath.Glob(filepath.Join(harness.Root(), "docs", "*.md"))
	if err != nil || len(documents) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	mentioned := regexp.MustCompile("`(Test\\w+)")
	for _, document := range append(documents, filepath.Join(harness.Root(), "SECURITY.md")) {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range mentioned.FindAllStringSubmatch(string(text), -1) {
			if !declared[match[1]] {
				t.Errorf("%s names %s, which there is not", filepath.Base(document), match[1])
			}
		}
	}
}
