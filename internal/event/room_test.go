package event_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/event"
)

const everyLegal = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-"

func TestCheckID(t *testing.T) {
	const illegal = "appId may hold only A-Z a-z 0-9 . _ ~ -"
	cases := []struct{ name, id, message string }{
		{"one character", "a", ""},
		{"longest", strings.Repeat("a", 128), ""},
		{"every legal character", everyLegal, ""},
		{"a UUID", "0b5b1b6e-54a3-4d0c-9df5-0a7a3c8f7f0e", ""},
		{"wire name inside", "a_app_b", ""},
		{"empty", "", "appId is required"},
		{"one too long", strings.Repeat("a", 129), "appId is longer than 128 characters"},
		{"a megabyte", strings.Repeat("a", 1<<20), "appId is longer than 128 characters"},
		{"space", "a b", illegal},
		{"leading space", " a", illegal},
		{"trailing newline", "a\n", illegal},
		{"NUL", "a\x00", illegal},
		{"DEL", "a\x7f", illegal},
		{"slash", "a/b", illegal},
		{"colon", "a:b", illegal},
		{"percent", "a%20b", illegal},
		{"quote", `a"b`, illegal},
		{"backslash", `a\b`, illegal},
		{"hash tag", "{a}", illegal},
		{"latin letter", "ä", illegal},
		{"combining", "a\u0308", illegal},
		{"fullwidth letter", "ａ", illegal},
		{"arabic digit", "٣", illegal},
		{"emoji", "😀", illegal},
		{"invalid UTF-8", "a\xff", illegal},
		// 70 characters are not too many, whatever they take in UTF-8.
		{"many bytes, few characters", strings.Repeat("я", 70), illegal},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { checkMessage(t, "appId", event.CheckID("appId", c.id), c.message) })
	}
}

// Of all 256 bytes only the unreserved ones of RFC 3986 pass, wherever they stand.
func TestCheckIDEveryByte(t *testing.T) {
	for b := range 256 {
		for _, id := range []string{string([]byte{byte(b)}), "a" + string([]byte{byte(b)}), string([]byte{byte(b)}) + "a"} {
			legal := strings.IndexByte(everyLegal, byte(b)) >= 0
			if err := event.CheckID("userId", id); (err == nil) != legal {
				t.Errorf("%q: %v, want legal %t", id, err, legal)
			}
		}
	}
}

func checkMessage(t *testing.T, field string, err error, message string) {
	t.Helper()
	if message == "" {
		if err != nil {
			t.Fatalf("error %q, want none", err)
		}
		return
	}
	var invalid *event.InvalidID
	if !errors.As(err, &invalid) {
		t.Fatalf("error %v, want *InvalidID", err)
	}
	if invalid.Field != field || err.Error() != message {
		t.Fatalf("field %q, message %q, want %q, %q", invalid.Field, err, field, message)
	}
}

func TestNewRoom(t *testing.T) {
	room, err := event.NewRoom("w", "a")
	if err != nil || room != (event.Room{Workspace: "w", App: "a"}) {
		t.Fatalf("%+v, %v", room, err)
	}
	for _, c := range []struct{ workspace, app, field, message string }{
		{"", "a", "workspaceId", "workspaceId is required"},
		{"w", "", "appId", "appId is required"},
		{"", "", "workspaceId", "workspaceId is required"},
		{"w/", "a", "workspaceId", "workspaceId may hold only A-Z a-z 0-9 . _ ~ -"},
		{"w", "ä", "appId", "appId may hold only A-Z a-z 0-9 . _ ~ -"},
		{strings.Repeat("w", 129), "a", "workspaceId", "workspaceId is longer than 128 characters"},
		{"w", strings.Repeat("a", 129), "appId", "appId is longer than 128 characters"},
	} {
		room, err := event.NewRoom(c.workspace, c.app)
		checkMessage(t, c.field, err, c.message)
		if room != (event.Room{}) {
			t.Errorf("%q, %q: room %+v beside an error", c.workspace, c.app, room)
		}
	}
}

// The pair that shares a wire name must stay two rooms everywhere a room is a key.
func TestRoomsThatShareAName(t *testing.T) {
	one, other := newRoom(t, "a_app_b", "c"), newRoom(t, "a", "b_app_c")
	if one.Name() != "workspace_a_app_b_app_c" || other.Name() != one.Name() {
		t.Errorf("names %q and %q, want workspace_a_app_b_app_c twice", one.Name(), other.Name())
	}
	if one == other || one.String() == other.String() {
		t.Errorf("%q and %q are one room", one, other)
	}
	if one.String() != "a_app_b/c" || other.String() != "a/b_app_c" {
		t.Errorf("String gave %q and %q", one, other)
	}
	if members := map[event.Room]int{one: 1, other: 2}; len(members) != 2 {
		t.Errorf("as map keys: %v", members)
	}
}

func newRoom(t testing.TB, workspace, app string) event.Room {
	t.Helper()
	room, err := event.NewRoom(workspace, app)
	if err != nil {
		t.Fatal(err)
	}
	return room
}

func TestParseRoom(t *testing.T) {
	for _, room := range []event.Room{
		newRoom(t, "w", "a"), newRoom(t, "a_app_b", "c"), newRoom(t, "a", "b_app_c"),
		newRoom(t, everyLegal, everyLegal), newRoom(t, strings.Repeat("w", 128), strings.Repeat("a", 128)),
	} {
		if got, err := event.ParseRoom(room.String()); err != nil || got != room {
			t.Errorf("%s: %+v, %v", room, got, err)
		}
	}
	for text, message := range map[string]string{
		"":        `room "" is not workspace/app`,
		"w":       `room "w" is not workspace/app`,
		"/":       "workspaceId is required",
		"/a":      "workspaceId is required",
		"w/":      "appId is required",
		"w/a/b":   "appId may hold only A-Z a-z 0-9 . _ ~ -",
		"w//a":    "appId may hold only A-Z a-z 0-9 . _ ~ -",
		" w/a":    "workspaceId may hold only A-Z a-z 0-9 . _ ~ -",
		"w/a\r\n": "appId may hold only A-Z a-z 0-9 . _ ~ -",
	} {
		if room, err := event.ParseRoom(text); err == nil || err.Error() != message {
			t.Errorf("%q: %+v, %v, want %q", text, room, err, message)
		}
	}
}

func FuzzParseRoom(f *testing.F) {
	for _, text := range []string{"w/a", "a_app_b/c", "/", "w/a/b", "w", "ä/a", strings.Repeat("w", 129) + "/a"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if room, err := event.ParseRoom(text); err == nil && room.String() != text {
			t.Fatalf("%q was read as %q", text, room)
		}
	})
}
