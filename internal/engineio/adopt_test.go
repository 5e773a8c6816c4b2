package engineio

import (
	"net"
	"testing"
)

// A connection that was closed has no descriptor. Taken for number 0, the next frame would go
// to whatever the process has open there.
func TestAClosedConnectionIsNotWrittenToAsDescriptor0(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	s := &socket{conn: conn}
	s.adopt(conn.(*net.TCPConn))
	if n, err := s.writeNow([]byte("x")); n != 0 || s.raw != nil {
		t.Errorf("%d bytes written, %v, to descriptor %d", n, err, s.descriptor)
	}
}
