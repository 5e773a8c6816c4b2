package test

import (
	"fmt"
	"slices"
	"strings"
)

// badRequest is the bytes of a request that has something wrong with it.
type badRequest struct{ name, request string }

// badHandshakes are requests to the Socket.IO path.
func badHandshakes() []badRequest {
	const (
		upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
		key     = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	)
	ask := func(method, query, headers string) string {
		return method + " /socket.io/" + query + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n"
	}
	get := func(query, headers string) string { return ask("GET", query, headers) }
	var all []badRequest
	for name, request := range map[string]string{
		"no query":                         get("", ""),
		"no transport":                     get("?EIO=4", ""),
		"unknown transport":                get("?EIO=4&transport=pigeon", ""),
		"two transports":                   get("?EIO=4&transport=polling&transport=pigeon", ""),
		"transport in capitals":            get("?EIO=4&transport=POLLING", ""),
		"unknown session":                  get("?EIO=4&transport=polling&sid=__proto__", ""),
		"unknown session of this instance": get("?EIO=4&transport=polling&sid=target.AAAA", ""),
		"unknown session posted to":        ask("POST", "?EIO=4&transport=polling&sid=x", "Content-Length: 2\r\n") + "40",
		"JSONP":                            get("?EIO=3&transport=polling&j=0", ""),
		"a script tag as JSONP":            get("?EIO=3&transport=polling&j=%3Cscript%3E", ""),
		"POST without a session":           ask("POST", "?EIO=4&transport=polling", "Content-Length: 0\r\n"),
		"DELETE":                           ask("DELETE", "?EIO=4&transport=polling", ""),
		"method that is none":              ask("BREW", "?EIO=4&transport=polling", ""),
		"CONNECT":                          "CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
		"preflight of an unknown origin":   ask("OPTIONS", "?EIO=4&transport=polling", "Origin: https://evil.example\r\nAccess-Control-Request-Method: GET\r\n"),
		"a page of another origin":         get("?EIO=4&transport=polling", "Origin: https://evil.example\r\n"),
		"a page without an origin":         get("?EIO=4&transport=polling", "Origin: null\r\n"),
		"an origin that is no URL":         get("?EIO=4&transport=polling", "Origin: %%%\r\n"),
		"websocket of another origin":      get("?EIO=4&transport=websocket", upgrade+key+"Origin: https://evil.example\r\n"),
		"origin that only begins alike":    get("?EIO=4&transport=websocket", upgrade+key+"Origin: http://x.evil.example\r\n"),
		"websocket without upgrade":        get("?EIO=4&transport=websocket", ""),
		"upgrade for polling":              get("?EIO=4&transport=polling", upgrade+key),
		"upgrade without a key":            get("?EIO=4&transport=websocket", upgrade),
		"upgrade with a short key":         get("?EIO=4&transport=websocket", upgrade+"Sec-WebSocket-Key: eA==\r\n"),
		"upgrade of an old version":        get("?EIO=4&transport=websocket", strings.Replace(upgrade, "13", "8", 1)+key),
		"upgrade to h2c":                   get("?EIO=4&transport=websocket", "Connection: Upgrade\r\nUpgrade: h2c\r\n"),
		"upgrade of an unknown session":    get("?EIO=4&transport=websocket&sid=x", upgrade+key),
		"upgrade by POST":                  ask("POST", "?EIO=4&transport=websocket", upgrade+key+"Content-Length: 0\r\n"),
		"a long URL":                       get("?EIO=4&transport=polling&x="+strings.Repeat("x", 21<<10), ""),
		"a header without an end":          get("?EIO=4&transport=polling", "X: "+strings.Repeat("x", 100_000)+"\r\n"),
		"a header that is none":            get("?EIO=4&transport=polling", "no colon\r\n"),
		"no host":                          "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n\r\n",
		"HTTP of the future":               "GET / HTTP/9.9\r\nHost: x\r\n\r\n",
		"the preface of HTTP/2":            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"no HTTP":                          "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
		"two lengths":                      ask("POST", "?EIO=4&transport=polling", "Content-Length: 1\r\nContent-Length: 2\r\n"),
		"a negative length":                ask("POST", "?EIO=4&transport=polling", "Content-Length: -1\r\n"),
		"an unknown transfer coding":       ask("POST", "?EIO=4&transport=polling", "Transfer-Encoding: gzip\r\n"),
		"a path above":                     "GET /socket.io/../metrics HTTP/1.1\r\nHost: x\r\n\r\n",
		"a path in escapes":                "GET /socket.io/%2e%2e/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		all = append(all, badRequest{name, request})
	}
	return byName(all)
}

// badREST are requests to the API.
func badREST() []badRequest {
	const (
		apps    = "PUT /api/v1/apps/"
		updates = "POST /api/v1/workspaces/w/apps/a/updates"
		asJSON  = "Content-Type: application/json\r\n"
	)
	with := func(line, headers, body string) string {
		return fmt.Sprintf("%s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s", line, headers, len(body), body)
	}
	var all []badRequest
	add := func(name, request string) { all = append(all, badRequest{name, request}) }
	for _, body := range []string{
		``, `null`, `7`, `"x"`, `[]`, `{}`, `{`, `{"workspaceId":"w"`, `{"workspaceId":"w"}x`, `{"workspaceId":"w","appId":"a"}`, `{"workspaceId":"w","appId":"a","displayName":7}`,
		`{"workspaceId":"","appId":"a","displayName":"x"}`, `{"workspaceId":7,"appId":"a","displayName":"x"}`, `{"workspaceId":"w/x","appId":"a","displayName":"x"}`,
		`{"workspaceId":"w","appId":"*","displayName":"x"}`, `{"workspaceId":"w","appId":"a","appId":"b","displayName":"x"}`, "{\"workspaceId\":\"w\",\"appId\":\"\xff\",\"displayName\":\"x\"}",
		`{"workspaceId":"` + strings.Repeat("w", 129) + `","appId":"a","displayName":"x"}`, `{"workspaceId":"w","appId":"a","displayName":NaN}`,
		`{"workspaceId":"w","appId":"a","displayName":"x","more":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`,
	} {
		add("apps "+shortened(body), with(apps, asJSON, body))
	}
	for _, body := range []string{
		``, `null`, `[]`, `{}`, `{"event":7}`, `{"event":""}`, `{"event":"X","data":`, `{"event":"X","data":{},"userId":7}`, `{"event":"` + strings.Repeat("X", 300) + `","data":{}}`,
		`{"event":"X","data":7,"extra":1}`, `{"data":{}}`,
	} {
		add("updates "+shortened(body), with(updates, asJSON, body))
	}
	const good = `{"event":"X","data":{}}`
	for name, request := range map[string]string{
		"no media type":                with(updates, "", good),
		"a form":                       with(updates, "Content-Type: application/x-www-form-urlencoded\r\n", "event=X"),
		"another charset":              with(updates, "Content-Type: application/json; charset=latin1\r\n", good),
		"a media type that is none":    with(updates, "Content-Type: ;;\r\n", good),
		"packed":                       with(updates, asJSON+"Content-Encoding: gzip\r\n", good),
		"too large":                    with(updates, asJSON, `{"event":"X","data":"`+strings.Repeat("x", 1_000_000)+`"}`),
		"too large by its own word":    "POST /api/v1/workspaces/w/apps/a/updates HTTP/1.1\r\nHost: x\r\n" + asJSON + "Content-Length: 99999999999\r\n\r\n",
		"a workspace that is none":     with("POST /api/v1/workspaces/%00/apps/a/updates", asJSON, good),
		"a slash in a workspace":       with("POST /api/v1/workspaces/w%2Fx/apps/a/updates", asJSON, good),
		"an escape that is none":       with("POST /api/v1/workspaces/%zz/apps/a/updates", asJSON, good),
		"an empty app":                 with("POST /api/v1/workspaces/w/apps//updates", asJSON, good),
		"GET of updates":               with("GET /api/v1/workspaces/w/apps/a/updates", "", ""),
		"DELETE of apps":               with("DELETE /api/v1/apps/", "", ""),
		"POST to health":               with("POST /api/v1/health/", "", ""),
		"POST to the page":             with("POST /", "", ""),
		"a path that is none":          with("GET /api/v2/apps/", "", ""),
		"a path of a file":             with("GET /playground/../../etc/passwd", "", ""),
		"a key for idempotency, empty": with(updates, asJSON+"Idempotency-Key: \r\n", good),
		"a key for idempotency, long":  with(updates, asJSON+"Idempotency-Key: "+strings.Repeat("k", 300)+"\r\n", good),
		"a key for idempotency, two":   with(updates, asJSON+"Idempotency-Key: a\r\nIdempotency-Key: b\r\n", good),
		"a long URL":                   with("GET /healthz?"+strings.Repeat("x", 21<<10), "", ""),
		"a chunk that is none":         "POST /api/v1/workspaces/w/apps/a/updates HTTP/1.1\r\nHost: x\r\n" + asJSON + "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
		"a length and chunks":          "POST /api/v1/workspaces/w/apps/a/updates HTTP/1.1\r\nHost: x\r\n" + asJSON + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"an expectation that is none":  with(updates, asJSON+"Expect: the-unexpected\r\n", good),
	} {
		add(name, request)
	}
	return byName(all)
}

func byName(all []badRequest) []badRequest {
	slices.SortFunc(all, func(a, b badRequest) int { return strings.Compare(a.name, b.name) })
	return all
}
