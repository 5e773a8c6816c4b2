package rest_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"unicode/utf8"
)

var seeds = []string{
	`{"workspaceId":"w","appId":"a","displayName":"B","userId":"u","n":[1.0,{"k":"\\\""}]}`,
	`{"event":"e","data":{"a":[{}]},"userId":"u"}`,
	`{"event":"e","data":"\ud800"}`,
	`{"":{},"\"":"}","id":1}`,
	` { } `, `{"a":1,"a":2}`, `[[[`, `{"a":"` + "\xff" + `"}`, `{}{}`, ``,
}

// delivered is what members would see of an accepted body.
type delivered struct {
	Event       *string
	WorkspaceID string `json:"workspaceId"`
	AppID       string `json:"appId"`
	Payload     json.RawMessage
	UserID      *string `json:"userId"`
}

// accepted checks what holds for every accepted body and returns its publication.
func accepted(t *testing.T, f *fixture) (object delivered, fields map[string]json.RawMessage) {
	publication := f.channel.published()[0]
	text := []byte(publication.Object)
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields() // a position or anything else at the top
	if err := decoder.Decode(&object); err != nil {
		t.Fatalf("object %s: %v", text, err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil || !bytes.Equal(compact.Bytes(), text) || !utf8.Valid(text) {
		t.Fatalf("object is not compact UTF-8 JSON: %s", text)
	}
	if object.WorkspaceID != publication.Room.Workspace || object.AppID != publication.Room.App {
		t.Fatalf("object %s is for another room than %v", text, publication.Room)
	}
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	return object, fields
}

func FuzzUpdateApp(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		fixture := newFixture()
		w := fixture.call(http.MethodPut, "/api/v1/apps/", "", string(body))
		if !json.Valid(w.Body.Bytes()) {
			t.Fatalf("answer is not JSON: %s", w.Body)
		}
		if w.Code != http.StatusOK {
			if w.Code != http.StatusBadRequest && w.Code != http.StatusRequestEntityTooLarge || len(fixture.channel.published()) != 0 {
				t.Fatalf("status %d, %d publications", w.Code, len(fixture.channel.published()))
			}
			return
		}
		object, _ := accepted(t, fixture)
		var sent, payload map[string]json.RawMessage
		if err := json.Unmarshal(object.Payload, &payload); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(body, &sent); err != nil {
			t.Fatalf("accepted what the standard library refuses: %v", err)
		}
		if string(payload["id"]) != `"`+object.AppID+`"` || string(payload["workspaceID"]) != `"`+object.WorkspaceID+`"` || payload["position"] != nil {
			t.Fatalf("payload %s", object.Payload)
		}
		for _, name := range []string{"id", "workspaceID", "workspaceId", "appId", "userId", "position"} {
			delete(sent, name)
		}
		for name, value := range sent {
			var compact bytes.Buffer
			if err := json.Compact(&compact, value); err != nil || !bytes.Equal(compact.Bytes(), payload[name]) {
				t.Fatalf("field %q: sent %s, delivered %s", name, value, payload[name])
			}
		}
	})
}

func FuzzCreateUpdate(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		fixture := newFixture()
		w := fixture.call(http.MethodPost, updatesURL, "application/json", string(body))
		if !json.Valid(w.Body.Bytes()) {
			t.Fatalf("answer is not JSON: %s", w.Body)
		}
		if w.Code != http.StatusCreated {
			if w.Code != http.StatusBadRequest && w.Code != http.StatusRequestEntityTooLarge || len(fixture.channel.published()) != 0 {
				t.Fatalf("status %d, %d publications", w.Code, len(fixture.channel.published()))
			}
			return
		}
		object, fields := accepted(t, fixture)
		if object.Event == nil || *object.Event == "" || *object.Event == "RESYNC" {
			t.Fatalf("event of %s", fixture.channel.published()[0].Object)
		}
		if len(fields["payload"]) == 0 {
			t.Fatal("no payload")
		}
	})
}
