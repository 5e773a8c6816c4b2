package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/event"
	"github.com/roomcast/roomcast/internal/hub"
	"github.com/roomcast/roomcast/internal/rest"
)

// under sends a request with an Idempotency-Key for each of keys.
func (f *fixture) under(method, path, body string, keys ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("X-Request-Id", requestID)
	r.Header.Set("Content-Type", jsonType)
	r.Header["Idempotency-Key"] = keys
	return f.do(r)
}

func (f *fixture) put(body string, keys ...string) *httptest.ResponseRecorder {
	return f.under("PUT", "/api/v1/apps/", body, keys...)
}

func (f *fixture) post(body string, keys ...string) *httptest.ResponseRecorder {
	return f.under("POST", updatesURL, body, keys...)
}

// replayed checks whether an answer says that it is one given before.
func replayed(t *testing.T, w *httptest.ResponseRecorder, want ...string) {
	t.Helper()
	if got := w.Header().Values("Idempotency-Replayed"); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("Idempotency-Replayed is %q, want %q", got, want)
	}
}

// Instances of different versions must agree on the id of a key.
const (
	orderKey = "order-7f3a"
	orderID  = "3OLFP6YXS22NSJZCZSWQSNOROI"
)

func TestTheSameKeyAnswersAgain(t *testing.T) {
	const (
		appAnswer    = `{"status":"SUCCESS","data":{"displayName":"B","workspaceId":"w","appId":"a"},"error":null}`
		updateAnswer = `{"id":"` + orderID + `","position":"e1:42"}`
	)
	for name, test := range map[string]struct {
		method, path, first, again string
		status                     int
		answer                     string
	}{
		"PUT": {"PUT", "/api/v1/apps/", appBody, appBody, 200, appAnswer},
		"PUT in other words": {"PUT", "/api/v1/apps/", appBody,
			"{\"userId\": \"\",\n\"displayName\" : \"B\", \"position\":\"e:1\", \"id\":\"x\", \"appId\":\"\\u0061\",\"workspaceId\":\"w\"}", 200, appAnswer},
		"POST": {"POST", updatesURL, updateBody, updateBody, 201, updateAnswer},
		"POST in other words": {"POST", updatesURL, `{"event":"e","userId":"u"}`,
			"{ \"data\" : { },\t\"userId\":\"u\", \"event\":\"e\" }\n", 201, updateAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			w := f.under(test.method, test.path, test.first, orderKey)
			check(t, w, test.status, jsonType, test.answer)
			replayed(t, w)
			for range 2 {
				w = f.under(test.method, test.path, test.again, orderKey)
				check(t, w, test.status, jsonType, test.answer)
				replayed(t, w, "true")
			}
			if n := len(f.channel.published()); n != 1 {
				t.Errorf("%d publications, want the first alone", n)
			}
			if want := "published accepted; "; !strings.HasPrefix(f.ledger.text(), want) || strings.Count(f.ledger.text(), "published duplicate; ") != 2 {
				t.Errorf("counted %s", f.ledger.text())
			}
		})
	}
}

// The spelling of the path is not the caller's request.
func TestTheSameKeyAnswersAgainUnderOtherSpellingsOfThePath(t *testing.T) {
	f := newFixture()
	replayed(t, f.under("PUT", "/api/v1/apps/", appBody, orderKey))
	replayed(t, f.under("PUT", "/api/v1/apps", appBody, orderKey), "true")
	f = newFixture()
	replayed(t, f.under("POST", updatesURL, updateBody, orderKey))
	replayed(t, f.under("POST", "/api/v1/workspaces/%77/apps/a/updates", updateBody, orderKey), "true")
}

func TestTheSameKeyForAnotherUpdateIsRefused(t *testing.T) {
	const detail = "Idempotency-Key was used for another update, this one needs a key of its own"
	envelope := `{"status":"ERROR","data":null,"error":{"code":"app/idempotency-key-reused","name":"Unprocessable Entity Error","message":"` + detail + `"}}`
	problem := problem("idempotency-key-reused", "The idempotency key was used before", 422, detail, "")
	const (
		put, post = "PUT /api/v1/apps/", "POST " + updatesURL
		object    = `{"id":"a","displayName":"B","workspaceID":"w"}`
	)
	for name, test := range map[string]struct{ first, firstBody, second, secondBody string }{
		"PUT of another name":         {put, appBody, put, `{"workspaceId":"w","appId":"a","displayName":"C"}`},
		"PUT of one more field":       {put, appBody, put, `{"workspaceId":"w","appId":"a","displayName":"B","n":1}`},
		"PUT by a user":               {put, appBody, put, `{"workspaceId":"w","appId":"a","displayName":"B","userId":"u"}`},
		"PUT of another app":          {put, appBody, put, `{"workspaceId":"w","appId":"b","displayName":"B"}`},
		"PUT of another workspace":    {put, appBody, put, `{"workspaceId":"v","appId":"a","displayName":"B"}`},
		"PUT in another order":        {put, `{"workspaceId":"w","appId":"a","displayName":"B","n":1,"m":2}`, put, `{"workspaceId":"w","appId":"a","displayName":"B","m":2,"n":1}`},
		"PUT of the same number":      {put, `{"workspaceId":"w","appId":"a","displayName":"B","n":1}`, put, `{"workspaceId":"w","appId":"a","displayName":"B","n":1.0}`},
		"PUT of the same text":        {put, appBody, put, `{"workspaceId":"w","appId":"a","displayName":"\u0042"}`},
		"POST of another event":       {post, `{"event":"e"}`, post, `{"event":"f"}`},
		"POST of other data":          {post, `{"event":"e"}`, post, `{"event":"e","data":null}`},
		"POST in another order":       {post, `{"event":"e","data":{"n":1,"m":2}}`, post, `{"event":"e","data":{"m":2,"n":1}}`},
		"POST to another app":         {post, `{"event":"e"}`, "POST /api/v1/workspaces/w/apps/b/updates", `{"event":"e"}`},
		"POST to another workspace":   {post, `{"event":"e"}`, "POST /api/v1/workspaces/v/apps/a/updates", `{"event":"e"}`},
		"POST to a room alike":        {"POST /api/v1/workspaces/a_app_b/apps/c/updates", `{"event":"e"}`, "POST /api/v1/workspaces/a/apps/b_app_c/updates", `{"event":"e"}`},
		"POST of what a PUT delivers": {put, appBody, post, `{"event":"UPDATE_APP","data":` + object + `}`},
		"PUT of what a POST delivers": {post, `{"event":"UPDATE_APP","data":` + object + `}`, put, appBody},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			send := func(request, body string) *httptest.ResponseRecorder {
				method, path, _ := strings.Cut(request, " ")
				return f.under(method, path, body, orderKey)
			}
			if w := send(test.first, test.firstBody); w.Code >= 300 {
				t.Fatalf("the first was answered %d: %s", w.Code, w.Body)
			}
			w := send(test.second, test.secondBody)
			if strings.HasPrefix(test.second, "PUT") {
				check(t, w, 422, jsonType, envelope)
			} else {
				check(t, w, 422, problemType, problem)
			}
			replayed(t, w)
			if n := len(f.channel.published()); n != 1 {
				t.Errorf("%d publications, want the first alone", n)
			}
			if !strings.Contains(f.ledger.text(), "; published reused; ") {
				t.Errorf("counted %s", f.ledger.text())
			}
			replayed(t, send(test.first, test.firstBody), "true") // the first has not lost its place
		})
	}
}

func TestKeysInTheirForms(t *testing.T) {
	longest := strings.Repeat("~", 255)
	for name, test := range map[string]struct{ first, again string }{
		"bare, then quoted":       {"8e03978e-40d5-43dd-bc93-6894a57f9324", `"8e03978e-40d5-43dd-bc93-6894a57f9324"`},
		"quoted, then bare":       {`"k"`, "k"},
		"quotes within":           {`a"b"`, `"a\"b\""`},
		"quotes around":           {`"\"k\""`, `"\"k\""`},
		"backslashes":             {`a\b\\`, `"a\\b\\\\"`},
		"every character":         {`!#$%&'()*+,-./0123456789:;<=>?@AZ[]^_` + "`" + `az{|}~`, `"!#$%&'()*+,-./0123456789:;<=>?@AZ[]^_` + "`" + `az{|}~"`},
		"the longest":             {longest, `"` + longest + `"`},
		"the longest, all quoted": {"x" + strings.Repeat(`"`, 254), `"x` + strings.Repeat(`\"`, 254) + `"`},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			first := f.post(updateBody, test.first)
			replayed(t, first)
			again := f.post(updateBody, test.again)
			check(t, again, 201, jsonType, strings.TrimSuffix(first.Body.String(), "\n"))
			replayed(t, again, "true")
		})
	}
}

// Keys that differ in anything are different keys, and all ids have one form, which is
// safe wherever a store puts it.
func TestKeysAreToldApart(t *testing.T) {
	f := newFixture()
	keys := []string{"k", "K", "k\\", "k,k", "kk", `"\"k\""`, strings.Repeat("k", 254), strings.Repeat("k", 255)}
	ids := make(map[string]bool)
	for _, key := range keys {
		replayed(t, f.post(updateBody, key))
	}
	for _, publication := range f.channel.published() {
		ids[publication.ID] = true
		for what, text := range map[string]string{"id": publication.ID, "fingerprint": publication.Fingerprint} {
			if len(text) != 26 || strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
				t.Errorf("%s %q, want 26 characters of A-Z and 2-7", what, text)
			}
		}
	}
	if len(ids) != len(keys) {
		t.Errorf("%d ids of %d keys", len(ids), len(keys))
	}
}

func TestBadKeysAreRefused(t *testing.T) {
	const (
		empty      = "Idempotency-Key must not be empty"
		characters = "Idempotency-Key may hold only visible ASCII characters"
		quoting    = "Idempotency-Key begins with a quotation mark and is no quoted string"
		long       = "Idempotency-Key is longer than 255 characters"
		repeated   = "Idempotency-Key is sent more than once"
	)
	for name, test := range map[string]struct {
		detail string
		keys   []string
	}{
		"empty":                   {empty, []string{""}},
		"empty, quoted":           {empty, []string{`""`}},
		"a space":                 {characters, []string{"a b"}},
		"a space, quoted":         {characters, []string{`"a b"`}},
		"joined by an agent":      {characters, []string{"a, b"}},
		"a tab":                   {characters, []string{"a\tb"}},
		"DEL":                     {characters, []string{"a\x7f"}},
		"not ASCII":               {characters, []string{"ключ"}},
		"not ASCII and long":      {characters, []string{strings.Repeat("ü", 200)}},
		"not ASCII, quoted":       {characters, []string{`"ключ"`}},
		"long":                    {long, []string{strings.Repeat("x", 256)}},
		"long, quoted":            {long, []string{`"` + strings.Repeat("x", 256) + `"`}},
		"one quote":               {quoting, []string{`"`}},
		"no end":                  {quoting, []string{`"abc`}},
		"no end, but an escape":   {quoting, []string{`"abc\"`}},
		"an escape of nothing":    {quoting, []string{`"abc\`}},
		"an escape of a letter":   {quoting, []string{`"a\bc"`}},
		"something after the end": {quoting, []string{`"abc"d`}},
		"a parameter":             {quoting, []string{`"abc";v=1`}},
		"a list":                  {quoting, []string{`"abc","def"`}},
		"twice":                   {repeated, []string{"a", "b"}},
		"twice the same":          {repeated, []string{"a", "a"}},
		"empty and not":           {repeated, []string{"", "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			check(t, f.put(appBody, test.keys...), 400, jsonType,
				`{"status":"ERROR","data":null,"error":{"code":"app/invalid-field","name":"Bad Request Error","message":"`+test.detail+`"}}`)
			check(t, f.post(updateBody, test.keys...), 400, problemType,
				problem("invalid-field", "A field is missing or invalid", 400, test.detail,
					`[{"header":"Idempotency-Key","detail":"`+test.detail+`"}]`))
			if n := len(f.channel.published()); n != 0 {
				t.Errorf("%d publications under a refused key", n)
			}
		})
	}
}

// What is asked of the store. Callers find out late that they have no answer; this
// server's own retries are quick.
func TestPublicationsUnderAKey(t *testing.T) {
	for name, test := range map[string]struct {
		send        func(*fixture, ...string) *httptest.ResponseRecorder
		fingerprint string
	}{
		"PUT":  {func(f *fixture, keys ...string) *httptest.ResponseRecorder { return f.put(appBody, keys...) }, "KBG5NIUSARUXNMZO4I4M2H5TBM"},
		"POST": {func(f *fixture, keys ...string) *httptest.ResponseRecorder { return f.post(updateBody, keys...) }, "YPN3TEDRKHFUVEKWPGNFTD7LMA"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			for _, keys := range [][]string{{orderKey}, nil, nil} {
				if w := test.send(f, keys...); w.Code >= 300 {
					t.Fatalf("keys %q: status %d: %s", keys, w.Code, w.Body)
				}
			}
			keyed, one, other := f.channel.published()[0], f.channel.published()[1], f.channel.published()[2]
			if keyed.ID != orderID || keyed.Fingerprint != test.fingerprint || keyed.Remember != 10*time.Minute {
				t.Errorf("under a key: id %s, fingerprint %s, remembered for %s", keyed.ID, keyed.Fingerprint, keyed.Remember)
			}
			if one.ID == other.ID || one.Fingerprint != "" || one.Remember != time.Minute {
				t.Errorf("without: ids %s and %s, fingerprint %q, remembered for %s", one.ID, other.ID, one.Fingerprint, one.Remember)
			}
		})
	}
}

// losing answers the first publication as a store does whose answer got lost: it happened.
type losing struct {
	rest.Publisher
	lost bool
}

func (l *losing) Publish(ctx context.Context, p event.Publication) (event.Receipt, error) {
	receipt, err := l.Publisher.Publish(ctx, p)
	if !l.lost {
		l.lost = true
		return event.Receipt{}, hub.ErrUnavailable
	}
	return receipt, err
}

func TestRepeatingAfter503IsSafe(t *testing.T) {
	f := newFixture(func(o *rest.Options) { o.Hub = &losing{Publisher: o.Hub} })
	if w := f.post(updateBody, orderKey); w.Code != http.StatusServiceUnavailable {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	w := f.post(updateBody, orderKey)
	check(t, w, 201, jsonType, `{"id":"`+orderID+`","position":"e1:42"}`)
	replayed(t, w, "true")
	if n := len(f.channel.published()); n != 1 {
		t.Errorf("%d publications, want one", n)
	}
}

// What was refused has used no key, so a corrected request may come under the same one.
func TestRefusedRequestsUseNoKey(t *testing.T) {
	f := newFixture()
	if w := f.post(`{"evnt":"e"}`, orderKey); w.Code != http.StatusBadRequest {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	w := f.post(updateBody, orderKey)
	check(t, w, 201, jsonType, `{"id":"`+orderID+`","position":"e1:42"}`)
	replayed(t, w)
}

// met answers every publication as a store does that has met its id before.
type met struct {
	rest.Publisher
	err error
}

func (m met) Publish(context.Context, event.Publication) (event.Receipt, error) {
	return event.Receipt{Position: event.Position{Epoch: "e1", Sequence: 7}, Duplicate: true}, m.err
}

// Without a key it was this server that met its own id, by trying twice.
func TestWithoutAKeyNothingIsReplayed(t *testing.T) {
	f := newFixture(func(o *rest.Options) { o.Hub = met{} })
	for _, w := range []*httptest.ResponseRecorder{f.put(appBody), f.post(updateBody)} {
		if w.Code >= 300 {
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
		replayed(t, w)
	}
	f = newFixture(func(o *rest.Options) { o.Hub = met{err: event.ErrIDReused} })
	check(t, f.post(updateBody), 500, problemType, problem("internal", "Internal error", 500,
		"something went wrong here; the log has it under this request's id", ""))
	if !strings.HasSuffix(f.ledger.text(), "published failed; POST /api/v1/workspaces/{workspaceId}/apps/{appId}/updates 500") {
		t.Errorf("counted %s", f.ledger.text())
	}
}
