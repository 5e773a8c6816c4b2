package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// Program finds an installed program. One that is missing fails the test: a test that is
// passed over proves nothing.
func Program(t testing.TB, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	// Debian puts servers where only root's PATH looks.
	for _, folder := range []string{"/usr/local/sbin", "/usr/sbin"} {
		path := filepath.Join(folder, name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not installed; run test/prepare.sh", name)
	return ""
}

// Root is the folder of the repository.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// Artefacts is a folder that outlives the run, for what people may want to look at. Git
// ignores it.
func Artefacts(t testing.TB) string {
	t.Helper()
	folder := filepath.Join(Root(), "test", "tmp")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

// Binary is the path of the built roomcast. It is built as the tests are, with the race
// detector or without, so that `go test -race` finds the server's races too: a process
// that had one ends with exit code 66, which Terminate reports.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// build runs once for all tests of a package. Packages are tested side by side, so each has a
// file of its own.
var build = sync.OnceValues(func() (string, error) {
	tests := strings.TrimSuffix(filepath.Base(os.Args[0]), ".test")
	path := filepath.Join(Root(), "test", "tmp", "roomcast-"+tests)
	arguments := []string{"build", "-o", path}
	if raceDetector {
		arguments = append(arguments, "-race")
	}
	command := exec.Command("go", append(arguments, "./cmd/roomcast")...)
	command.Dir = Root()
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building roomcast: %w\n%s", err, output)
	}
	return path, nil
})
