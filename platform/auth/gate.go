package auth

import "context"

// Gate turns the Authorization headers of a request into the principal behind them: the token is verified, then the
// account it stands for is asked for.
type Gate struct {
	verifier *Verifier
	accounts Accounts
	cache    *PrincipalCache
}

// NewGate returns a gate over the verifier and the accounts, whose answers the cache keeps.
func NewGate(verifier *Verifier, accounts Accounts, cache *PrincipalCache) *Gate {
	return &Gate{verifier: verifier, accounts: accounts, cache: cache}
}

// Authenticate returns who is asking. It fails with errs.Unauthenticated for no token, a bad one or two of them,
// errs.Forbidden for an account that may not act, and errs.Unavailable when that can't be told now.
func (g *Gate) Authenticate(ctx context.Context, authorization []string) (Principal, error) {
	if len(authorization) == 0 {
		return Principal{}, refusal(MissingToken)
	}
	if len(authorization) > 1 {
		return Principal{}, refusal(MalformedHeader)
	}
	token, err := BearerToken(authorization[0])
	if err != nil {
		return Principal{}, err
	}
	who, err := g.verifier.Verify(ctx, token)
	if err != nil {
		return Principal{}, err
	}
	return g.cache.resolve(ctx, g.accounts, who)
}
