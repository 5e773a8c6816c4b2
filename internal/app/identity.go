package app

import (
	"context"
	"log/slog"

	"github.com/roomcast/roomcast/internal/auth"
	"github.com/roomcast/roomcast/internal/config"
	"github.com/roomcast/roomcast/internal/gateway"
	"github.com/roomcast/roomcast/internal/rest"
)

// identity is what tells callers apart; its zero value none.
type identity struct {
	tokens *auth.Verifier
	jwks   *auth.JWKS
	keys   auth.APIKeys
}

func newIdentity(access config.Access, logger *slog.Logger) identity {
	if access.Auth == config.AuthNone {
		return identity{}
	}
	tokens := access.Tokens
	options := auth.Options{Keys: tokens.Keys, Issuer: tokens.Issuer, Audience: tokens.Audience, Leeway: tokens.Leeway}
	i := identity{keys: access.APIKeys}
	if tokens.JWKS != "" {
		i.jwks = auth.NewJWKS(tokens.JWKS, logger)
		options.Source = i.jwks
	}
	i.tokens = auth.NewVerifier(options)
	return i
}

// verifier is nil, and no pointer to nothing, where nobody is asked for a token.
func (i identity) verifier() gateway.Verifier {
	if i.tokens == nil {
		return nil
	}
	return i.tokens
}

func (i identity) callers() rest.Callers {
	if i.tokens == nil {
		return nil
	}
	return &auth.Callers{Keys: i.keys, Verifier: i.tokens}
}

// keepKeys has the keys for tokens fetched until the instance stops.
func (i *Instance) keepKeys(ctx context.Context) {
	if i.jwks == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		i.jwks.Run(ctx)
	}()
	i.stops.push("keys for tokens", func(context.Context) error { cancel(); <-ended; return nil })
}
