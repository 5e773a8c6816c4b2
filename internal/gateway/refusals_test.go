package gateway_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
	"github.com/roomcast/roomcast/internal/session"
)

// refusal is the object that refuses a request of which nothing could be echoed.
func refusal(code, message string) string {
	return `{"status":"ERROR","error":{"code":"application/` + code + `","name":"Bad Request Error","message":"` + message + `"}}`
}

// refusalOf is the object that refuses a request of this kind.
func refusalOf(kind, code, message string) string {
	return `{"status":"ERROR","event":"` + kind + `",` + strings.TrimPrefix(refusal(code, message), `{"status":"ERROR",`)
}

// What is wrong is said by the field's name, in the order event, payload, workspaceId,
// appId, since. The connection goes on: all of these are said on one.
func TestRefusals(t *testing.T) {
	const notObject, unreadable = "the first argument must be an object", "the first argument cannot be read"
	const kinds = "event must be SUBSCRIBE, UNSUBSCRIBE or AUTHENTICATE"
	const characters = "may hold only A-Z a-z 0-9 . _ ~ -"
	const position = "payload.since: must be a position as an earlier answer or update gave it"
	subscribing := func(payload string) string { return `{"event":"SUBSCRIBE","payload":` + payload + `}` }
	field := func(message string) string { return refusalOf("SUBSCRIBE", "invalid-field", message) }
	sincePayload := func(since string) string { return subscribing(`{"workspaceId":"w","appId":"a","since":` + since + `}`) }
	sinceRefusal := strings.Replace(field(strings.NewReplacer("<", `\u003c`, ">", `\u003e`).Replace(position)),
		`"error"`, `"payload":{"workspaceId":"w","appId":"a"},"error"`, 1)

	h := open(t, nil)
	c := h.connect()
	for _, row := range [][2]string{
		{`"SUBSCRIBE"`, refusal("unmarshalling-failed", notObject)},
		{"null", refusal("unmarshalling-failed", notObject)},
		{"7", refusal("unmarshalling-failed", notObject)},
		{`[{"event":"SUBSCRIBE"}]`, refusal("unmarshalling-failed", notObject)},
		{`"` + strings.Repeat("j", 1_000_000) + `"`, refusal("unmarshalling-failed", notObject)},
		{`{"x":` + strings.Repeat("[", 9_999) + strings.Repeat("]", 9_999) + `}`, refusal("unknown-request", kinds)},

		{"{}", refusal("unknown-request", kinds)},
		{`{"event":null}`, refusal("unknown-request", kinds)},
		{`{"event":""}`, refusal("unknown-request", kinds)},
		{`{"event":"subscribe"}`, refusal("unknown-request", kinds)},
		{`{"event":"PUBLISH","payload":{"workspaceId":"w","appId":"a"}}`, refusal("unknown-request", kinds)},
		{`{"event":"` + strings.Repeat("j", 1_000_000) + `"}`, refusal("unknown-request", kinds)},
		{`{"event":1}`, refusal("unmarshalling-failed", "event must be a string, not number")},
		{`{"event":["SUBSCRIBE"]}`, refusal("unmarshalling-failed", "event must be a string, not array")},
		{`{"event":{}}`, refusal("unmarshalling-failed", "event must be a string, not object")},
		{`{"event":true}`, refusal("unmarshalling-failed", "event must be a string, not bool")},

		{`{"event":"SUBSCRIBE"}`, field("payload is required")},
		{subscribing("null"), field("payload is required")},
		{`{"event":"UNSUBSCRIBE"}`, refusalOf("UNSUBSCRIBE", "invalid-field", "payload is required")},
		{subscribing(`"x"`), refusal("unmarshalling-failed", "payload must be an object, not string")},
		{subscribing("[]"), refusal("unmarshalling-failed", "payload must be an object, not array")},
		{subscribing("1"), refusal("unmarshalling-failed", "payload must be an object, not number")},

		{subscribing("{}"), field("payload.workspaceId is required")},
		{subscribing(`{"workspaceId":null,"appId":"a"}`), field("payload.workspaceId is required")},
		{subscribing(`{"workspaceId":"","appId":"a"}`), field("payload.workspaceId is required")},
		{subscribing(`{"workspaceId":"w"}`), field("payload.appId is required")},
		{subscribing(`{"workspaceId":7,"appId":"a"}`), refusal("unmarshalling-failed", "payload.workspaceId must be a string, not number")},
		{subscribing(`{"workspaceID":7,"appId":"a"}`), refusal("unmarshalling-failed", "payload.workspaceId must be a string, not number")},
		{subscribing(`{"workspaceId":"w","appId":["a"]}`), refusal("unmarshalling-failed", "payload.appId must be a string, not array")},
		{subscribing(`{"workspaceId":"w","appId":{}}`), refusal("unmarshalling-failed", "payload.appId must be a string, not object")},
		{subscribing(`{"workspaceId":"w/x","appId":"a"}`), field("payload.workspaceId " + characters)},
		{subscribing(`{"workspaceId":"w","appId":"ä"}`), field("payload.appId " + characters)},
		{subscribing(`{"workspaceId":"w","appId":"a "}`), field("payload.appId " + characters)},
		{subscribing(`{"workspaceId":"w","appId":"a\u0000"}`), field("payload.appId " + characters)},
		{subscribing(`{"workspaceId":"w","appId":"\ud800"}`), field("payload.appId " + characters)},
		{subscribing(`{"workspaceId":"` + strings.Repeat("x", 129) + `","appId":"a"}`), field("payload.workspaceId is longer than 128 characters")},
		{subscribing(`{"workspaceId":"w","appId":"` + strings.Repeat("x", 1_000_000) + `"}`), field("payload.appId is longer than 128 characters")},

		{sincePayload("7"), refusal("unmarshalling-failed", "payload.since must be a string, not number")},
		{sincePayload(`{"epoch":"e"}`), refusal("unmarshalling-failed", "payload.since must be a string, not object")},
		{sincePayload(`"7"`), sinceRefusal},
		{sincePayload(`"e:"`), sinceRefusal},
		{sincePayload(`":7"`), sinceRefusal},
		{sincePayload(`"e:-1"`), sinceRefusal},
		{sincePayload(`"e:07"`), sinceRefusal},
		{sincePayload(`"e:99999999999999999999"`), sinceRefusal},
		{sincePayload(`"-"`), sinceRefusal},
	} {
		c.asks(3, row[0])
		c.wants(response(row[1]), `433[`+row[1]+`]`)
	}
	if h.members.Load() != 0 {
		t.Errorf("a refused request took a seat")
	}
	c.subscribe("w", "a")
}

func TestOtherEventsAreRefused(t *testing.T) {
	c := open(t, nil).connect()
	unknown := refusal("unknown-event", `the only event served is \"application\"`)
	for _, name := range []string{"", "Application", "message", "application_response", "7", strings.Repeat("n", 1_000_000)} {
		c.says(name, subscribeWA)
		c.wants(response(unknown))
	}
	c.event(session.Message{Name: "message", AckID: 5, HasAck: true})
	c.wants(response(unknown), `435[`+unknown+`]`)

	c.says("application")
	c.wants(response(refusal("unmarshalling-failed", "the first argument must be an object")))
}

func TestBinaryIsRefused(t *testing.T) {
	c := open(t, nil).connect()
	binary := refusal("binary-not-served", "binary attachments are not served")
	c.event(session.Message{Name: "application", Binary: true, AckID: 2, HasAck: true}, `{"_placeholder":true,"num":0}`)
	c.event(session.Message{Name: "application", Binary: true}, subscribeWA, `{"_placeholder":true,"num":0}`)
	c.wants(response(binary), `432[`+binary+`]`, response(binary))
}

func TestTooManyRooms(t *testing.T) {
	h := open(t, nil)
	c := h.connect()
	for n := range roomsPerMember {
		c.subscribe("w", strconv.Itoa(n))
	}
	refused := `{"status":"ERROR","event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"a"},` +
		`"error":{"code":"application/too-many-rooms","name":"Limit Error","message":"this connection has as many rooms as it may"}}`
	c.asks(4, subscribeWA)
	c.wants(response(refused), `434[`+refused+`]`)
	c.subscribe("w", "0") // it is in that one

	top := h.publish(event.Room{Workspace: "w", App: "1"})
	c.wants(`42["workspace_w_app_1",{"n":1,"position":"` + top + `"}]`)
	c.says("application", `{"event":"UNSUBSCRIBE","payload":{"workspaceId":"w","appId":"0"}}`)
	c.wants(response(`{"status":"SUCCESS","event":"UNSUBSCRIBE","payload":{"workspaceId":"w","appId":"0"},"position":"` + top + `"}`))
	c.subscribe("w", "a")
}

// gated is a store whose reads of the top wait for a token each, once it is armed.
type gated struct {
	hub.Store
	armed atomic.Bool
	pass  chan struct{}
}

func (g *gated) Top(ctx context.Context) (event.Top, error) {
	if g.armed.Load() {
		select {
		case <-g.pass:
		case <-ctx.Done():
			return event.Top{}, ctx.Err()
		}
	}
	return g.Store.Top(ctx)
}

// A client that asks faster than it is answered is refused at once, ahead of the answers
// that are due; those come in the order of the questions, none is lost.
func TestTooManyRequests(t *testing.T) {
	store := &gated{pass: make(chan struct{})}
	h := open(t, func(s hub.Store) hub.Store { store.Store = s; return store })
	top := h.publish(elsewhere)
	c := h.connect()
	store.armed.Store(true)
	c.asks(0, subscribeWA)

	refused := `{"status":"ERROR","event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"a"},` +
		`"error":{"code":"application/too-many-requests","name":"Limit Error","message":"too many requests are waiting for an answer"}}`
	var asked uint64
	eventually(t, "a refusal", func() bool {
		asked++
		c.asks(asked, subscribeWA)
		return len(c.received()) > 0
	})
	c.wants(response(refused), `43`+strconv.FormatUint(asked, 10)+`[`+refused+`]`)
	// The first is being worked on or still waits, so one more or less fits.
	if waiting := asked - 1; waiting < roomsPerMember+15 || waiting > roomsPerMember+16 {
		t.Errorf("%d requests wait", waiting)
	}

	close(store.pass)
	answer := `{"status":"SUCCESS","event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"a"},"position":"` + top + `"}`
	var want []string
	for id := range asked {
		want = append(want, response(answer), `43`+strconv.FormatUint(id, 10)+`[`+answer+`]`)
	}
	c.wants(want...)
}

// So is one whose request cannot be read: answers come in the order of the requests that
// were taken, refusals at once.
func TestRefusalsDoNotWait(t *testing.T) {
	store := &gated{pass: make(chan struct{})}
	h := open(t, func(s hub.Store) hub.Store { store.Store = s; return store })
	top := h.publish(elsewhere)
	c := h.connect()
	store.armed.Store(true)
	c.asks(1, subscribeWA)
	c.asks(2, `{"event":"SUBSCRIBE"}`)
	c.asks(3, "[]")
	required := refusalOf("SUBSCRIBE", "invalid-field", "payload is required")
	object := refusal("unmarshalling-failed", "the first argument must be an object")
	c.wants(response(required), `432[`+required+`]`, response(object), `433[`+object+`]`)
	close(store.pass)
	answer := `{"status":"SUCCESS","event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"a"},"position":"` + top + `"}`
	c.wants(response(answer), `431[`+answer+`]`)
}

// failing is a store that cannot be read, once it is away.
type failing struct {
	hub.Store
	away atomic.Bool
}

func (f *failing) Top(ctx context.Context) (event.Top, error) {
	if f.away.Load() {
		return event.Top{}, errors.New("dial tcp 10.0.0.7:6379: refused")
	}
	return f.Store.Top(ctx)
}

const unavailable = `{"status":"ERROR","event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"a"},` +
	`"error":{"code":"application/unavailable","name":"Service Unavailable Error",` +
	`"message":"the service cannot vouch for updates at the moment, try again"}}`

// The client is told to try again and gets no seat; the reason is for the log alone.
func TestUnavailable(t *testing.T) {
	store := &failing{}
	h := open(t, func(s hub.Store) hub.Store { store.Store = s; return store })
	c := h.connect()
	h.publish(roomWA)
	store.away.Store(true)
	c.asks(1, subscribeWA)
	c.wants(response(unavailable), `431[`+unavailable+`]`)
	eventually(t, "the seat is free again", func() bool { return h.members.Load() == 0 })
	if log := h.log.String(); !strings.Contains(log, "10.0.0.7") || !strings.Contains(log, "client=client-1") {
		t.Errorf("the log says %s", log)
	}
	h.publish(roomWA)
	store.away.Store(false)
	c.subscribe("w", "a")
	position := h.publish(roomWA)
	c.wants(`42["workspace_w_app_a",{"n":3,"position":"` + position + `"}]`)
}

// deaf is a store whose feed never begins: Redis is away since the start.
type deaf struct{ hub.Store }

func (deaf) Follow(ctx context.Context, _ event.Sink) error {
	<-ctx.Done()
	return nil
}

func TestUnavailableBeforeTheChannelWasHeard(t *testing.T) {
	h := open(t, func(s hub.Store) hub.Store { return deaf{s} },
		func(o *hub.Options) { o.RequestTimeout = 50 * time.Millisecond })
	c := h.connect()
	c.says("application", subscribeWA)
	c.wants(response(unavailable))
}

// Nobody is left to answer.
func TestNoAnswerAfterDisconnected(t *testing.T) {
	store := &gated{pass: make(chan struct{})}
	h := open(t, func(s hub.Store) hub.Store { store.Store = s; return store })
	h.publish(elsewhere)
	store.armed.Store(true)
	c := h.connect()
	c.says("application", subscribeWA)
	c.says("application", subscribeWA)
	c.peer.Disconnected("transport close")
	eventually(t, "the seats are free", func() bool { return h.members.Load() == 0 })
	close(store.pass)
	other := h.connect()
	other.subscribe("w", "a")
	if n := len(c.received()); n > 1 { // what was under way is broken off with one answer at most
		t.Errorf("a client that had gone was sent %q", c.received())
	}
}
