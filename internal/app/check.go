package app

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/roomcast/roomcast/internal/auth"
	"github.com/roomcast/roomcast/internal/config"
)

// Finding is one thing that Check has looked at.
type Finding struct {
	Subject string
	Text    string
	Err     error // nil: it is as it should be
}

// checkPatience bounds what Check waits for, each.
const checkPatience = 5 * time.Second

// Check looks at what a sound configuration names, and says what is open to whom. It asks
// Redis and the URL of the keys, and changes nothing.
func Check(ctx context.Context, cfg config.Config, logger *slog.Logger) []Finding {
	findings := []Finding{{Subject: "listens", Text: listens(cfg.Listen)}}
	findings = append(findings, checkAccess(ctx, cfg.Access, logger)...)
	findings = append(findings, openToAll(cfg)...)
	return append(findings, checkStore(ctx, cfg, logger))
}

func listens(listen config.Listen) string {
	host := listen.Host
	if host == "" {
		host = "all interfaces"
	}
	text := fmt.Sprintf("on %s, port %d", host, listen.Port)
	if listen.TLS != (config.TLS{}) {
		text += ", with TLS"
	} else {
		text += ", in the clear: a proxy in front has to end TLS"
	}
	if len(listen.Proxies) > 0 {
		text += fmt.Sprintf("; X-Forwarded-For is believed from %v", listen.Proxies)
	}
	if listen.Admin != "" {
		text += "; for operators on " + listen.Admin
	}
	return text
}

func checkAccess(ctx context.Context, access config.Access, logger *slog.Logger) []Finding {
	if access.Auth == config.AuthNone {
		return []Finding{{Subject: "identity", Text: "none: everyone who can reach this server may read and change every app"}}
	}
	tokens := access.Tokens
	var findings []Finding
	for _, key := range tokens.Keys {
		findings = append(findings, Finding{Subject: "tokens", Text: "by " + key.Algorithms()})
	}
	if tokens.JWKS != "" {
		findings = append(findings, checkJWKS(ctx, tokens.JWKS, logger))
	}
	findings = append(findings, Finding{Subject: "tokens", Text: "issuer " + cmp.Or(tokens.Issuer, "any") + ", audience " + cmp.Or(tokens.Audience, "any")})
	for _, line := range access.APIKeys.Describe() {
		findings = append(findings, Finding{Subject: "key", Text: line})
	}
	if access.APIKeys.Len() == 0 {
		const none = "none: only tokens with publish may publish, and nobody sees /metrics but by ROOMCAST_ADMIN_ADDR"
		findings = append(findings, Finding{Subject: "keys", Text: none})
	}
	return findings
}

func checkJWKS(ctx context.Context, url string, logger *slog.Logger) Finding {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	source := auth.NewJWKS(url, logger)
	if err := source.Fetch(ctx); err != nil {
		return Finding{Subject: "tokens", Text: "by the keys at ROOMCAST_JWKS_URL", Err: err}
	}
	return Finding{Subject: "tokens", Text: fmt.Sprintf("by %d keys at ROOMCAST_JWKS_URL", source.Len())}
}

func openToAll(cfg config.Config) []Finding {
	origins := "those of this server's own origin"
	switch list := cfg.Access.Origins; {
	case list.Any:
		origins = "all"
	case len(list.List) > 0:
		origins += " and " + strings.Join(list.List, ", ")
	}
	open := "the page, /api/v1/health/"
	if cfg.Listen.Admin == "" {
		open += ", /healthz, /readyz"
	}
	return []Finding{{Subject: "pages", Text: "may connect: " + origins}, {Subject: "open", Text: "to everyone: " + open}}
}

func checkStore(ctx context.Context, cfg config.Config, logger *slog.Logger) Finding {
	finding := Finding{Subject: "store", Text: storeName(cfg.Redis)}
	if cfg.Redis.Embedded() {
		finding.Text += ": this instance is alone"
		return finding
	}
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	store, err := OpenStore(cfg, logger)
	if err != nil {
		finding.Err = err
		return finding
	}
	defer func() { _ = store.Close() }() // what was to be learnt is known
	if _, finding.Err = store.Top(ctx); finding.Err == nil {
		finding.Text += ", answers"
	}
	return finding
}
