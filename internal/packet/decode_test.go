package packet_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/packet"
)

const (
	v4 = packet.V4
	v5 = packet.V5
)

// decodeCase is one text as it stands on the wire, with the Engine.IO "4" in front, so
// that rows can be read beside the protocol. Exactly one of want and reason is set.
type decodeCase struct {
	name   string
	revs   []packet.Revision // both when empty
	wire   string
	want   packet.Packet
	reason string // part of the error's text
}

func runDecode(t *testing.T, cases []decodeCase) {
	t.Helper()
	for _, c := range cases {
		if len(c.revs) == 0 {
			c.revs = []packet.Revision{v4, v5}
		}
		for _, rev := range c.revs {
			t.Run(c.name+"/v"+string('0'+rune(rev)), func(t *testing.T) { c.run(t, rev) })
		}
	}
}

func (c decodeCase) run(t *testing.T, rev packet.Revision) {
	text, ok := strings.CutPrefix(c.wire, "4")
	if !ok {
		t.Fatalf("wire text %q is no Engine.IO message", c.wire)
	}
	got, err := packet.Decode(rev, []byte(text))
	if c.reason != "" {
		if !errors.Is(err, packet.ErrMalformed) {
			t.Fatalf("%s: error %v, want ErrMalformed", c.wire, err)
		}
		if !strings.Contains(err.Error(), c.reason) {
			t.Fatalf("%s: error %q, want it to say %q", c.wire, err, c.reason)
		}
		return
	}
	if err != nil {
		t.Fatalf("%s: %v", c.wire, err)
	}
	if c.want.Namespace == "" {
		c.want.Namespace = packet.Root
	}
	if !reflect.DeepEqual(got, c.want) {
		t.Fatalf("%s:\n got %+v\nwant %+v", c.wire, got, c.want)
	}
}

var (
	onlyV4 = []packet.Revision{v4}
	onlyV5 = []packet.Revision{v5}
)

// The encoding both revisions share, one row per rule of the reference parser. Where it
// leans on JavaScript (a space or 0x1 as a count) the row says that we do not.
func TestDecodeEncodings(t *testing.T) {
	const placeholder = `{"_placeholder":true,"num":0}`
	runDecode(t, []decodeCase{
		{name: "connect", wire: `40`, want: packet.Packet{Type: packet.Connect}},
		{name: "connect with auth", revs: onlyV5, wire: `40{"token":"t"}`,
			want: packet.Packet{Type: packet.Connect, Data: []byte(`{"token":"t"}`)}},
		{name: "connect with empty auth", revs: onlyV5, wire: `40{}`,
			want: packet.Packet{Type: packet.Connect, Data: []byte(`{}`)}},
		{name: "connect namespace", wire: `40/admin,`,
			want: packet.Packet{Type: packet.Connect, Namespace: "/admin"}},
		{name: "connect namespace with auth", revs: onlyV5, wire: `40/admin,{"tok":"a"}`,
			want: packet.Packet{Type: packet.Connect, Namespace: "/admin", Data: []byte(`{"tok":"a"}`)}},
		{name: "connect namespace without comma", wire: `40/admin`,
			want: packet.Packet{Type: packet.Connect, Namespace: "/admin"}},
		{name: "connect root spelled out", wire: `40/,`, want: packet.Packet{Type: packet.Connect}},
		{name: "connect digits are an ack id", wire: `40123`,
			want: packet.Packet{Type: packet.Connect, ID: 123, HasID: true}},
		{name: "connect query kept", revs: onlyV5, wire: `40/admin?token=1,`,
			want: packet.Packet{Type: packet.Connect, Namespace: "/admin?token=1"}},
		{name: "disconnect", wire: `41`, want: packet.Packet{Type: packet.Disconnect}},
		{name: "disconnect namespace", wire: `41/admin,`,
			want: packet.Packet{Type: packet.Disconnect, Namespace: "/admin"}},
		{name: "event", wire: `42["a",1]`,
			want: packet.Packet{Type: packet.Event, Data: []byte(`["a",1]`)}},
		{name: "event namespace ack", wire: `42/admin,7["a"]`,
			want: packet.Packet{Type: packet.Event, Namespace: "/admin", ID: 7, HasID: true, Data: []byte(`["a"]`)}},
		{name: "event root spelled out", wire: `42/,["a"]`,
			want: packet.Packet{Type: packet.Event, Data: []byte(`["a"]`)}},
		{name: "event ack zero", wire: `420["a"]`,
			want: packet.Packet{Type: packet.Event, HasID: true, Data: []byte(`["a"]`)}},
		{name: "event trailing white space", wire: "42[\"a\"] \r\n\t",
			want: packet.Packet{Type: packet.Event, Data: []byte(`["a"]`)}},
		{name: "event white space inside", wire: `42[ "a" , 1 ]`,
			want: packet.Packet{Type: packet.Event, Data: []byte(`[ "a" , 1 ]`)}},
		{name: "event comma in payload only", wire: `42["a","/b,c"]`,
			want: packet.Packet{Type: packet.Event, Data: []byte(`["a","/b,c"]`)}},
		{name: "event non-ASCII", wire: `42/ä,["€😀"]`,
			want: packet.Packet{Type: packet.Event, Namespace: "/ä", Data: []byte(`["€😀"]`)}},
		{name: "ack", wire: `437["ok"]`,
			want: packet.Packet{Type: packet.Ack, ID: 7, HasID: true, Data: []byte(`["ok"]`)}},
		{name: "ack empty", wire: `431[]`,
			want: packet.Packet{Type: packet.Ack, ID: 1, HasID: true, Data: []byte(`[]`)}},
		{name: "binary event", wire: `451-["a",` + placeholder + `]`,
			want: packet.Packet{Type: packet.BinaryEvent, Attachments: 1, Data: []byte(`["a",` + placeholder + `]`)}},
		{name: "binary event namespace ack", wire: `4510-/admin,12["a"]`,
			want: packet.Packet{Type: packet.BinaryEvent, Attachments: 10, Namespace: "/admin", ID: 12, HasID: true, Data: []byte(`["a"]`)}},
		{name: "binary ack", wire: `461-0[` + placeholder + `,"z"]`,
			want: packet.Packet{Type: packet.BinaryAck, Attachments: 1, HasID: true, Data: []byte(`[` + placeholder + `,"z"]`)}},

		{name: "empty", wire: `4`, reason: "empty"},
		{name: "unknown type 7", wire: `47`, reason: `unknown type '7'`},
		{name: "unknown type letter", wire: `4a["a"]`, reason: `unknown type 'a'`},
		{name: "unknown type slash", wire: `4/`, reason: `unknown type '/'`},
		{name: "trailing junk", wire: `42["a"]x`, reason: "not one JSON value"},
		{name: "two values", wire: `42["a"]["b"]`, reason: "not one JSON value"},
		{name: "cut off", wire: `42["a"`, reason: "not one JSON value"},
		{name: "white space alone", wire: `42 `, reason: "not one JSON value"},
		{name: "NUL behind", wire: "42[\"a\"]\x00", reason: "not one JSON value"},
		{name: "vertical tab is no white space", wire: "42[\"a\"]\v", reason: "not one JSON value"},
		{name: "NaN", wire: `42["a",NaN]`, reason: "not one JSON value"},
		{name: "connect array", revs: onlyV5, wire: `40[]`, reason: "CONNECT payload is not an object"},
		{name: "connect null", revs: onlyV5, wire: `40null`, reason: "CONNECT payload is not an object"},
		{name: "connect string", revs: onlyV5, wire: `40"s"`, reason: "CONNECT payload is not an object"},
		{name: "connect true", revs: onlyV5, wire: `40true`, reason: "CONNECT payload is not an object"},
		{name: "disconnect payload", wire: `41{}`, reason: "DISCONNECT with a payload"},
		{name: "disconnect namespace payload", wire: `41/admin,"x"`, reason: "DISCONNECT with a payload"},
		{name: "connect error", wire: `44/deny,{"message":"not allowed","data":{"code":"E1","n":1}}`,
			reason: "only servers send type 4"},
		{name: "connect error bare", wire: `44`, reason: "only servers send type 4"},
		{name: "connect error string", wire: `44/deny,"nope"`, reason: "only servers send type 4"},
		{name: "ack object", wire: `437{}`, reason: "ACK payload is not an array"},
		{name: "ack without id", wire: `43["ok"]`, reason: "ACK without an id"},
		{name: "binary ack without id", wire: `461-["ok"]`, reason: "ACK without an id"},
		{name: "hex count", wire: `450x1-["a"]`, reason: "attachment count missing"},
		{name: "exponent count", wire: `451e1-["a"]`, reason: "attachment count missing"},
		{name: "space as digit of the count", wire: `45 1-["a"]`, reason: "attachment count missing"},
		{name: "fullwidth digit as count", wire: `45１-["a"]`, reason: "attachment count missing"},
	})
}

// What revision 4 has of its own.
func TestDecodeRevision4(t *testing.T) {
	runDecode(t, []decodeCase{
		{name: "query is the auth", revs: onlyV4, wire: `40/admin?token=1&x=a%2Cb,`,
			want: packet.Packet{Type: packet.Connect, Namespace: "/admin", Query: "token=1&x=a%2Cb"}},
		{name: "1.x leaves the comma out", revs: onlyV4, wire: `40/admin?nq=1`,
			want: packet.Packet{Type: packet.Connect, Namespace: "/admin", Query: "nq=1"}},
		{name: "1.x disconnect", revs: onlyV4, wire: `41/admin`,
			want: packet.Packet{Type: packet.Disconnect, Namespace: "/admin"}},
		{name: "root with query", revs: onlyV4, wire: `40/?token=1,`,
			want: packet.Packet{Type: packet.Connect, Query: "token=1"}},
		{name: "empty query", revs: onlyV4, wire: `40/admin?,`,
			want: packet.Packet{Type: packet.Connect, Namespace: "/admin"}},
		{name: "second question mark belongs to the query", revs: onlyV4, wire: `40/admin?a=?,`,
			want: packet.Packet{Type: packet.Connect, Namespace: "/admin", Query: "a=?"}},
		// Only CONNECT is split: the namespace of a later packet with a query was never
		// joined under that name, which is what the reference closes for.
		{name: "query on an event", revs: onlyV4, wire: `42/admin?token=1,["a"]`,
			want: packet.Packet{Type: packet.Event, Namespace: "/admin?token=1", Data: []byte(`["a"]`)}},
		{name: "auth payload", revs: onlyV4, wire: `40{"a":1}`, reason: "CONNECT with a payload"},
		{name: "auth payload in a namespace", revs: onlyV4, wire: `40/admin,{"a":1}`, reason: "CONNECT with a payload"},
		{name: "bare comma in the query", revs: onlyV4, wire: `40/admin?x=a,b`, reason: "not one JSON value"},
	})
}

// The protocol's known traps that concern decoding, by number. Where the state of the
// session is meant (24, 25, 31, 33, 34), the packet itself is sound and the decoder must
// not be the one to refuse it.
func TestDecodeTraps(t *testing.T) {
	runDecode(t, []decodeCase{
		{name: "24 connect again", wire: `40`, want: packet.Packet{Type: packet.Connect}},
		{name: "25 namespace never joined", wire: `42/ghost,["a"]`,
			want: packet.Packet{Type: packet.Event, Namespace: "/ghost", Data: []byte(`["a"]`)}},
		{name: "27 connect without comma", wire: `40/admin`,
			want: packet.Packet{Type: packet.Connect, Namespace: "/admin"}},
		{name: "27 all of it is the namespace", wire: `42/admin["a"]`, reason: "EVENT payload is not an array"},
		{name: "27 the namespace ends at the payload's comma", wire: `42/admin["a","b"]`, reason: "not one JSON value"},
		{name: "27 namespace without slash", wire: `42admin,["a"]`, reason: "not one JSON value"},
		{name: "28 number as name", wire: `42[1,"x"]`,
			want: packet.Packet{Type: packet.Event, Data: []byte(`[1,"x"]`)}},
		{name: "28 negative number as name", wire: `42[-1.5e3]`,
			want: packet.Packet{Type: packet.Event, Data: []byte(`[-1.5e3]`)}},
		{name: "28 empty name", wire: `42[""]`, want: packet.Packet{Type: packet.Event, Data: []byte(`[""]`)}},
		{name: "28 null as name", wire: `42[null]`, reason: "neither a string nor a number"},
		{name: "28 boolean as name", wire: `42[true]`, reason: "neither a string nor a number"},
		{name: "28 object as name", wire: `42[{}]`, reason: "neither a string nor a number"},
		{name: "28 array as name", wire: `42[["a"]]`, reason: "neither a string nor a number"},
		{name: "28 placeholder as name", wire: `451-[{"_placeholder":true,"num":0}]`, reason: "neither a string nor a number"},
		{name: "29 event without payload", wire: `42`, reason: "EVENT payload is not an array"},
		{name: "29 event with ack id without payload", wire: `4212`, reason: "EVENT payload is not an array"},
		{name: "29 ack without payload", wire: `43`, reason: "ACK payload is not an array"},
		{name: "29 ack with id without payload", wire: `431`, reason: "ACK payload is not an array"},
		{name: "29 binary event without payload", wire: `451-`, reason: "EVENT payload is not an array"},
		{name: "29 binary ack without payload", wire: `461-0`, reason: "ACK payload is not an array"},
		{name: "29 empty array", wire: `42[]`, reason: "neither a string nor a number"},
		{name: "29 empty array with white space", wire: `42[ ]`, reason: "neither a string nor a number"},
		{name: "29 object", wire: `42{}`, reason: "EVENT payload is not an array"},
		{name: "29 string", wire: `42"a"`, reason: "EVENT payload is not an array"},
		{name: "30 leading zeros", wire: `42007["a"]`,
			want: packet.Packet{Type: packet.Event, ID: 7, HasID: true, Data: []byte(`["a"]`)}},
		{name: "30 highest id", wire: `429007199254740991["a"]`,
			want: packet.Packet{Type: packet.Event, ID: 9007199254740991, HasID: true, Data: []byte(`["a"]`)}},
		{name: "30 one above", wire: `429007199254740992["a"]`, reason: "ack id above 9007199254740991"},
		{name: "30 two above", wire: `429007199254740993["a"]`, reason: "ack id above 9007199254740991"},
		{name: "30 past 64 bits", wire: `4218446744073709551617["a"]`, reason: "ack id above 9007199254740991"},
		{name: "30 thirty digits", wire: `42` + strings.Repeat("9", 30) + `["a"]`, reason: "ack id above"},
		{name: "30 three hundred and ten digits", wire: `42` + strings.Repeat("9", 310) + `["a"]`, reason: "ack id above"},
		{name: "30 negative id", wire: `42-1["a"]`, reason: "not one JSON value"},
		{name: "30 fractional id", wire: `421.5["a"]`, reason: "not one JSON value"},
		{name: "30 signed id", wire: `42+1["a"]`, reason: "not one JSON value"},
		{name: "31 ack nobody asked for", wire: `4399["late"]`,
			want: packet.Packet{Type: packet.Ack, ID: 99, HasID: true, Data: []byte(`["late"]`)}},
		{name: "32 count zero", wire: `450-["a"]`, reason: "attachment count must be 1 to 10"},
		{name: "32 count missing", wire: `45-["a"]`, reason: "attachment count missing"},
		{name: "32 count and dash missing", wire: `45["a"]`, reason: "attachment count missing"},
		{name: "32 dash missing", wire: `451["a"]`, reason: "attachment count missing"},
		{name: "32 nothing but the count", wire: `451`, reason: "attachment count missing"},
		{name: "32 nothing at all", wire: `45`, reason: "attachment count missing"},
		{name: "32 count fractional", wire: `451.5-["a"]`, reason: "attachment count missing"},
		{name: "32 count negative", wire: `45-1-["a"]`, reason: "attachment count missing"},
		{name: "32 ten", wire: `4510-["a"]`,
			want: packet.Packet{Type: packet.BinaryEvent, Attachments: 10, Data: []byte(`["a"]`)}},
		{name: "32 eleven", wire: `4511-["a"]`, reason: "attachment count must be 1 to 10"},
		{name: "32 a count that ended processes", wire: `45999999999999999999-["nosuch",{}]`, reason: "attachment count must be 1 to 10"},
		{name: "32 a count that wraps to one", wire: `4518446744073709551617-["a"]`, reason: "attachment count must be 1 to 10"},
		{name: "32 a count in acks", wire: `4611-0[]`, reason: "attachment count must be 1 to 10"},
		{name: "32 a count in an event", wire: `421-["a"]`, reason: "not one JSON value"},
		{name: "33 text while attachments are due", wire: `42["a"]`,
			want: packet.Packet{Type: packet.Event, Data: []byte(`["a"]`)}},
		{name: "34 announced and unused", wire: `452-["a"]`,
			want: packet.Packet{Type: packet.BinaryEvent, Attachments: 2, Data: []byte(`["a"]`)}},
	})
}

// The names that Node's emitter uses itself, also when escaped, and
// the names that look reserved and are not.
func TestDecodeReservedNames(t *testing.T) {
	var cases []decodeCase
	for _, name := range []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"} {
		reason := `reserved event name "` + name + `"`
		cases = append(cases,
			decodeCase{name: name, wire: `42["` + name + `"]`, reason: reason},
			decodeCase{name: name + " binary", wire: `451-/admin,3["` + name + `",1]`, reason: reason},
			decodeCase{name: name + " escaped", wire: `42[ "\u00` + hex(name[0]) + name[1:] + `"]`, reason: reason})
	}
	for _, name := range []string{"error", "connection", "new_namespace", "message", "Connect", "connect ", "connect\\u0000", `\"connect\"`} {
		data := `["` + name + `"]`
		cases = append(cases, decodeCase{name: name, wire: `42` + data,
			want: packet.Packet{Type: packet.Event, Data: []byte(data)}})
	}
	runDecode(t, append(cases, decodeCase{name: "as an argument", wire: `42["a","connect"]`,
		want: packet.Packet{Type: packet.Event, Data: []byte(`["a","connect"]`)}}))
}

func hex(c byte) string { return string("0123456789abcdef"[c>>4]) + string("0123456789abcdef"[c&15]) }

// Namespaces carry tokens in revision 4; the bound counts name and query together.
func TestDecodeNamespaceLength(t *testing.T) {
	longest := "/" + strings.Repeat("n", packet.MaxNamespace-1)
	query := strings.Repeat("q", packet.MaxNamespace-len("/a?"))
	runDecode(t, []decodeCase{
		{name: "longest", wire: `41` + longest + `,`, want: packet.Packet{Type: packet.Disconnect, Namespace: longest}},
		{name: "longest without comma", wire: `41` + longest, want: packet.Packet{Type: packet.Disconnect, Namespace: longest}},
		{name: "longest query", revs: onlyV4, wire: `40/a?` + query, want: packet.Packet{Type: packet.Connect, Namespace: "/a", Query: query}},
		{name: "too long", wire: `41` + longest + `n,`, reason: "namespace longer than 8192 bytes"},
		{name: "too long without comma", wire: `41` + longest + `n`, reason: "namespace longer than 8192 bytes"},
		{name: "too long query", revs: onlyV4, wire: `40/a?` + query + `q,`, reason: "namespace longer than 8192 bytes"},
	})
}

// JSON nested without end is cheap to send and has overflowed recursive parsers.
func TestDecodeHostileSizes(t *testing.T) {
	const megabyte = 1_000_000
	runDecode(t, []decodeCase{
		{name: "100k open brackets", wire: `42` + strings.Repeat("[", 100_000), reason: "not one JSON value"},
		{name: "100k nested arrays", wire: `42` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000), reason: "not one JSON value"},
		{name: "100k nested objects", revs: onlyV5, wire: `40` + strings.Repeat(`{"":`, 100_000) + `1` + strings.Repeat("}", 100_000), reason: "not one JSON value"},
		{name: "a megabyte of brackets", wire: `42` + strings.Repeat("[", megabyte), reason: "not one JSON value"},
		{name: "a megabyte of ack id", wire: `42` + strings.Repeat("1", megabyte), reason: "ack id above"},
		{name: "a megabyte of zeros", wire: `43` + strings.Repeat("0", megabyte) + `[]`,
			want: packet.Packet{Type: packet.Ack, HasID: true, Data: []byte(`[]`)}},
		{name: "a megabyte of count", wire: `45` + strings.Repeat("1", megabyte), reason: "attachment count missing"},
		{name: "a megabyte of namespace", wire: `42/` + strings.Repeat("n", megabyte), reason: "namespace longer than"},
		{name: "a megabyte of unclosed name", wire: `42["` + strings.Repeat(`\"`, megabyte/2), reason: "not one JSON value"},
	})
}

// Data aliases the text: what is decoded must not be copied on the way in.
func TestDecodeDoesNotCopyPayload(t *testing.T) {
	text := []byte(`2["a"]`)
	p, err := packet.Decode(v5, text)
	if err != nil {
		t.Fatal(err)
	}
	if &p.Data[0] != &text[1] {
		t.Error("Data is a copy of the text")
	}
}

func FuzzDecode(f *testing.F) {
	for _, wire := range []string{
		`0`, `0{"token":"t"}`, `0/admin?token=1&x=a%2Cb,`, `0/admin`, `0123`, `1`, `1/admin,`, `2["a",1]`,
		`2/admin,7["a"]`, `2/,["a"]`, "2[\"a\"]\n", `2007[1]`, `29007199254740993["a"]`, `2["\u0063onnect"]`,
		`37["ok"]`, `31[]`, `4/deny,"nope"`, `51-["a",{"_placeholder":true,"num":0}]`, `61-0[]`,
		`599999999999999999999-["nosuch",{}]`, `2/admin["a"]`, `2[null]`, `2`, ``, `7`, "2[\"\xff\"]",
	} {
		f.Add(false, []byte(wire))
		f.Add(true, []byte(wire))
	}
	f.Fuzz(func(t *testing.T, old bool, text []byte) {
		rev := v5
		if old {
			rev = v4
		}
		first, err := packet.Decode(rev, text)
		if err != nil {
			if !errors.Is(err, packet.ErrMalformed) {
				t.Fatalf("error %v is not ErrMalformed", err)
			}
			return
		}
		checkBounds(t, first)
		// A client's CONNECT carries its query in the namespace; servers never write one.
		again := first
		if first.Query != "" {
			again.Namespace += "?" + first.Query
		}
		wire := packet.Append(nil, again)
		second, err := packet.Decode(rev, wire)
		if err != nil {
			t.Fatalf("%q encoded again as %q: %v", text, wire, err)
		}
		if !reflect.DeepEqual(first, second) {
			t.Fatalf("%q\n first %+v\nsecond %+v", text, first, second)
		}
	})
}

// checkBounds holds an accepted packet against what its receivers rely on.
func checkBounds(t *testing.T, p packet.Packet) {
	t.Helper()
	binary := p.Type == packet.BinaryEvent || p.Type == packet.BinaryAck
	switch {
	case p.Type == packet.Error || p.Type > packet.BinaryAck:
		t.Fatalf("type %d accepted", p.Type)
	case p.ID > 1<<53-1 || p.ID != 0 && !p.HasID:
		t.Fatalf("ack id %d", p.ID)
	case binary && (p.Attachments < 1 || p.Attachments > 10) || !binary && p.Attachments != 0:
		t.Fatalf("type %d with %d attachments", p.Type, p.Attachments)
	case p.Namespace == "" || p.Namespace[0] != '/':
		t.Fatalf("namespace %q", p.Namespace)
	}
	if p.Type == packet.Event || p.Type == packet.BinaryEvent {
		if _, _, err := p.Arguments(); err != nil {
			t.Fatalf("accepted event %q has no arguments: %v", p.Data, err)
		}
	}
}
