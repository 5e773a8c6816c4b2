package config

import (
	"crypto/tls"
	"net/netip"

	"github.com/roomcast/roomcast/internal/proxy"
)

// networks takes addresses and networks; an address is a network of its own.
func networks(field func(*draft) *proxy.Networks) rule {
	return rule{"addresses and networks such as 10.0.0.0/8 with commas between", func(d *draft, text string) bool {
		for _, item := range list(text) {
			network, err := netip.ParsePrefix(item)
			if err != nil {
				address, err := netip.ParseAddr(item)
				if err != nil || address.Zone() != "" {
					return false
				}
				network = netip.PrefixFrom(address, address.BitLen())
			}
			if network.Addr().Is4In6() || network != network.Masked() {
				return false // who writes 10.1.2.3/8 may mean either
			}
			*field(d) = append(*field(d), network)
		}
		return true
	}}
}

// checkTLS refuses one file without the other, and two that are no pair.
func (d *draft) checkTLS(add func(variable, reason string)) {
	const certificate, key = "ROOMCAST_TLS_CERT_FILE", "ROOMCAST_TLS_KEY_FILE"
	switch files := d.Listen.TLS; {
	case files == TLS{}:
	case files.CertFile == "":
		add(certificate, "must be set with "+key)
	case files.KeyFile == "":
		add(key, "must be set with "+certificate)
	default:
		// The text names the files and what is wrong with them, never what is in them.
		if _, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile); err != nil {
			add(certificate, "cannot be used: "+err.Error())
		}
	}
}
