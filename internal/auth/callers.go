package auth

import (
	"context"
	"strings"
)

// Callers are who may use the REST API: holders of its keys, and of tokens.
type Callers struct {
	Keys     APIKeys
	Verifier *Verifier
}

// Identify returns whose credential this is, a key's secret or a token. The error is a
// *Refusal.
func (c *Callers) Identify(ctx context.Context, credential string) (*Principal, error) {
	if principal := c.Keys.Find(credential); principal != nil {
		return principal, nil
	}
	if c.Verifier == nil || strings.Count(credential, ".") != 2 {
		return nil, refuse(CodeKey, "the key is not known")
	}
	return c.Verifier.Verify(ctx, credential)
}
