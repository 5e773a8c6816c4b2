package rest

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// handle answers a request, or returns the error that its surface is to show.
type handle func(w http.ResponseWriter, r *http.Request) error

// methods are what one path takes. HEAD comes with GET.
type methods map[string]handle

// route is one path of the API. Methods are told apart here and not by the router, so
// that a wrong one is answered in the path's own shape and with Allow.
type route struct {
	label   string // for metrics; the same for spellings of one resource
	path    string // the router's template
	surface surface
	methods methods // none: nothing exists here
}

func (t route) handle(w http.ResponseWriter, r *http.Request) error {
	if len(t.methods) == 0 {
		return &failure{kind: notFound, detail: "nothing is served at this path"}
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet // net/http leaves the body out
	}
	handle, ok := t.methods[method]
	if !ok {
		allow := t.allow()
		w.Header().Set("Allow", allow)
		return &failure{kind: methodNotAllowed, detail: "this path takes " + allow}
	}
	return handle(w, r)
}

func (t route) allow() string {
	allowed := slices.Sorted(maps.Keys(t.methods))
	if _, ok := t.methods[http.MethodGet]; ok {
		allowed = append(allowed, http.MethodHead)
	}
	return strings.Join(allowed, ", ")
}
