package config

import (
	"net/url"
	"slices"
	"strings"
)

// Origins says from which pages a browser may come besides those of this server's own
// origin. The zero value allows no others.
type Origins struct {
	Any bool
	// List holds exact origins as browsers write them (RFC 6454 section 6.2): lower case,
	// without a default port.
	List []string
}

func origins() rule {
	const allowed = "exact origins such as https://app.example.com with commas between, without a path or a slash at the end, or * alone"
	return rule{allowed, func(d *draft, text string) bool {
		if text == "*" {
			d.Access.Origins = Origins{Any: true}
			return true
		}
		for _, item := range list(text) {
			origin, ok := parseOrigin(item)
			if !ok {
				return false
			}
			if !slices.Contains(d.Access.Origins.List, origin) {
				d.Access.Origins.List = append(d.Access.Origins.List, origin)
			}
		}
		return true
	}}
}

func parseOrigin(text string) (string, bool) {
	u, err := url.Parse(strings.ToLower(text))
	if err != nil || u.Scheme == "" || !hostName(u.Hostname()) {
		return "", false
	}
	// What is neither scheme nor host (user, path, query, a bare "?" or "#") makes a
	// difference here.
	if !strings.EqualFold(u.Scheme+"://"+u.Host, text) {
		return "", false
	}
	switch port := u.Port(); {
	case port == "" && strings.HasSuffix(u.Host, ":"):
		return "", false
	case port == "80" && u.Scheme == "http", port == "443" && u.Scheme == "https":
		return u.Scheme + "://" + strings.TrimSuffix(u.Host, ":"+port), true
	case port != "":
		if _, ok := number(port, 1, 65535); !ok {
			return "", false
		}
	}
	return u.Scheme + "://" + u.Host, true
}
