package packet_test

import (
	"reflect"
	"testing"

	"github.com/roomcast/roomcast/internal/packet"
)

// What servers write, in both revisions.
func TestAppend(t *testing.T) {
	for _, c := range []struct {
		want string
		p    packet.Packet
	}{
		{`0`, packet.Packet{}},
		{`0{"sid":"66dXU2YqgJqyx-F8AAAA"}`, packet.Packet{Namespace: "/", Data: []byte(`{"sid":"66dXU2YqgJqyx-F8AAAA"}`)}},
		{`0/admin,`, packet.Packet{Namespace: "/admin"}},
		{`0/admin,{"sid":"x"}`, packet.Packet{Namespace: "/admin", Data: []byte(`{"sid":"x"}`)}},
		// The answer to a revision-4 CONNECT bears the bare name.
		{`0/admin,`, packet.Packet{Namespace: "/admin", Query: "token=1"}},
		{`1`, packet.Packet{Type: packet.Disconnect}},
		{`1/admin,`, packet.Packet{Type: packet.Disconnect, Namespace: "/admin"}},
		{`2["a",1]`, packet.Packet{Type: packet.Event, Data: []byte(`["a",1]`)}},
		{`2/admin,7["a"]`, packet.Packet{Type: packet.Event, Namespace: "/admin", ID: 7, HasID: true, Data: []byte(`["a"]`)}},
		{`2["a"]`, packet.Packet{Type: packet.Event, ID: 7, Data: []byte(`["a"]`)}}, // HasID decides
		{`30[]`, packet.Packet{Type: packet.Ack, HasID: true, Data: []byte(`[]`)}},
		{`37["ok"]`, packet.Packet{Type: packet.Ack, ID: 7, HasID: true, Data: []byte(`["ok"]`)}},
		{`39007199254740991[]`, packet.Packet{Type: packet.Ack, ID: packet.MaxID, HasID: true, Data: []byte(`[]`)}},
		{`4/deny,{"message":"not allowed"}`, packet.Packet{Type: packet.Error, Namespace: "/deny", Data: []byte(`{"message":"not allowed"}`)}},
		{`4/nope,"Invalid namespace"`, packet.Packet{Type: packet.Error, Namespace: "/nope", Data: []byte(`"Invalid namespace"`)}},
		{`51-["a",{"_placeholder":true,"num":0}]`, packet.Packet{Type: packet.BinaryEvent, Attachments: 1, Data: []byte(`["a",{"_placeholder":true,"num":0}]`)}},
		{`510-/admin,12["a"]`, packet.Packet{Type: packet.BinaryEvent, Attachments: 10, Namespace: "/admin", ID: 12, HasID: true, Data: []byte(`["a"]`)}},
		{`61-0[{"_placeholder":true,"num":0},"z"]`, packet.Packet{Type: packet.BinaryAck, Attachments: 1, HasID: true, Data: []byte(`[{"_placeholder":true,"num":0},"z"]`)}},
	} {
		if got := string(packet.Append(nil, c.p)); got != c.want {
			t.Errorf("%+v:\n got %s\nwant %s", c.p, got, c.want)
		}
		if got := string(packet.Append([]byte("4"), c.p)); got != "4"+c.want {
			t.Errorf("%+v behind a prefix: %s", c.p, got)
		}
	}
}

// What was appended comes back from Decode as it was, for every kind a client may send.
func TestAppendDecode(t *testing.T) {
	for _, namespace := range []string{"/", "/admin", "/ä?b", "/a/b c"} {
		for _, id := range []uint64{0, 1, 7, 1000, packet.MaxID} {
			for _, p := range []packet.Packet{
				{Type: packet.Connect},
				{Type: packet.Connect, Data: []byte(`{"token":"a,b/c"}`)},
				{Type: packet.Disconnect},
				{Type: packet.Event, Data: []byte(`["a","/b,1-",{"x":[1.50,"€\ud800"]}]`)},
				{Type: packet.Event, HasID: true, ID: id, Data: []byte(`[-1]`)},
				{Type: packet.Ack, HasID: true, ID: id, Data: []byte(`[]`)},
				{Type: packet.BinaryEvent, Attachments: 1, Data: []byte(`["a"]`)},
				{Type: packet.BinaryEvent, Attachments: 10, HasID: true, ID: id, Data: []byte(`["a"]`)},
				{Type: packet.BinaryAck, Attachments: 2, HasID: true, ID: id, Data: []byte(`[1]`)},
			} {
				p.Namespace = namespace
				wire := packet.Append(nil, p)
				got, err := packet.Decode(v5, wire)
				if err != nil {
					t.Errorf("%s: %v", wire, err)
				} else if !reflect.DeepEqual(got, p) {
					t.Errorf("%s:\n got %+v\nwant %+v", wire, got, p)
				}
			}
		}
	}
}
