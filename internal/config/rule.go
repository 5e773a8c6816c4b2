package config

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// rule reads one variable: set puts a value into the draft and reports whether it is
// allowed.
type rule struct {
	allowed string
	set     func(d *draft, text string) bool
}

func whole(low, high int, unit string, field func(*draft) *int) rule {
	allowed := strings.TrimSpace(fmt.Sprintf("a whole number from %d to %d %s", low, high, unit))
	return rule{allowed, func(d *draft, text string) bool {
		n, ok := number(text, low, high)
		*field(d) = n
		return ok
	}}
}

// duration takes whole milliseconds only: that is what clients are told on the wire.
func duration(low, high time.Duration, field func(*draft) *time.Duration) rule {
	allowed := fmt.Sprintf("a duration in whole milliseconds from %s to %s, such as 1500ms, 25s or 2m", brief(low), brief(high))
	return rule{allowed, func(d *draft, text string) bool {
		value, err := time.ParseDuration(text)
		*field(d) = value
		return err == nil && value >= low && value <= high && value%time.Millisecond == 0
	}}
}

func choice(field func(*draft) *string, options ...string) rule {
	allowed := strings.Join(options[:len(options)-1], ", ") + " or " + options[len(options)-1]
	return rule{allowed, func(d *draft, text string) bool {
		*field(d) = text
		return slices.Contains(options, text)
	}}
}

func onOff(field func(*draft) *bool) rule {
	return rule{"on or off", func(d *draft, text string) bool {
		*field(d) = text == "on"
		return text == "on" || text == "off"
	}}
}

// characters takes 1 to limit characters: ASCII letters, digits and those of extra.
func characters(limit int, extra string, field func(*draft) *string) rule {
	allowed := fmt.Sprintf("1 to %d characters of A-Z a-z 0-9 %s", limit, strings.Join(strings.Split(extra, ""), " "))
	return rule{allowed, func(d *draft, text string) bool {
		*field(d) = text
		return len(text) <= limit && only(text, extra)
	}}
}

func host(field func(*draft) *string) rule {
	return rule{"an IP address or a host name, without a port", func(d *draft, text string) bool {
		*field(d) = text
		return hostName(text)
	}}
}

func address(field func(*draft) *string) rule {
	return rule{"host:port, or :port for all interfaces", func(d *draft, text string) bool {
		*field(d) = text
		host, port, err := net.SplitHostPort(text)
		_, portOK := number(port, 0, 65535)
		return err == nil && portOK && (host == "" || hostName(host))
	}}
}

func anyText(field func(*draft) *string) rule {
	return rule{"any text", func(d *draft, text string) bool {
		*field(d) = text
		return true
	}}
}

func logLevel() rule {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	return rule{"debug, info, warn or error", func(d *draft, text string) bool {
		level, ok := levels[text]
		d.Log.Level = level
		return ok
	}}
}

// number reads digits alone: no sign, no space, no underscore.
func number(text string, low, high int) (int, bool) {
	if strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= low && n <= high
}

// hostName reports whether text is an IP address or can be a host name.
func hostName(text string) bool {
	if _, err := netip.ParseAddr(text); err == nil {
		return true
	}
	return len(text) <= 253 && only(text, ".-_")
}

func only(text, extra string) bool {
	if text == "" {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return false
		}
		return !strings.ContainsRune(extra, r)
	})
}

// list splits at commas; spaces around an item are the writer's convenience.
func list(text string) []string {
	items := strings.Split(text, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}

// brief writes 10m where Duration.String writes 10m0s.
func brief(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
