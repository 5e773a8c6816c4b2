package proxy_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/roomcast/roomcast/internal/proxy"
)

func networks(texts ...string) proxy.Networks {
	var all proxy.Networks
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

func TestClient(t *testing.T) {
	ours := networks("10.0.0.0/8", "2001:db8:1::/48")
	for name, c := range map[string]struct {
		networks proxy.Networks
		peer     string
		headers  []string
		want     string
	}{
		"nobody is believed":                 {nil, "10.0.0.1:5", []string{"1.2.3.4"}, "10.0.0.1"},
		"no header":                          {ours, "10.0.0.1:5", nil, "10.0.0.1"},
		"an empty header":                    {ours, "10.0.0.1:5", []string{""}, "10.0.0.1"},
		"by a proxy":                         {ours, "10.0.0.1:5", []string{"1.2.3.4"}, "1.2.3.4"},
		"by a stranger":                      {ours, "9.9.9.9:5", []string{"1.2.3.4"}, "9.9.9.9"},
		"by two proxies":                     {ours, "10.0.0.1:5", []string{"1.2.3.4, 10.0.0.2"}, "1.2.3.4"},
		"a client's own word goes before":    {ours, "10.0.0.1:5", []string{"10.9.9.9, 6.6.6.6, 1.2.3.4"}, "1.2.3.4"},
		"in two fields":                      {ours, "10.0.0.1:5", []string{"6.6.6.6", "1.2.3.4"}, "1.2.3.4"},
		"rubbish before":                     {ours, "10.0.0.1:5", []string{"<script>, 1.2.3.4"}, "1.2.3.4"},
		"rubbish last":                       {ours, "10.0.0.1:5", []string{"1.2.3.4, unknown"}, "10.0.0.1"},
		"rubbish between proxies":            {ours, "10.0.0.1:5", []string{"1.2.3.4, ?, 10.0.0.2"}, "10.0.0.2"},
		"a comma too many":                   {ours, "10.0.0.1:5", []string{"1.2.3.4,"}, "10.0.0.1"},
		"a client inside":                    {ours, "10.0.0.1:5", []string{"10.0.0.7"}, "10.0.0.7"},
		"with a port":                        {ours, "10.0.0.1:5", []string{"1.2.3.4:99"}, "1.2.3.4"},
		"IPv6":                               {ours, "[2001:db8:1::5]:5", []string{"2001:db8:2::1"}, "2001:db8:2::1"},
		"IPv6 with a port":                   {ours, "[2001:db8:1::5]:5", []string{"[2001:db8:2::1]:9"}, "2001:db8:2::1"},
		"IPv4 in IPv6":                       {ours, "[::ffff:10.0.0.1]:5", []string{"::ffff:1.2.3.4"}, "1.2.3.4"},
		"a zone":                             {ours, "10.0.0.1:5", []string{"fe80::1%eth0"}, "fe80::1"},
		"more hops than anybody's proxies":   {ours, "10.0.0.1:5", []string{"1.2.3.4" + strings.Repeat(",10.0.0.3", 40)}, "10.0.0.3"},
		"one network of another family":      {networks("::/0"), "10.0.0.1:5", []string{"1.2.3.4"}, "10.0.0.1"},
		"everybody believed (not wise)":      {networks("0.0.0.0/0"), "10.0.0.1:5", []string{"6.6.6.6, 1.2.3.4"}, "6.6.6.6"},
		"the field of another name, ignored": {ours, "10.0.0.1:5", nil, "10.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
			r.RemoteAddr = c.peer
			r.Header["X-Forwarded-For"] = c.headers
			r.Header["X-Real-Ip"] = []string{"7.7.7.7"}
			r.Header["Forwarded"] = []string{"for=7.7.7.7"}
			address, forwarded := c.networks.Client(r)
			if address.String() != c.want {
				t.Errorf("%s, want %s", address, c.want)
			}
			peer := netip.MustParseAddrPort(c.peer).Addr().Unmap()
			if forwarded != (address != peer) {
				t.Errorf("forwarded: %t", forwarded)
			}
		})
	}
}

func TestBehind(t *testing.T) {
	var seen string
	handler := networks("10.0.0.0/8").Behind(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.RemoteAddr }))
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	r.RemoteAddr = "10.0.0.1:5"
	handler.ServeHTTP(httptest.NewRecorder(), r)
	if seen != "10.0.0.1:5" {
		t.Errorf("without the header: %s", seen)
	}
	r.Header.Set("X-Forwarded-For", "1.2.3.4")
	handler.ServeHTTP(httptest.NewRecorder(), r)
	if seen != "1.2.3.4" {
		t.Errorf("with it: %s", seen)
	}
}

func TestShared(t *testing.T) {
	for address, want := range map[string][2]bool{ // without networks, with 10.0.0.0/8
		"127.0.0.1": {true, false}, "::1": {true, false}, "10.1.2.3": {true, true}, "192.168.0.1": {true, false},
		"fd00::1": {true, false}, "fe80::1": {true, false}, "1.2.3.4": {false, false}, "2001:db8::1": {false, false},
	} {
		parsed := netip.MustParseAddr(address)
		if got := [2]bool{proxy.Networks(nil).Shared(parsed), networks("10.0.0.0/8").Shared(parsed)}; got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
}

func FuzzClient(f *testing.F) {
	f.Add("10.0.0.1:5", "6.6.6.6, 1.2.3.4:9, [::1]:2")
	f.Fuzz(func(t *testing.T, peer, header string) {
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {header}}}
		address, forwarded := networks("10.0.0.0/8").Client(r)
		if forwarded && (!address.IsValid() || address.Zone() != "" || address.Is4In6()) {
			t.Errorf("%q by %q is %v", header, peer, address)
		}
	})
}
