package app_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/app"
)

// certify writes a certificate of a serial number for 127.0.0.1, and its key.
func certify(t *testing.T, dir string, serial int64) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "roomcast test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	write := func(name, kind string, bytes []byte) {
		if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(certFile, "CERTIFICATE", der)
	write(keyFile, "PRIVATE KEY", private)
	roots = x509.NewCertPool()
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(certificate)
	return certFile, keyFile, roots
}

// A client over TLS shakes hands, talks over a websocket and hears an update; HTTP/2 is not
// offered, and plain HTTP gets a plain answer.
func TestTLS(t *testing.T) {
	certFile, keyFile, roots := certify(t, t.TempDir(), 1)
	i := start(t, newBus().Store(), "ROOMCAST_TLS_CERT_FILE="+certFile, "ROOMCAST_TLS_KEY_FILE="+keyFile)
	address := i.Addr().String()
	conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	if protocol := conn.ConnectionState().NegotiatedProtocol; protocol != "http/1.1" {
		t.Errorf("negotiated %q", protocol)
	}
	fmt.Fprintf(conn, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", address)
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v %v", response, err)
	}
	frame := func() string {
		header := make([]byte, 2)
		if _, err := io.ReadFull(reader, header); err != nil {
			t.Fatal(err)
		}
		length := int(header[1])
		if length == 126 {
			if _, err := io.ReadFull(reader, header); err != nil {
				t.Fatal(err)
			}
			length = int(header[0])<<8 | int(header[1])
		}
		body := make([]byte, length)
		if _, err := io.ReadFull(reader, body); err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	if open := frame(); !strings.HasPrefix(open, `0{"sid":`) {
		t.Errorf("opened by %s", open)
	}
	say := func(text string) { // masked with zeros
		header := []byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}
		if len(text) > 125 {
			t.Fatal("too long for this test")
		}
		if _, err := conn.Write(append(header, text...)); err != nil {
			t.Fatal(err)
		}
	}
	say("40")
	if connected := frame(); !strings.HasPrefix(connected, `40{"sid":`) {
		t.Errorf("connected by %s", connected)
	}
	say(`42["application",{"event":"SUBSCRIBE","payload":{"workspaceId":"w","appId":"a"}}]`)
	if answer := frame(); !strings.Contains(answer, `"SUCCESS"`) {
		t.Errorf("answered %s", answer)
	}

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	t.Cleanup(client.CloseIdleConnections)
	request, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://"+address+"/api/v1/apps/", strings.NewReader(`{"workspaceId":"w","appId":"a","displayName":"heard"}`))
	request.Header.Set("Content-Type", "application/json")
	published, err := client.Do(request)
	if err != nil || published.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", published, err)
	}
	_ = published.Body.Close()
	if update := frame(); !strings.Contains(update, `"displayName":"heard"`) {
		t.Errorf("heard %s", update)
	}
	if plain := call(t, http.MethodGet, "http://"+address+"/healthz", ""); plain.status != http.StatusBadRequest {
		t.Errorf("in the clear: %d", plain.status)
	}
}

// A certificate that was renewed is served to the next who comes, and a broken one is not.
func TestCertificateIsRenewed(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile, _ := certify(t, dir, 1)
	renewal := app.NewCertificate(t, certFile, keyFile)
	now := time.Now()
	if serial := renewal(now); serial != 1 {
		t.Errorf("at first: %d", serial)
	}
	certify(t, dir, 2)
	for _, name := range []string{certFile, keyFile} { // whatever the file system's clock is like
		if err := os.Chtimes(name, now, now.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if serial := renewal(now.Add(time.Second)); serial != 1 {
		t.Errorf("before it is looked for: %d", serial)
	}
	if serial := renewal(now.Add(time.Minute)); serial != 2 {
		t.Errorf("renewed: %d", serial)
	}
	if err := os.WriteFile(keyFile, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if serial := renewal(now.Add(2 * time.Minute)); serial != 2 {
		t.Errorf("with a broken key: %d", serial)
	}
}

// A certificate that has gone since the configuration was read fails the start, which leaves no
// listener behind.
func TestStartWithoutTheCertificate(t *testing.T) {
	certFile, keyFile, _ := certify(t, t.TempDir(), 1)
	port := freePort(t)
	cfg := load(t, "ROOMCAST_TLS_CERT_FILE="+certFile, "ROOMCAST_TLS_KEY_FILE="+keyFile, "PORT="+port)
	if err := os.Remove(keyFile); err != nil {
		t.Fatal(err)
	}
	err := app.New(optionsOf(cfg, newBus().Store())).Start(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "reading the certificate: ") {
		t.Errorf("Start: %v", err)
	}
	if !refuses("127.0.0.1:" + port) {
		t.Error("the port is open")
	}
}

// freePort is one that nobody listened on a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}
