package engineio

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/roomcast/roomcast/internal/limit"
)

// homes count, by where clients are at home, the sessions that have not ended and the
// handshakes of late. The server's mu guards them.
type homes struct {
	sessions map[netip.Prefix]int
	inRow    map[netip.Prefix]*limit.Bucket
	swept    time.Time
}

const (
	// homesSwept is how often the handshakes of those that made none of late are forgotten.
	homesSwept = 10 * time.Second
	// homesKept bounds how many have their handshakes counted: past it newcomers are bound only
	// by what all may make together.
	homesKept = 100_000
)

// homeOf is what is counted as one client's home: an address of IPv4, or a network of IPv6 as
// every household has it (RFC 6177). The zero value is nobody's, and not counted.
func (s *Server) homeOf(remote string) netip.Prefix {
	address, err := netip.ParseAddr(remote)
	if err != nil {
		both, err := netip.ParseAddrPort(remote)
		if err != nil {
			return netip.Prefix{}
		}
		address = both.Addr()
	}
	address = address.Unmap().WithZone("")
	if s.options.Shared != nil && s.options.Shared(address) {
		return netip.Prefix{}
	}
	bits := 32
	if address.Is6() {
		bits = 64
	}
	home, _ := address.Prefix(bits) // as many as the address has, or fewer
	return home
}

// refusesHome reports why a home may not open another session now, nil if it may.
func (s *Server) refusesHome(home netip.Prefix, now time.Time) *refusal {
	switch {
	case !home.IsValid():
		return nil
	case s.options.SessionsPerAddress > 0 && s.homes.sessions[home] >= s.options.SessionsPerAddress:
		return refuseAddress
	case s.options.AddressHandshakes.PerSecond > 0 && !s.homes.keepsPace(home, s.options.AddressHandshakes, now):
		return refuseAddressHurry
	}
	return nil
}

func (h *homes) keepsPace(home netip.Prefix, rate limit.Rate, now time.Time) bool {
	bucket := h.inRow[home]
	if bucket == nil {
		h.sweep(rate, now)
		if len(h.inRow) >= homesKept {
			return true
		}
		bucket = new(limit.Bucket)
		h.inRow[home] = bucket
	}
	ok, _ := bucket.Take(rate, 1, now)
	return ok
}

func (h *homes) sweep(rate limit.Rate, now time.Time) {
	if now.Sub(h.swept) < homesSwept {
		return
	}
	h.swept = now
	for home, bucket := range h.inRow {
		if bucket.Left(rate, now) >= rate.Burst {
			delete(h.inRow, home)
		}
	}
}

// moveIn and moveOut count a session of a home.
func (h *homes) moveIn(home netip.Prefix) {
	if home.IsValid() {
		h.sessions[home]++
	}
}

func (h *homes) moveOut(home netip.Prefix) {
	switch {
	case !home.IsValid():
	case h.sessions[home] > 1:
		h.sessions[home]--
	default:
		delete(h.sessions, home)
	}
}

// tooLong reports whether the request's URL is longer than it may be: it is parsed, and its
// query kept for as long as the session lasts.
func (s *Server) tooLong(r *http.Request) bool {
	return s.options.MaxURL > 0 && len(r.RequestURI) > s.options.MaxURL
}
