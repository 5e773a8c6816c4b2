package harness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// maxFrame bounds what Read takes, in bytes; no test makes the server send more at once.
const maxFrame = 16 << 20

// Raw is a websocket in the hands of a test, for what no official client would do. It
// bounds every read by Patience.
type Raw struct {
	Connection net.Conn
	reader     io.Reader
}

// DialRaw opens a websocket to /socket.io/ in an Engine.IO revision, 3 or 4, and reads up
// to the joined root namespace.
func DialRaw(t testing.TB, s *Server, revision string) *Raw {
	t.Helper()
	raw := open(t, s, Knock{Revision: revision}, nil)
	raw.AwaitText(t, "40")
	return raw
}

// Knock is how a websocket asks to be let in.
type Knock struct {
	Revision string // of Engine.IO, 3 or 4
	Query    string // further parameters, each with & before it
	Header   http.Header
	Payload  string // of CONNECT, in revision 4
}

// Enter opens a websocket and returns the packet that CONNECT is answered with: of the root
// namespace joined, or of the refusal.
func Enter(t testing.TB, s *Server, knock Knock) (raw *Raw, answer string) {
	t.Helper()
	raw = open(t, s, knock, nil)
	return raw, raw.AwaitText(t, "4")
}

// DialNarrow is DialRaw with the smallest receive buffer the kernel gives: whoever stops
// reading here is soon felt by the server.
func DialNarrow(t testing.TB, s *Server, revision string) *Raw {
	t.Helper()
	raw := open(t, s, Knock{Revision: revision}, narrow)
	raw.AwaitText(t, "40")
	return raw
}

// EnterNarrow is DialNarrow for who has to show a token.
func EnterNarrow(t testing.TB, s *Server, knock Knock) *Raw {
	t.Helper()
	raw := open(t, s, knock, narrow)
	raw.AwaitText(t, "40")
	return raw
}

func narrow(_, _ string, socket syscall.RawConn) error {
	var failure error
	err := socket.Control(func(fd uintptr) {
		failure = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1)
	})
	if err != nil {
		return err
	}
	return failure
}

// open sends CONNECT, where a revision has one, and reads nothing.
func open(t testing.TB, s *Server, knock Knock, control func(string, string, syscall.RawConn) error) *Raw {
	t.Helper()
	dialer := ws.Dialer{Header: ws.HandshakeHeaderHTTP(knock.Header), NetDial: func(ctx context.Context, network, address string) (net.Conn, error) {
		d := net.Dialer{Control: control}
		return d.DialContext(ctx, network, address)
	}}
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	connection, early, _, err := dialer.Dial(ctx, "ws://"+s.Address+"/socket.io/?transport=websocket&EIO="+knock.Revision+knock.Query)
	if err != nil {
		t.Fatalf("opening a websocket to instance %s: %v", s.ID, err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	raw := &Raw{Connection: connection, reader: connection}
	if early != nil { // the open packet came with the handshake's answer
		raw.reader = io.MultiReader(io.LimitReader(early, int64(early.Buffered())), connection)
	}
	if knock.Revision == "4" {
		raw.Send(t, ws.OpText, "40"+knock.Payload)
	}
	return raw
}

// Send writes one frame.
func (r *Raw) Send(t testing.TB, kind ws.OpCode, payload string) {
	t.Helper()
	frame := ws.MaskFrameInPlace(ws.NewFrame(kind, true, []byte(payload)))
	if err := ws.WriteFrame(r.Connection, frame); err != nil {
		t.Fatalf("writing a frame: %v", err)
	}
}

// Subscribe joins a room and reads up to the answer.
func (r *Raw) Subscribe(t testing.TB, room Room) {
	t.Helper()
	r.Send(t, ws.OpText, fmt.Sprintf(`42["application",{"event":"SUBSCRIBE","payload":{"workspaceId":%q,"appId":%q}}]`, room.Workspace, room.App))
	r.AwaitText(t, `42["application_response",{"status":"SUCCESS"`)
}

// AwaitText reads up to a text frame with the prefix and returns it.
func (r *Raw) AwaitText(t testing.TB, prefix string) string {
	t.Helper()
	for {
		frame, err := r.Read()
		if err != nil {
			t.Fatalf("waiting for a frame that begins with %q: %v", prefix, err)
		}
		if text := string(frame.Payload); frame.Header.OpCode == ws.OpText && strings.HasPrefix(text, prefix) {
			return text
		}
	}
}

// Read reads one frame.
func (r *Raw) Read() (ws.Frame, error) {
	if err := r.Connection.SetReadDeadline(time.Now().Add(Patience)); err != nil {
		return ws.Frame{}, err
	}
	header, err := ws.ReadHeader(r.reader)
	if err != nil {
		return ws.Frame{}, err
	}
	if header.Length > maxFrame {
		return ws.Frame{}, fmt.Errorf("a frame of %d bytes", header.Length)
	}
	frame := ws.Frame{Header: header, Payload: make([]byte, header.Length)}
	_, err = io.ReadFull(r.reader, frame.Payload)
	return frame, err
}

// AwaitEnd reads until the server ends the connection. A silent server fails the test.
func (r *Raw) AwaitEnd(t testing.TB) {
	t.Helper()
	if err := r.Connection.SetReadDeadline(time.Now().Add(Patience)); err != nil {
		t.Fatal(err)
	}
	_, err := io.Copy(io.Discard, r.reader)
	var failure net.Error
	if errors.As(err, &failure) && failure.Timeout() {
		t.Errorf("the server did not end the connection within %s", Patience)
	}
}

// Exchange writes bytes to a fresh TCP connection and returns the status line of what
// comes back, empty if the server only closes.
func Exchange(t testing.TB, s *Server, request string) string {
	t.Helper()
	connection, err := net.DialTimeout("tcp", s.Address, Patience)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(Patience)); err != nil {
		t.Fatal(err)
	}
	// The server may answer and close before it has read all.
	_, _ = io.WriteString(connection, request)
	line, _ := bufio.NewReader(connection).ReadString('\n')
	return strings.TrimSpace(line)
}
