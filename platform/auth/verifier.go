package auth

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/recent"
)

// leeway is how far the issuer's clock and ours may differ.
const leeway = 30 * time.Second

// maxVerdicts bounds the memory of verified tokens.
const maxVerdicts = 10_000

// Verifier says whose a token is. It is safe for concurrent use.
type Verifier struct {
	// KeyTrouble, when set before Run, is told about each failed refresh of a provider's keys.
	KeyTrouble func(provider string, err error)

	providers map[string]*Provider // by issuer
	clock     clock.Clock
	verified  *recent.Map[digest, verdict]
}

// NewVerifier returns a verifier that trusts providers, whose issuers must differ, and reads the time from clock.
func NewVerifier(providers []*Provider, clock clock.Clock) *Verifier {
	byIssuer := make(map[string]*Provider, len(providers))
	for _, provider := range providers {
		byIssuer[provider.Issuer] = provider
	}
	return &Verifier{providers: byIssuer, clock: clock, verified: recent.NewMap[digest, verdict](maxVerdicts)}
}

// Run keeps the providers' keys fresh until ctx ends.
func (v *Verifier) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, provider := range v.providers {
		if provider.Keys == nil {
			continue
		}
		running.Go(func() {
			provider.Keys.Run(ctx, func(err error) {
				if v.KeyTrouble != nil {
					v.KeyTrouble(provider.Name, err)
				}
			})
		})
	}
	running.Wait()
}

// Verify returns what a token says when its signature and claims are right (RFC 7519, section 7.2; RFC 8725). Else the
// error is errs.Unauthenticated with a Reason behind it, or errs.Unavailable when the issuer's keys can't be had.
func (v *Verifier) Verify(ctx context.Context, token string) (Identity, error) {
	if token == "" {
		return Identity{}, refusal(MissingToken)
	}
	if len(token) > maxToken {
		return Identity{}, refusal(MalformedToken)
	}
	now := v.clock.Now()
	key := digestOf(token)
	if known, ok := v.verified.Get(key); ok && known.holds(now) {
		return known.who, nil
	}
	found, err := v.verify(ctx, token, now)
	if err != nil {
		return Identity{}, refusal(err)
	}
	v.verified.Put(key, found)
	return found.who, nil
}

func (v *Verifier) verify(ctx context.Context, text string, now time.Time) (verdict, error) {
	parsed, err := parseToken(text)
	if err != nil {
		return verdict{}, err
	}
	provider, trusted := v.providers[parsed.claims.text("iss")]
	if !trusted || provider.Issuer == "" {
		return verdict{}, UnknownIssuer
	}
	found, err := provider.checkSignature(ctx, parsed, now)
	if err != nil {
		return verdict{}, err
	}
	found.who, err = provider.identify(parsed.claims, now)
	return found, err
}

// checkSignature returns what the signature was verified with. The algorithm must be that of the key.
func (p *Provider) checkSignature(ctx context.Context, t token, now time.Time) (verdict, error) {
	switch t.header.Algorithm {
	case algHMAC:
		if len(p.HMACSecret) < minSecret {
			return verdict{}, RefusedAlgorithm
		}
		if !verifyHMAC(p.HMACSecret, t.signingInput, t.signature) {
			return verdict{}, InvalidSignature
		}
		return verdict{}, nil
	case "RS256", "PS256", "ES256", "EdDSA":
		if p.Keys == nil {
			return verdict{}, RefusedAlgorithm
		}
	default:
		return verdict{}, RefusedAlgorithm
	}

	keys, set, err := p.Keys.find(ctx, t.header.KeyID, now)
	if err != nil {
		return verdict{}, err
	}
	reason := RefusedAlgorithm
	for _, key := range keys {
		if !slices.Contains(key.algorithms, t.header.Algorithm) {
			continue
		}
		if key.verifies(t.header.Algorithm, t.signingInput, t.signature) {
			return verdict{source: p.Keys, keys: set}, nil
		}
		reason = InvalidSignature
	}
	return verdict{}, reason
}

// identify checks the claims of a token whose signature is right, and returns what they say.
func (p *Provider) identify(c claims, now time.Time) (Identity, error) {
	issued, expires, err := c.period(now)
	if err != nil {
		return Identity{}, err
	}
	subject := c.text("sub")
	if !validSubject(subject) {
		return Identity{}, InvalidClaims
	}
	if !p.serves(c.texts("aud")) {
		return Identity{}, WrongAudience
	}
	if !p.authorizes(c) {
		return Identity{}, WrongParty
	}
	if !p.signedIn(c) {
		return Identity{}, InactiveSession
	}
	who := c.identity(p.Claims)
	who.Issuer, who.Subject, who.IssuedAt, who.ExpiresAt = p.Issuer, subject, issued, expires
	return who, nil
}

// serves tells whether one of a token's audiences is ours.
func (p *Provider) serves(audiences []string) bool {
	ours := func(audience string) bool { return slices.Contains(p.Audiences, audience) }
	return len(p.Audiences) == 0 || slices.ContainsFunc(audiences, ours)
}

// authorizes tells whether the token was made for a client on the list.
func (p *Provider) authorizes(c claims) bool {
	if len(p.AuthorizedParties) == 0 {
		return true
	}
	if _, present := c["azp"]; !present {
		return p.AuthorizedPartyOptional
	}
	return slices.Contains(p.AuthorizedParties, c.text("azp"))
}

// signedIn tells whether the session of the token is active, as far as it says.
func (p *Provider) signedIn(c claims) bool {
	_, told := c[p.SessionStatus]
	return p.SessionStatus == "" || !told || c.text(p.SessionStatus) == "active"
}

// period returns when the token was issued, zero when it doesn't say, and when it expires, or why it isn't valid now (RFC
// 7519, sections 4.1.4 to 4.1.6).
func (c claims) period(now time.Time) (issued, expires time.Time, err error) {
	expires, found, err := c.date("exp")
	if err != nil {
		return time.Time{}, time.Time{}, err
	}
	if !found {
		return time.Time{}, time.Time{}, InvalidClaims
	}
	if !now.Before(expires.Add(leeway)) {
		return time.Time{}, time.Time{}, Expired
	}
	for _, name := range []string{"nbf", "iat"} {
		from, found, err := c.date(name)
		if err != nil {
			return time.Time{}, time.Time{}, err
		}
		if found && from.After(now.Add(leeway)) {
			return time.Time{}, time.Time{}, NotYetValid
		}
		issued = from // of iat, the last
	}
	return issued, expires, nil
}
