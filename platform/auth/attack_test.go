package auth

import (
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/testkit/idp"
)

// leastAttacks is how many forged tokens each mode must withstand.
const leastAttacks = 60

// TestAttacks sends every attack to a verifier of each mode, as the product makes it, with keys of three types where the
// mode has them. None may pass, and no token may make us fetch from where it says.
func TestAttacks(t *testing.T) {
	ann := idp.Person{Subject: "ann", Email: "ann@b.test", Role: "admin"}
	for _, shape := range idp.Shapes() {
		t.Run(string(shape), func(t *testing.T) {
			issuer, provider := preset(t, shape)
			evil := idp.New(t, idp.Custom)
			verifier, _ := newVerifier(provider)
			for _, algorithm := range issuer.Algorithms() {
				mustVerify(t, verifier, issuer.Issue(algorithm, ann, start))
			}

			attacks, distinct := issuer.Attacks(ann, start, evil), map[string]bool{}
			for _, a := range attacks {
				distinct[a.Token] = true
				t.Run(a.Name, func(t *testing.T) {
					mustRefuse(t, verifier, a.Token, Reason(a.Reason))
					mustRefuse(t, verifier, a.Token, Reason(a.Reason)) // nor is it remembered as good
				})
			}
			t.Logf("%d forged tokens", len(distinct))
			if len(distinct) < leastAttacks || len(distinct) != len(attacks) {
				t.Errorf("of %d attacks %d differ, want %d at least", len(attacks), len(distinct), leastAttacks)
			}
			if n := evil.Asked(); n != 0 {
				t.Errorf("tokens made us fetch %d times from the attacker", n)
			}
			if n := issuer.Asked(); n > 2*askBurst { // a discovery is two requests
				t.Errorf("tokens made us ask the issuer %d times", n)
			}
		})
	}
}

func TestNoToken(t *testing.T) {
	verifier, _ := newVerifier()
	mustRefuse(t, verifier, "", MissingToken)
}

func TestASecretThatIsTooShortVerifiesNothing(t *testing.T) {
	provider := &Provider{Issuer: "https://issuer.test", HMACSecret: []byte("short")}
	verifier, _ := newVerifier(provider)
	mustRefuse(t, verifier, idp.HMACToken(t, []byte("short"), object{"alg": "HS256"}, goodClaims(provider.Issuer)), RefusedAlgorithm)
}

func TestAuthorizedPartyIsRequiredUnlessOptional(t *testing.T) {
	f := idp.NewKeys(t)
	home := f.Serve(idp.Custom)
	provider := trusting(home)
	verifier, _ := newVerifier(provider)
	nameless := f.Token("ES256", idp.Head("ES256", "ec"), idp.With(goodClaims(home.URL), object{"azp": nil}))
	mustRefuse(t, verifier, nameless, WrongParty)
	provider.AuthorizedPartyOptional = true
	mustVerify(t, verifier, nameless)
}

func TestTimesBeyondTheLeeway(t *testing.T) {
	f := idp.NewKeys(t)
	home := f.Serve(idp.Custom)
	verifier, _ := newVerifier(trusting(home))
	for claim, beyond := range map[string]time.Duration{"nbf": leeway + time.Second, "iat": leeway + time.Second, "exp": -leeway} {
		want := NotYetValid
		if claim == "exp" {
			want = Expired
		}
		claims := idp.With(goodClaims(home.URL), object{claim: start.Add(beyond).Unix()})
		mustRefuse(t, verifier, f.Token("ES256", idp.Head("ES256", "ec"), claims), want)
	}
}

func TestLongestToken(t *testing.T) {
	home := idp.New(t, idp.Custom)
	verifier, _ := newVerifier(trusting(home))
	mustVerify(t, verifier, home.Padded(goodClaims(home.URL), maxToken))
}

// TestVerdictIsForOneSpelling puts a valid token into the cache first: no other spelling of it may hit.
func TestVerdictIsForOneSpelling(t *testing.T) {
	f := idp.NewKeys(t)
	home := f.Serve(idp.Custom)
	verifier, _ := newVerifier(trusting(home))
	valid := f.Token("RS256", idp.Head("RS256", "rsa"), goodClaims(home.URL))
	mustVerify(t, verifier, valid)
	for _, other := range []string{valid + "\n", valid + "==", " " + valid, idp.Respelled(valid)} {
		mustRefuse(t, verifier, other, MalformedToken)
	}
}

// TestAlgorithmIsTheKeysOwn pins a key that names its algorithm to it.
func TestAlgorithmIsTheKeysOwn(t *testing.T) {
	f := idp.NewKeys(t)
	home := serve(f, idp.KeySet(t, idp.With(f.JWK("RS256"), object{"alg": "PS256"})))
	verifier, _ := newVerifier(trusting(home))
	mustVerify(t, verifier, f.Token("PS256", idp.Head("PS256", "rsa"), goodClaims(home.URL)))
	mustRefuse(t, verifier, f.Token("RS256", idp.Head("RS256", "rsa"), goodClaims(home.URL)), RefusedAlgorithm)
}

func TestRefusalSaysNothingOfTheToken(t *testing.T) {
	verifier, _ := newVerifier()
	_, err := verifier.Verify(t.Context(), "canary.canary.canary")
	if strings.Contains(err.Error(), "canary") || errs.From(err).Details != nil {
		t.Errorf("the error repeats the token: %v", err)
	}
}
