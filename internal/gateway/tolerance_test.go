package gateway_test

import (
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/session"
)

// What older and newer clients send beside what is needed.
func TestTolerated(t *testing.T) {
	h := open(t, nil)
	top := h.publish(elsewhere)
	want := response(`{"status":"SUCCESS","event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"a"},"position":"` + top + `"}`)
	for _, args := range [][]string{
		{`{"event":"SUBSCRIBE","payload":{"workspaceID":"w","appID":"a"}}`}, // the first clients' spelling
		{`{"Event":"SUBSCRIBE","PAYLOAD":{"workspaceid":"w","APPID":"a"}}`},
		{`{"event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"a","userId":7,"x":[{}]},"id":null}`},
		{subscribeWA, `"more"`, "null", `{"event":"UNSUBSCRIBE"}`},
		{`{"event":"SUB\u0053CRIBE","payload":{"workspaceId":"\u0077","appId":"a"}}`},
		{"{ \"payload\" :\n{\"appId\":\"a\",\"workspaceId\":\"w\"}, \"event\":\"SUBSCRIBE\"}"},
		{`{"event":"SUBSCRIBE","payload":{"workspaceId":"x","workspaceId":"w","appId":"a"}}`}, // the last one counts
		{`{"event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"a","junk":"` + strings.Repeat("j", 1_000_000) + `"}}`},
	} {
		c := h.connect()
		c.says("application", args...)
		c.wants(want)
	}
}

func TestIDsAtTheirBounds(t *testing.T) {
	h := open(t, nil)
	top := h.publish(elsewhere)
	for _, id := range []string{"0", ".", "..", "A-z_0.9~", strings.Repeat("x", 128)} {
		c := h.connect()
		c.says("application", `{"event":"SUBSCRIBE","payload":{"workspaceId":"`+id+`","appId":"`+id+`"}}`)
		c.wants(response(`{"status":"SUCCESS","event":"SUBSCRIBE","payload":{"workspaceId":"` + id + `","appId":"` + id + `"},"position":"` + top + `"}`))
	}
}

// A token may be anywhere in a request; it is in no answer and not in the log.
func TestTokenIsNeverEchoed(t *testing.T) {
	h := open(t, nil)
	c := h.connect()
	for _, request := range []string{
		`{"event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"a","token":"SECRET"}}`,
		`{"event":"UNSUBSCRIBE","payload":{"workspaceId":"w","appId":"a","token":"SECRET"},"token":"SECRET"}`,
		`{"event":"SECRET","payload":{"token":"SECRET"}}`,
		`{"event":["SECRET"],"payload":{"token":"SECRET"}}`,
		`{"event":"SUBSCRIBE","payload":"SECRET"}`,
		`{"event":"SUBSCRIBE","payload":{"workspaceId":"SECRET!","appId":"a","token":"SECRET"}}`,
		`{"event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"a","since":"SECRET","token":"SECRET"}}`,
		`"SECRET"`,
	} {
		c.asks(1, request)
	}
	c.says("SECRET", `"SECRET"`)
	c.event(session.Message{Name: "application", Binary: true}, `"SECRET"`)
	const answers = 8*2 + 2
	eventually(t, "all answers", func() bool { return len(c.received()) == answers })
	if told := strings.Join(c.received(), "\n") + h.log.String(); strings.Contains(told, "SECRET") {
		t.Errorf("the token is in\n%s", told)
	}
}
