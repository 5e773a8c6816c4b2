// Package proxy finds out which client a request comes from, where proxies stand between.
package proxy

import (
	"net/http"
	"net/netip"
	"strings"
)

// forwardedFor is the field to which every proxy on the way appends whom it has heard the
// request from.
const forwardedFor = "X-Forwarded-For"

// maxHops bounds how many proxies in a row are believed: the header is as long as strangers
// make it.
const maxHops = 16

// Networks are those of the proxies that are believed. The zero value believes nobody.
type Networks []netip.Prefix

// Trust reports whether there is a proxy of ours at an address.
func (n Networks) Trust(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	for _, network := range n {
		if network.Contains(address) {
			return true
		}
	}
	return false
}

// Client is the address of the client that a request comes from, and whether that is known
// from a proxy rather than from the connection. The header is read from its end: what one of
// our proxies has appended is true, and what stood there before anybody can have written.
func (n Networks) Client(r *http.Request) (address netip.Addr, forwarded bool) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false // no connection of TCP
	}
	address = peer.Addr().Unmap()
	if len(n) == 0 {
		return address, false
	}
	hops := r.Header[forwardedFor]
	rest := strings.Join(hops, ",") // several fields are one list (RFC 9110, section 5.3)
	for range maxHops {
		if rest == "" || !n.Trust(address) {
			break
		}
		var hop string
		if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
			rest, hop = rest[:comma], rest[comma+1:]
		} else {
			rest, hop = "", rest
		}
		heard, ok := parseHop(strings.TrimSpace(hop))
		if !ok {
			break // nobody of ours writes that: the last proxy is all that is known
		}
		address, forwarded = heard, true
	}
	return address, forwarded
}

// parseHop reads an address, with a port as some proxies add it.
func parseHop(text string) (netip.Addr, bool) {
	if address, err := netip.ParseAddr(text); err == nil {
		return address.Unmap().WithZone(""), true
	}
	if both, err := netip.ParseAddrPort(text); err == nil {
		return both.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}

// Behind has next see requests with the client's address as RemoteAddr. It is without a
// port where a proxy has told it.
func (n Networks) Behind(next http.Handler) http.Handler {
	if len(n) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if address, forwarded := n.Client(r); forwarded {
			r.RemoteAddr = address.String()
		}
		next.ServeHTTP(w, r)
	})
}

// Shared reports whether many clients may have an address: that of a proxy of ours or, as
// long as no network of proxies is known, any that a balancer would have.
func (n Networks) Shared(address netip.Addr) bool {
	if len(n) > 0 {
		return n.Trust(address)
	}
	return address.IsPrivate() || address.IsLoopback() || address.IsLinkLocalUnicast()
}
