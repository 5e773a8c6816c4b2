package gateway_test

import (
	"testing"

	"github.com/roomcast/roomcast/internal/event"
)

var (
	roomWA    = event.Room{Workspace: "w", App: "a"}
	elsewhere = event.Room{Workspace: "else", App: "where"}
)

const subscribeWA = `{"event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"a"}}`

// The answer is an event, and the acknowledgement with the same object if one was asked
// for; updates follow it.
func TestSubscribe(t *testing.T) {
	h := open(t, nil)
	top := h.publish(elsewhere)
	answer := `{"status":"SUCCESS","event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"a"},"position":"` + top + `"}`
	c := h.connect()
	c.says("application", subscribeWA)
	c.wants(response(answer))

	asking := h.connect()
	asking.asks(7, subscribeWA)
	asking.wants(response(answer), `437[`+answer+`]`)

	position := h.publish(roomWA)
	update := `42["workspace_w_app_a",{"n":2,"position":"` + position + `"}]`
	c.wants(update)
	asking.wants(update)

	// Again is answered like the first time, with where the member stands now.
	c.asks(0, subscribeWA)
	answer = `{"status":"SUCCESS","event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"a"},"position":"` + position + `"}`
	c.wants(response(answer), `430[`+answer+`]`)
	position = h.publish(roomWA)
	c.wants(`42["workspace_w_app_a",{"n":3,"position":"` + position + `"}]`)
}

func TestUnsubscribe(t *testing.T) {
	h := open(t, nil)
	c, staying := h.connect(), h.connect()
	c.subscribe("w", "a")
	staying.subscribe("w", "a")
	position := h.publish(roomWA)
	update := `42["workspace_w_app_a",{"n":1,"position":"` + position + `"}]`
	c.wants(update)
	staying.wants(update)

	unsubscribe := `{"event":"UNSUBSCRIBE","payload":{"workspaceId":"w","appId":"a","since":"of no interest"}}`
	answer := `{"status":"SUCCESS","event":"UNSUBSCRIBE","payload":{"workspaceId":"w","appId":"a"},"position":"` + position + `"}`
	c.asks(8, unsubscribe)
	c.wants(response(answer), `438[`+answer+`]`)

	position = h.publish(roomWA)
	staying.wants(`42["workspace_w_app_a",{"n":2,"position":"` + position + `"}]`)
	c.says("application", unsubscribe) // a room it is not in: the answer is also the fence
	c.wants(response(`{"status":"SUCCESS","event":"UNSUBSCRIBE","payload":{"workspaceId":"w","appId":"a"},"position":"` + position + `"}`))
}

// A position of any earlier answer or update continues there: what was missed stands
// behind the answer. recovered says whether it is everything.
func TestSubscribeSince(t *testing.T) {
	h := open(t, nil)
	first := h.publish(roomWA)
	second := h.publish(roomWA)
	since := func(position string) string {
		return `{"event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"a","since":"` + position + `"}}`
	}
	answer := func(recovered string) string {
		return `{"status":"SUCCESS","event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"a"},"position":"` + second + `","recovered":` + recovered + `}`
	}
	c := h.connect()
	c.asks(1, since(first))
	c.wants(response(answer("true")), `431[`+answer("true")+`]`, `42["workspace_w_app_a",{"n":2,"position":"`+second+`"}]`)
	c.says("application", since(second))
	c.wants(response(answer("true")))
	c.says("application", since("another:5"))
	c.wants(response(answer("false")),
		`42["workspace_w_app_a",{"event":"RESYNC","workspaceId":"w","appId":"a","payload":{"reason":"unknown_position"},"position":"`+second+`"}]`)

	// An empty or null since is none.
	for _, none := range []string{`""`, "null"} {
		other := h.connect()
		other.says("application", `{"event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"a","since":`+none+`}}`)
		other.wants(response(`{"status":"SUCCESS","event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"a"},"position":"` + second + `"}`))
	}
}

// Two pairs may share a name on the wire and never share members.
func TestPairsThatShareAName(t *testing.T) {
	h := open(t, nil)
	one, other := h.connect(), h.connect()
	one.subscribe("a_app_b", "c")
	other.subscribe("a", "b_app_c")
	first := h.publish(event.Room{Workspace: "a_app_b", App: "c"})
	second := h.publish(event.Room{Workspace: "a", App: "b_app_c"})
	one.wants(`42["workspace_a_app_b_app_c",{"n":1,"position":"` + first + `"}]`)
	other.wants(`42["workspace_a_app_b_app_c",{"n":2,"position":"` + second + `"}]`)
}

func TestDisconnectedGivesTheRoomsUp(t *testing.T) {
	h := open(t, nil)
	c, staying := h.connect(), h.connect()
	c.subscribe("w", "a")
	c.subscribe("w", "b")
	staying.subscribe("w", "a")
	c.peer.Disconnected("transport close")
	eventually(t, "one seat is left", func() bool { return h.members.Load() == 1 })
	position := h.publish(roomWA)
	staying.wants(`42["workspace_w_app_a",{"n":1,"position":"` + position + `"}]`)
	c.wants()
}
