package auth

import (
	"context"
	"time"
)

// notePatience is how long a call waits for the note of its key's use. The call is worth more than the note.
const notePatience = time.Second

// Gate turns the Authorization headers of a request into the principal behind them. A token is verified, then the account
// it stands for is asked for; an API key is looked up by its hash.
type Gate struct {
	// NoteTrouble, when set before the first call, is told when the use of an API key couldn't be noted. The call goes on.
	NoteTrouble func(err error)

	verifier *Verifier
	accounts Accounts
	keys     Keys
	cache    *PrincipalCache
}

// NewGate returns a gate over the verifier, the accounts and the API keys, whose answers the cache keeps.
func NewGate(verifier *Verifier, accounts Accounts, keys Keys, cache *PrincipalCache) *Gate {
	return &Gate{verifier: verifier, accounts: accounts, keys: keys, cache: cache}
}

// Authenticate returns who is asking. It fails with errs.Unauthenticated for no token or key, a bad one or two of them,
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
	if looksLikeAPIKey(token) {
		return g.authenticateKey(ctx, token)
	}
	who, err := g.verifier.Verify(ctx, token)
	if err != nil {
		return Principal{}, err
	}
	return g.cache.resolve(ctx, g.accounts, who)
}

func (g *Gate) authenticateKey(ctx context.Context, text string) (Principal, error) {
	key, ok := ParseAPIKey(text)
	if !ok {
		return Principal{}, refusal(MalformedAPIKey)
	}
	hash := key.Hash()
	who, asked, err := g.cache.resolveKey(ctx, g.keys, hash)
	if err != nil {
		return Principal{}, err
	}
	if asked && g.cache.noteUse(hash) {
		g.noteUse(ctx, who.KeyID)
	}
	return who, nil
}

// noteUse has the use of a key noted, for a client that hangs up too.
func (g *Gate) noteUse(ctx context.Context, keyID string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), notePatience)
	defer cancel()
	if err := g.keys.NoteUse(ctx, keyID); err != nil && g.NoteTrouble != nil {
		g.NoteTrouble(err)
	}
}
