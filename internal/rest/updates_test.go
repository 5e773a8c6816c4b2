package rest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/event"
)

const updatesURL = "/api/v1/workspaces/w/apps/a/updates"

func TestCreateUpdate(t *testing.T) {
	for name, test := range map[string]struct{ path, contentType, body, object string }{
		"everything": {
			updatesURL, "application/json", `{"event":"RENAMED","data":{"n":1.0,"ü":"ß"},"userId":"u"}`,
			`{"event":"RENAMED","workspaceId":"w","appId":"a","payload":{"n":1.0,"ü":"ß"},"userId":"u"}`,
		},
		"no data": {
			updatesURL, "application/json; charset=UTF-8", `{"event":"TOUCHED"}`,
			`{"event":"TOUCHED","workspaceId":"w","appId":"a","payload":{}}`,
		},
		"data of any type": {
			updatesURL, "application/json", `{"data": null, "event": "e"}`,
			`{"event":"e","workspaceId":"w","appId":"a","payload":null}`,
		},
		"position inside data is the caller's": {
			updatesURL, "application/json", `{"event":"MOVED","data":{"position":[1,2]}}`,
			`{"event":"MOVED","workspaceId":"w","appId":"a","payload":{"position":[1,2]}}`,
		},
		"longest event": {
			updatesURL, "application/json", `{"event":"` + strings.Repeat("ж", 128) + `"}`,
			`{"event":"` + strings.Repeat("ж", 128) + `","workspaceId":"w","appId":"a","payload":{}}`,
		},
		"an unreserved character may be encoded": {
			"/api/v1/workspaces/%77/apps/a/updates", "application/json", `{"event":"e"}`,
			`{"event":"e","workspaceId":"w","appId":"a","payload":{}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			w := f.call(http.MethodPost, test.path, test.contentType, test.body)
			publications := f.channel.published()
			if len(publications) != 1 {
				t.Fatalf("%d publications; status %d: %s", len(publications), w.Code, w.Body)
			}
			publication := publications[0]
			isJSON(t, test.object)
			if publication.Object != test.object {
				t.Errorf("object\n%s\nwant\n%s", publication.Object, test.object)
			}
			if want := (event.Room{Workspace: "w", App: "a"}); publication.Room != want {
				t.Errorf("room %v, want %v", publication.Room, want)
			}
			check(t, w, http.StatusCreated, "application/json",
				`{"id":"`+publication.ID+`","position":"e1:42"}`)
		})
	}
}

func TestCreateUpdateRefusesBodies(t *testing.T) {
	for name, test := range map[string]struct{ body, code, title, detail, errors string }{
		"empty": {
			"", "malformed-json", "The body is not usable JSON", "the body is empty", "",
		},
		"trailing junk": {
			`{"event":"e"},`, "malformed-json", "The body is not usable JSON",
			`the body is not JSON: invalid character ',' after top-level value`, "",
		},
		"no event": {
			`{}`, "invalid-field", "A field is missing or invalid", "event is required",
			`[{"pointer":"#/event","detail":"event is required"}]`,
		},
		"reserved event": {
			`{"event":"RE\u0053YNC"}`, "invalid-field", "A field is missing or invalid",
			"event RESYNC is reserved for the server",
			`[{"pointer":"#/event","detail":"event RESYNC is reserved for the server"}]`,
		},
		"long event": {
			`{"event":"` + strings.Repeat("ж", 129) + `"}`, "invalid-field", "A field is missing or invalid",
			"event is longer than 128 characters",
			`[{"pointer":"#/event","detail":"event is longer than 128 characters"}]`,
		},
		"null user": {
			`{"event":"e","userId":null}`, "invalid-field", "A field is missing or invalid",
			"userId must be a string",
			`[{"pointer":"#/userId","detail":"userId must be a string"}]`,
		},
		"all faults together": {
			`{"event":"","a/b~ü":1,"position":"e:1"}`, "invalid-field", "A field is missing or invalid",
			`event must not be empty; "a/b~ü" is not a field of an update; "position" is not a field of an update`,
			`[{"pointer":"#/event","detail":"event must not be empty"},` +
				`{"pointer":"#/a~1b~0%C3%BC","detail":"\"a/b~ü\" is not a field of an update"},` +
				`{"pointer":"#/position","detail":"\"position\" is not a field of an update"}]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			w := f.call(http.MethodPost, updatesURL, "application/json", test.body)
			check(t, w, http.StatusBadRequest, "application/problem+json",
				problem(test.code, test.title, 400, test.detail, test.errors))
			if n := len(f.channel.published()); n != 0 {
				t.Errorf("%d publications of a refused body", n)
			}
		})
	}
}

// problem is the literal text of a problem with the fixture's request id.
func problem(code, title string, status int, detail, errors string) string {
	if errors != "" {
		errors = `,"errors":` + errors
	}
	return fmt.Sprintf(`{"type":"/problems/%s","title":"%s","status":%d,"detail":"%s","instance":"test-request.1","code":"%s"%s}`,
		code, title, status, strings.ReplaceAll(detail, `"`, `\"`), code, errors)
}

func TestManyUnknownFieldsAreListedShortly(t *testing.T) {
	f := newFixture()
	body := `{"event":"e"`
	for i := range 100 {
		body += fmt.Sprintf(`,"x%d":0`, i)
	}
	w := f.call(http.MethodPost, updatesURL, "application/json", body+`}`)
	var answer struct{ Errors []struct{ Detail string } }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	if len(answer.Errors) != 16 {
		t.Errorf("%d errors, want 16", len(answer.Errors))
	}
	w = f.call(http.MethodPost, updatesURL, "application/json", `{"event":"e","`+strings.Repeat("ü", 400)+`":0}`)
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	if want := `"` + strings.Repeat("ü", 64) + `…" is not a field of an update`; answer.Errors[0].Detail != want {
		t.Errorf("detail %s, want %s", answer.Errors[0].Detail, want)
	}
}

func TestCreateUpdateRefusesIDsOfThePath(t *testing.T) {
	const characters = "may hold only A-Z a-z 0-9 . _ ~ -"
	for path, test := range map[string]struct{ parameter, reason string }{
		"/api/v1/workspaces/a%2Fb/apps/c/updates":                            {"workspaceId", characters},
		"/api/v1/workspaces/a/apps/c%00/updates":                             {"appId", characters},
		"/api/v1/workspaces/%C3%BC/apps/c/updates":                           {"workspaceId", characters},
		"/api/v1/workspaces/a/apps/" + strings.Repeat("x", 129) + "/updates": {"appId", "is longer than 128 characters"},
	} {
		w := newFixture().call(http.MethodPost, path, "application/json", `{"event":"e"}`)
		detail := test.parameter + " " + test.reason
		check(t, w, http.StatusBadRequest, "application/problem+json",
			problem("invalid-field", "A field is missing or invalid", 400, detail,
				`[{"parameter":"`+test.parameter+`","detail":"`+detail+`"}]`))
	}
}

func TestCreateUpdateWantsJSON(t *testing.T) {
	for _, contentType := range []string{"", "text/plain", "application/json; charset=latin1", "application/jsonp", "json"} {
		w := newFixture().call(http.MethodPost, updatesURL, contentType, `{"event":"e"}`)
		check(t, w, http.StatusUnsupportedMediaType, "application/problem+json",
			problem("unsupported-media-type", "Unsupported media type", 415, "Content-Type must be application/json, in UTF-8", ""))
	}
}
