package rest

import (
	"net/http"
	"strings"

	"github.com/gorilla/mux"
)

// template matches paths as they were sent, by segments, and makes what stands in the place of
// each {name} a path value of the request. The router's own templates are regular expressions,
// which would cost more than all that is then done with the ids.
func template(text string) mux.MatcherFunc {
	segments := strings.Split(text, "/")
	return func(r *http.Request, _ *mux.RouteMatch) bool {
		path := r.URL.EscapedPath()
		if !matches(segments, path) {
			return false
		}
		for _, segment := range segments {
			part, rest, _ := strings.Cut(path, "/")
			if name, variable := variable(segment); variable {
				r.SetPathValue(name, part)
			}
			path = rest
		}
		return true
	}
}

// matches reports whether path has these segments, something standing in the place of each
// variable.
func matches(segments []string, path string) bool {
	for i, segment := range segments {
		part, rest, more := strings.Cut(path, "/")
		if more != (i < len(segments)-1) {
			return false
		}
		if _, variable := variable(segment); variable && part == "" || !variable && part != segment {
			return false
		}
		path = rest
	}
	return true
}

// variable reads {name}.
func variable(segment string) (name string, ok bool) {
	if len(segment) < len("{}") || segment[0] != '{' || segment[len(segment)-1] != '}' {
		return "", false
	}
	return segment[1 : len(segment)-1], true
}
