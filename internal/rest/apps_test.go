package rest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/event"
)

func TestUpdateApp(t *testing.T) {
	for name, test := range map[string]struct {
		body, answer, object string
	}{
		"the least": {
			body:   `{"workspaceId":"w","appId":"a","displayName":"Board"}`,
			answer: `{"status":"SUCCESS","data":{"displayName":"Board","workspaceId":"w","appId":"a"},"error":null}`,
			object: `{"event":"UPDATE_APP","workspaceId":"w","appId":"a","payload":{"id":"a","displayName":"Board","workspaceID":"w"}}`,
		},
		"user is lifted out of the payload": {
			body:   `{"userId":"u|1","workspaceId":"w","appId":"a","displayName":"Board"}`,
			answer: `{"status":"SUCCESS","data":{"displayName":"Board","workspaceId":"w","appId":"a"},"error":null}`,
			object: `{"event":"UPDATE_APP","workspaceId":"w","appId":"a","payload":{"id":"a","displayName":"Board","workspaceID":"w"},"userId":"u|1"}`,
		},
		"unknown user": {
			body:   `{"userId":null,"workspaceId":"w","appId":"a","displayName":"Board"}`,
			answer: `{"status":"SUCCESS","data":{"displayName":"Board","workspaceId":"w","appId":"a"},"error":null}`,
			object: `{"event":"UPDATE_APP","workspaceId":"w","appId":"a","payload":{"id":"a","displayName":"Board","workspaceID":"w"}}`,
		},
		"other fields travel along as they were written": {
			body: ` { "zoom" : 1.10 , "workspaceId" : "w", "n": 12345678901234567890.0, "appId":"a",
			          "list": [ 1e400, {"ключ": "знач ение"} ], "displayName" : "Δοκιμή <b> \u00e9 😀", "a\"b\\": null } `,
			answer: `{"status":"SUCCESS","data":{"displayName":"Δοκιμή <b> \u00e9 😀","workspaceId":"w","appId":"a"},"error":null}`,
			object: `{"event":"UPDATE_APP","workspaceId":"w","appId":"a","payload":{"id":"a","displayName":"Δοκιμή <b> \u00e9 😀","workspaceID":"w","zoom":1.10,"n":12345678901234567890.0,"list":[1e400,{"ключ":"знач ение"}],"a\"b\\":null}}`,
		},
		"an escaped name is the same name": {
			body:   `{"id":"x","workspaceID":"x","position":"e:99","\u0069d":"y","workspaceId":"w","appId":"a","displayName":"Board","keep":{"id":"x","position":1}}`,
			answer: `{"status":"ERROR","data":null,"error":{"code":"app/unmarshalling-failed","name":"Bad Request Error","message":"the field \"id\" stands twice in the body"}}`,
		},
		"nobody overrides what the server says": {
			body:   `{"\u0069d":"x","workspaceID":"x","position":"e:99","workspaceId":"w","appId":"a","displayName":"Board","keep":{"id":"x","position":1}}`,
			answer: `{"status":"SUCCESS","data":{"displayName":"Board","workspaceId":"w","appId":"a"},"error":null}`,
			object: `{"event":"UPDATE_APP","workspaceId":"w","appId":"a","payload":{"id":"a","displayName":"Board","workspaceID":"w","keep":{"id":"x","position":1}}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			w := f.call(http.MethodPut, "/api/v1/apps/", "", test.body)
			isJSON(t, test.answer)
			status := http.StatusOK
			if test.object == "" {
				status = http.StatusBadRequest
			}
			check(t, w, status, "application/json", test.answer)
			if test.object == "" {
				if n := len(f.channel.published()); n != 0 {
					t.Fatalf("%d publications of a refused body", n)
				}
				return
			}
			isJSON(t, test.object)
			publication := f.channel.published()[0]
			if publication.Object != test.object {
				t.Errorf("object\n%s\nwant\n%s", publication.Object, test.object)
			}
			if want := (event.Room{Workspace: "w", App: "a"}); publication.Room != want {
				t.Errorf("room %v, want %v", publication.Room, want)
			}
		})
	}
}

// Callers of the first contract send any content type, or none, with or without slash.
func TestUpdateAppAsOldCallersSendIt(t *testing.T) {
	f := newFixture()
	for _, path := range []string{"/api/v1/apps", "/api/v1/apps/"} {
		for _, contentType := range []string{"", "application/json", "text/plain", "application/x-www-form-urlencoded", ";;"} {
			w := f.call(http.MethodPut, path, contentType, `{"workspaceId":"w","appId":"a","displayName":"B"}`)
			check(t, w, http.StatusOK, "application/json",
				`{"status":"SUCCESS","data":{"displayName":"B","workspaceId":"w","appId":"a"},"error":null}`)
		}
	}
	ids := make(map[string]bool)
	for _, publication := range f.channel.published() {
		ids[publication.ID] = true
		if publication.Remember != time.Minute {
			t.Errorf("id remembered for %v, want a minute", publication.Remember)
		}
	}
	if len(ids) != 10 || ids[""] {
		t.Errorf("%d different ids for 10 publications: %v", len(ids), ids)
	}
}

func TestUpdateAppRefuses(t *testing.T) {
	long := strings.Repeat("x", 129)
	for name, test := range map[string]struct{ body, code, message string }{
		"empty":             {"", "unmarshalling-failed", "the body is empty"},
		"white space":       {" \n", "unmarshalling-failed", "the body is empty"},
		"not JSON":          {"{", "unmarshalling-failed", "the body is not JSON: unexpected end of JSON input"},
		"a form":            {"workspaceId=w", "unmarshalling-failed", "the body is not JSON: invalid character 'w' looking for beginning of value"},
		"trailing junk":     {"{} x", "unmarshalling-failed", "the body is not JSON: invalid character 'x' after top-level value"},
		"two objects":       {"{}{}", "unmarshalling-failed", "the body is not JSON: invalid character '{' after top-level value"},
		"an array":          {"[]", "unmarshalling-failed", "the body must be a JSON object"},
		"null":              {"null", "unmarshalling-failed", "the body must be a JSON object"},
		"invalid UTF-8":     {"{\"a\":\"\xff\"}", "unmarshalling-failed", "the body is not valid UTF-8"},
		"too deep":          {`{"a":` + strings.Repeat("[", 128) + strings.Repeat("]", 128) + `}`, "unmarshalling-failed", "the body nests deeper than 128 levels"},
		"one of many twice": {`{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"b":1}`, "unmarshalling-failed", "the field \"b\" stands twice in the body"},
		"a late one twice":  {`{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"j":1}`, "unmarshalling-failed", "the field \"j\" stands twice in the body"},
		"a field twice":     {`{"a":1,"a":1}`, "unmarshalling-failed", "the field \"a\" stands twice in the body"},
		"no workspace":      {`{}`, "invalid-field", "workspaceId is required; appId is required; displayName is required"},
		"workspace number":  {`{"workspaceId":1,"appId":"a","displayName":"B"}`, "invalid-field", "workspaceId must be a string"},
		"no app":            {`{"workspaceId":"w","displayName":"B"}`, "invalid-field", "appId is required"},
		"app empty":         {`{"workspaceId":"w","appId":"","displayName":"B"}`, "invalid-field", "appId must not be empty"},
		"app bad":           {`{"workspaceId":"w","appId":"a/b","displayName":"B"}`, "invalid-field", "appId may hold only A-Z a-z 0-9 . _ ~ -"},
		"app long":          {`{"workspaceId":"w","appId":"` + long + `","displayName":"B"}`, "invalid-field", "appId is longer than 128 characters"},
		"no display name":   {`{"workspaceId":"w","appId":"a"}`, "invalid-field", "displayName is required"},
		"display name list": {`{"workspaceId":"w","appId":"a","displayName":["B"]}`, "invalid-field", "displayName must be a string"},
		"user number":       {`{"workspaceId":"w","appId":"a","displayName":"B","userId":7}`, "invalid-field", "userId must be a string"},
		"all wrong":         {`{"workspaceId":"ü","appId":2,"displayName":"","userId":[]}`, "invalid-field", "workspaceId may hold only A-Z a-z 0-9 . _ ~ -; appId must be a string; displayName must not be empty; userId must be a string"},
		"user long":         {`{"workspaceId":"w","appId":"a","displayName":"B","userId":"` + long + `"}`, "invalid-field", "userId is longer than 128 characters"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			w := f.call(http.MethodPut, "/api/v1/apps/", "application/json", test.body)
			message := strings.ReplaceAll(test.message, `"`, `\"`)
			check(t, w, http.StatusBadRequest, "application/json",
				`{"status":"ERROR","data":null,"error":{"code":"app/`+test.code+`","name":"Bad Request Error","message":"`+message+`"}}`)
			if n := len(f.channel.published()); n != 0 {
				t.Errorf("%d publications of a refused body", n)
			}
		})
	}
}

func TestDeepestBodyIsTaken(t *testing.T) {
	f := newFixture()
	nested := strings.Repeat("[", 127) + strings.Repeat("]", 127)
	w := f.call(http.MethodPut, "/api/v1/apps/", "", `{"workspaceId":"w","appId":"a","displayName":"B","n":`+nested+`}`)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	if object := f.channel.published()[0].Object; !strings.HasSuffix(object, `,"n":`+nested+`}}`) {
		t.Errorf("object %s", object)
	}
}
