package engineio

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/roomcast/roomcast/internal/limit"
)

func TestHomes(t *testing.T) {
	s := NewServer(Options{Shared: netip.Addr.IsPrivate})
	for remote, want := range map[string]string{
		"1.2.3.4:99": "1.2.3.4/32", "1.2.3.4": "1.2.3.4/32", "[::ffff:1.2.3.4]:9": "1.2.3.4/32",
		"[2001:db8:1:2:3::4]:9": "2001:db8:1:2::/64", "2001:db8:1:2::9": "2001:db8:1:2::/64", "[fe80::1%eth0]:9": "fe80::/64",
		"10.0.0.1:5": "invalid Prefix", "pipe": "invalid Prefix", "": "invalid Prefix",
	} {
		if home := s.homeOf(remote); home.String() != want {
			t.Errorf("%q is at home in %s, want %s", remote, home, want)
		}
	}
}

// Addresses are cheap to come by: those that made no handshake of late are forgotten, and
// beyond so many at a time no further ones are kept.
func TestHomesAreForgotten(t *testing.T) {
	h := homes{inRow: make(map[netip.Prefix]*limit.Bucket)}
	rate, now := limit.Rate{PerSecond: 1, Burst: 2}, time.Unix(1000, 0)
	home := func(n int) netip.Prefix {
		return netip.MustParsePrefix(fmt.Sprintf("%d.%d.%d.1/32", 1+n>>16, n>>8&255, n&255))
	}
	for n := range homesKept + 10 {
		if !h.keepsPace(home(n), rate, now) {
			t.Fatalf("number %d was refused", n)
		}
	}
	if len(h.inRow) != homesKept {
		t.Errorf("%d are kept, want %d", len(h.inRow), homesKept)
	}
	h.keepsPace(home(homesKept+20), rate, now.Add(homesSwept+time.Second))
	if len(h.inRow) != 1 {
		t.Errorf("%d are kept after a pause, want the one that came", len(h.inRow))
	}
}
