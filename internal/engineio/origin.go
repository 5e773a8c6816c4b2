package engineio

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Origins is the rule for pages of other origins. The zero value admits the server's own
// origin only. Requests without an Origin header do not come from a page and always pass.
type Origins struct {
	any  bool
	list []string
}

// NewOrigins admits the given origins, each "scheme://host[:port]" in lower case, or every
// origin when one of them is "*".
func NewOrigins(origins ...string) Origins {
	return Origins{any: slices.Contains(origins, "*"), list: origins}
}

// configured reports whether cross-origin answers are wanted at all; if not, no CORS
// header is ever sent.
func (o Origins) configured() bool { return len(o.list) > 0 }

// allows reports whether the request may open a session. Browsers do not apply CORS to
// websockets, so without this check any page a user visits could connect in their name
// (cross-site websocket hijacking, CWE-1385).
func (o Origins) allows(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || o.any || slices.Contains(o.list, strings.ToLower(origin)) {
		return true
	}
	// The scheme is not compared: behind a proxy that ends TLS it differs.
	page, err := url.Parse(origin)
	return err == nil && page.Host != "" && strings.EqualFold(page.Host, r.Host)
}

// writeHeaders adds the CORS headers, on errors too: without them a page could not read
// the error's code.
func (o Origins) writeHeaders(w http.ResponseWriter, r *http.Request) {
	if !o.configured() {
		return
	}
	header := w.Header()
	if o.any {
		header.Set("Access-Control-Allow-Origin", "*")
		return
	}
	header.Add("Vary", "Origin")
	if origin := r.Header.Get("Origin"); slices.Contains(o.list, strings.ToLower(origin)) {
		header.Set("Access-Control-Allow-Origin", origin)
	}
}

// answerPreflight ends a CORS preflight. It comes before every other check: a browser
// sends it without the session's parameters being of any interest.
func (o Origins) answerPreflight(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Access-Control-Allow-Methods", "GET,HEAD,PUT,PATCH,POST,DELETE")
	if wanted := r.Header.Get("Access-Control-Request-Headers"); wanted != "" {
		header.Add("Vary", "Access-Control-Request-Headers")
		header.Set("Access-Control-Allow-Headers", wanted)
	}
	header.Set("Content-Length", "0")
	w.WriteHeader(http.StatusNoContent)
}
