package rest

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestTemplate(t *testing.T) {
	match := template("/workspaces/{workspace}/apps/{app}")
	for path, want := range map[string][2]string{
		"/workspaces/w/apps/a":      {"w", "a"},
		"/workspaces/%2F/apps/a%20": {"%2F", "a%20"},
		"/workspaces/../apps/.":     {"..", "."},
		"/workspaces/w/apps/a?x=/y": {"w", "a"},
		"/workspaces/w/apps/":       {},
		"/workspaces//apps/a":       {},
		"/workspaces/w/apps/a/":     {},
		"/workspaces/w/apps/a/b":    {},
		"/workspaces/w/Apps/a":      {},
		"//workspaces/w/apps/a":     {},
		"/workspaces/w/apps":        {},
		"/":                         {},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
		got := match(r, nil)
		if vars := [2]string{r.PathValue("workspace"), r.PathValue("app")}; got != (want != [2]string{}) || vars != want {
			t.Errorf("%s: %t, %q, want %q", path, got, vars, want)
		}
	}
}
