package eio3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/googollee/go-socket.io/engineio/frame"
	eiopacket "github.com/googollee/go-socket.io/engineio/packet"
	"github.com/googollee/go-socket.io/engineio/transport"
)

// transportName is what the library knows our only transport by.
const transportName = "virtual"

var errNotDialled = errors.New("the virtual transport cannot be used from outside")

// clientKey is the context key under which handOver names the client.
type clientKey struct{}

// virtualTransport is the only transport the library has.
type virtualTransport struct{}

func (virtualTransport) Name() string { return transportName }

func (virtualTransport) Accept(_ http.ResponseWriter, r *http.Request) (transport.Conn, error) {
	c, ok := r.Context().Value(clientKey{}).(*client)
	if !ok {
		return nil, errNotDialled
	}
	return &conn{client: c}, nil
}

func (virtualTransport) Dial(*url.URL, http.Header) (transport.Conn, error) {
	return nil, errNotDialled
}

// handOver gives the library a session for c, by the only way in that it has: an HTTP
// handshake. The library answers CONNECT and calls onConnect on a goroutine of its own.
func (s *Server) handOver(c *client) error {
	request := &http.Request{
		Method: http.MethodGet,
		URL:    &url.URL{Path: "/", RawQuery: "transport=" + transportName},
	}
	request = request.WithContext(context.WithValue(context.Background(), clientKey{}, c))
	var answer handshakeAnswer
	s.library.ServeHTTP(&answer, request)
	if answer.status != 0 {
		return fmt.Errorf("library refused the handshake: %s", answer.body.String())
	}
	return nil
}

// handshakeAnswer is the response the library writes to the synthetic handshake: none,
// unless it refuses.
type handshakeAnswer struct {
	status int
	body   bytes.Buffer
}

func (a *handshakeAnswer) Header() http.Header         { return http.Header{} }
func (a *handshakeAnswer) WriteHeader(status int)      { a.status = status }
func (a *handshakeAnswer) Write(p []byte) (int, error) { return a.body.Write(p) }

// conn is the library's end of a client: its transport connection. Reading and closing
// happen on the library's reader alone.
type conn struct {
	client *client
}

// NextReader waits for the next event. It is never a binary frame: attachments do not
// come this far. Its only error is io.EOF.
func (c *conn) NextReader() (frame.Type, eiopacket.Type, io.ReadCloser, error) {
	in, ok := c.client.inbound.pop()
	if !ok {
		return 0, 0, nil, io.EOF
	}
	c.client.current = in
	c.client.current.text = nil
	return frame.String, eiopacket.MESSAGE, &incoming{*bytes.NewReader(in.text)}, nil
}

// NextWriter takes what the library says. Only text messages go out; its OPEN is not
// wanted, since ours was sent, nor are its PONGs. Neither this nor the writer ever
// fails, not even after the end: a library session whose first write fails is leaked.
func (c *conn) NextWriter(ft frame.Type, pt eiopacket.Type) (io.WriteCloser, error) {
	if ft != frame.String || pt != eiopacket.MESSAGE {
		return discard{}, nil
	}
	return &outgoing{transport: c.client.transport}, nil
}

// Close is called by the library when reading has failed, and once more, after
// onDisconnect, when it lets go of the session.
func (c *conn) Close() error {
	c.client.released()
	return nil
}

// RemoteAddr is how the library's handlers find the client. Its other ways, the
// connection's context and ConnInitor, are set too late or not synchronised.
func (c *conn) RemoteAddr() net.Addr { return clientAddr{c.client} }

func (c *conn) LocalAddr() net.Addr       { return clientAddr{c.client} }
func (c *conn) URL() url.URL              { return url.URL{} }
func (c *conn) RemoteHeader() http.Header { return nil }

// The deadlines are the library's heartbeat; ours is the Engine.IO session's.

func (c *conn) SetReadDeadline(time.Time) error  { return nil }
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// clientAddr carries a client through the library as a network address.
type clientAddr struct{ client *client }

func (a clientAddr) Network() string { return transportName }
func (a clientAddr) String() string  { return a.client.transport.RemoteAddr() }

// incoming is one packet for the library's parser. Being a byte reader it saves the
// parser a buffer of 4 KiB per packet.
type incoming struct{ bytes.Reader }

// Close lets go of the packet: the parser keeps its last reader for the whole session,
// and with it up to a megabyte.
func (r *incoming) Close() error {
	r.Reset(nil)
	return nil
}

// outgoing is one packet from the library, sent when it is complete.
type outgoing struct {
	bytes.Buffer
	transport transportSession
}

func (w *outgoing) Close() error {
	w.transport.SendText(w.Bytes())
	return nil
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Close() error                { return nil }
