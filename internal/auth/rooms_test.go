package auth

import (
	"encoding/json"
	"testing"

	"github.com/roomcast/roomcast/internal/event"
)

func TestPatterns(t *testing.T) {
	for entry, covered := range map[string]map[string]bool{
		"acme/board-7":  {"acme/board-7": true, "acme/board-77": false, "acme/board": false, "Acme/board-7": false, "acme2/board-7": false},
		"acme/*":        {"acme/x": true, "acme2/x": false, "acm/x": false},
		"acme*/*":       {"acme/x": true, "acme2/x": true, "acm/x": false, "xacme/x": false},
		"*/*":           {"a/b": true},
		"*/board-*":     {"a/board-": true, "b/board-1": true, "b/boar": false, "b/xboard-1": false},
		"*/a":           {"x/a": true, "x/b": false, "a/x": false},
		"acme/board-7*": {"acme/board-7": true, "acme/board-77": true, "acme/board-8": false},
	} {
		p, err := parsePattern(entry)
		if err != nil {
			t.Errorf("%s: %v", entry, err)
			continue
		}
		for text, want := range covered {
			room, err := event.ParseRoom(text)
			if err != nil {
				t.Fatal(err)
			}
			if got := (rooms{p}).cover(room); got != want {
				t.Errorf("%s covers %s: %t, want %t", entry, text, got, want)
			}
		}
	}
}

// Nobody is known of whom nothing is: nil permits nothing.
func TestNobody(t *testing.T) {
	var nobody *Principal
	room := event.Room{Workspace: "a", App: "b"}
	if nobody.CanRead(room) || nobody.CanPublish(room) || nobody.IsAdmin() || nobody.Owner() != "" {
		t.Error("nobody is permitted something")
	}
	if all := Everyone(); !all.CanRead(room) || !all.CanPublish(room) || !all.IsAdmin() || all.Owner() != "" {
		t.Error("everyone lacks a permission")
	}
}

func FuzzParseClaim(f *testing.F) {
	for _, seed := range []string{`["acme/*"]`, `["a/b","*/*","a*/b*"]`, `"a/b"`, `[1]`, `null`, `{}`, `["a"]`, `["a/b/c"]`, `["*a/b"]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, claim []byte) {
		parsed, err := parseClaim(claim)
		if err != nil {
			return
		}
		var entries []string
		if json.Unmarshal(claim, &entries) != nil && claim != nil || len(parsed) != len(entries) {
			t.Errorf("%q names %d rooms, %d entries", claim, len(parsed), len(entries))
		}
		for _, p := range parsed {
			if p.workspace.text == "" && !p.workspace.prefix || p.app.text == "" && !p.app.prefix {
				t.Errorf("%q: %+v covers nothing that is", claim, p)
			}
		}
	})
}
