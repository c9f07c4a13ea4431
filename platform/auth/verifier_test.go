package auth

import (
	"go/parser"
	gotoken "go/token"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/testkit/idp"
)

func TestClaimsThatAreAccepted(t *testing.T) {
	f := idp.NewKeys(t)
	home := f.Serve(idp.Custom)
	verifier, _ := newVerifier(trusting(home))
	at := func(d time.Duration) int64 { return start.Add(d).Unix() }
	for name, changes := range map[string]object{
		"no iat":                     {"iat": nil},
		"aud is a list":              {"aud": []string{"other", idp.Audience}},
		"just expired":               {"exp": at(-leeway + time.Second)},
		"nbf within the leeway":      {"nbf": at(leeway)},
		"iat within the leeway":      {"iat": at(leeway)},
		"exp with a fraction":        {"exp": float64(at(time.Minute)) + 0.5},
		"exp in 9999":                {"exp": lasting},
		"sub is 255 long":            {"sub": strings.Repeat("a", 255)},
		"sub as Auth0 makes it":      {"sub": "auth0|123"},
		"unknown claims":             {"x": object{"y": []any{nil, true, 1.5}}},
		"a duplicate in other depth": {"x": object{"sub": "admin"}},
	} {
		t.Run(name, func(t *testing.T) {
			claims := idp.With(goodClaims(home.URL), changes)
			who := mustVerify(t, verifier, f.Token("ES256", idp.Head("ES256", "ec"), claims))
			if who.Subject != claims["sub"] || who.Issuer != home.URL {
				t.Errorf("the identity is %+v", who)
			}
		})
	}
	for _, typ := range []any{nil, "JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt"} {
		mustVerify(t, verifier, f.Token("ES256", idp.With(idp.Head("ES256", "ec"), object{"typ": typ}), goodClaims(home.URL)))
	}
}

func TestTokenWithoutKidNeedsASingleKey(t *testing.T) {
	f := idp.NewKeys(t)
	home := serve(f, idp.KeySet(t, idp.With(f.JWK("ES256"), object{"kid": nil})))
	verifier, _ := newVerifier(trusting(home))
	nameless := f.Token("ES256", object{"alg": "ES256"}, goodClaims(home.URL))
	mustVerify(t, verifier, nameless)

	home.Answer(idp.Document(f.JWKS()))
	if err := verifier.providers[home.URL].Keys.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	asked := home.Asked()
	mustRefuse(t, verifier, nameless, UnknownKey)
	if home.Asked() != asked {
		t.Error("a token without a kid made us fetch")
	}
}

func TestIdentity(t *testing.T) {
	paths := ClaimPaths{Email: "email", EmailVerified: "email_verified", Name: "user_metadata.name", Avatar: "picture", Role: "https://app.test/role"}
	const role = "https://app.test/role"
	for name, test := range map[string]struct {
		claims object
		want   Identity
	}{
		"everything": {
			object{"email": "a@b.test", "email_verified": true, "user_metadata": object{"name": "Zoë"}, "picture": "https://cdn.test/a.png", role: "admin"},
			Identity{Email: "a@b.test", EmailVerified: true, Name: "Zoë", AvatarURL: "https://cdn.test/a.png", Role: RoleAdmin},
		},
		"nothing":                       {object{}, Identity{}},
		"nulls":                         {object{"email": nil, "email_verified": nil, "user_metadata": nil, "picture": nil, role: nil}, Identity{}},
		"wrong shapes":                  {object{"email": 1, "email_verified": "true", "user_metadata": []int{1}, "picture": object{}, role: object{"role": "admin"}}, Identity{}},
		"unknown role":                  {object{role: "authenticated"}, Identity{}},
		"role in other case":            {object{role: "Admin"}, Identity{}},
		"the highest of several roles":  {object{role: []string{"user", "superadmin", "x", "admin"}}, Identity{Role: RoleSuperadmin}},
		"verified without an address":   {object{"email_verified": true}, Identity{}},
		"control characters":            {object{"email": "a\n@b.test", "user_metadata": object{"name": "a\x00b"}}, Identity{}},
		"a script as avatar":            {object{"picture": "javascript:alert(1)"}, Identity{}},
		"a path as avatar":              {object{"picture": "//evil.test/a.png"}, Identity{}},
		"what is too long":              {object{"email": strings.Repeat("a", 321), "user_metadata": object{"name": strings.Repeat("a", 256)}}, Identity{}},
		"role from the user's own data": {object{"user_metadata": object{role: "admin", "role": "admin"}, "role": "admin"}, Identity{}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := decoded(t, test.claims).identity(paths); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// TestUserEditedClaimsHaveNoAuthority configures the mistake and checks that it is refused and has no effect.
func TestUserEditedClaimsHaveNoAuthority(t *testing.T) {
	own := object{"role": "superadmin", "email": "a@b.test", "email_verified": true}
	for _, from := range []string{"user_metadata", "unsafe_metadata", "x.user_metadata"} {
		claims := object{"email": "a@b.test", "user_metadata": own, "unsafe_metadata": own, "x": object{"user_metadata": own}}
		for _, test := range []struct {
			paths ClaimPaths
			want  Identity
		}{
			{ClaimPaths{Email: from + ".email"}, Identity{}},
			{ClaimPaths{Email: "email", EmailVerified: from + ".email_verified"}, Identity{Email: "a@b.test"}},
			{ClaimPaths{Role: from + ".role"}, Identity{}},
		} {
			if got := decoded(t, claims).identity(test.paths); got != test.want {
				t.Errorf("%+v gave %+v", test.paths, got)
			}
			provider := &Provider{Issuer: "x", HMACSecret: []byte(idp.Secret), Claims: test.paths}
			if provider.Validate() == nil {
				t.Errorf("a provider that reads %+v is valid", test.paths)
			}
		}
	}
}

// TestShapes reads a token of each provider as it makes them. Nothing that users may edit themselves counts.
func TestShapes(t *testing.T) {
	ann := idp.Person{Subject: "ann", Email: "ann@b.test", Name: "Ann", Role: "admin"}
	issued := start.Add(-time.Minute)
	full := Identity{Subject: "ann", Email: "ann@b.test", Name: "Ann", Role: RoleAdmin, IssuedAt: issued, ExpiresAt: issued.Add(time.Hour)}
	bare := Identity{Subject: "bob", IssuedAt: issued, ExpiresAt: issued.Add(time.Hour)}
	for name, test := range map[string]struct {
		shape    idp.Shape
		session  string
		verified bool
		changes  object
	}{
		"supabase":          {shape: idp.Supabase, session: "0f0a1c1e-52f7-4d1c-a9c1-5b4dd4bd2a7e"},
		"clerk":             {shape: idp.Clerk, session: "sess_2xG4qT1Yb0WcW4hPzv1kH3nJm9L", verified: true},
		"clerk, version 1":  {shape: idp.Clerk, session: "sess_2xG4qT1Yb0WcW4hPzv1kH3nJm9L", verified: true, changes: idp.ClerkV1()},
		"clerk without azp": {shape: idp.Clerk, session: "sess_2xG4qT1Yb0WcW4hPzv1kH3nJm9L", verified: true, changes: object{"azp": nil}},
		"custom":            {shape: idp.Custom, session: "a8ac21e8", verified: true},
		"dev":               {shape: idp.Dev, verified: true},
	} {
		t.Run(name, func(t *testing.T) {
			issuer, provider := preset(t, test.shape)
			if err := provider.Validate(); err != nil {
				t.Fatal(err)
			}
			verifier, _ := newVerifier(provider)
			for _, algorithm := range issuer.Algorithms() {
				want := full
				want.Issuer, want.Session, want.EmailVerified = issuer.Name(), test.session, test.verified
				if got := mustVerify(t, verifier, issuer.Sign(algorithm, idp.With(issuer.Claims(ann, issued), test.changes))); got != want {
					t.Errorf("got %+v, want %+v", got, want)
				}
				want = bare
				want.Issuer, want.Session = issuer.Name(), test.session
				if got := mustVerify(t, verifier, issuer.Sign(algorithm, idp.With(issuer.Claims(idp.Person{Subject: "bob"}, issued), test.changes))); got != want {
					t.Errorf("got %+v, want %+v", got, want)
				}
			}
		})
	}
}

func TestSettingsWithASlashAtTheirEnd(t *testing.T) {
	supabase, clerk := idp.New(t, idp.Supabase), idp.New(t, idp.Clerk)
	verifier, _ := newVerifier(Supabase(supabase.URL+"/", ""), Clerk(clerk.URL+"/", nil))
	for _, issuer := range []*idp.Issuer{supabase, clerk} {
		mustVerify(t, verifier, issuer.Issue("ES256", idp.Person{Subject: "ann"}, start))
	}
}

func TestCustomReadsOnlyWhatItIsTold(t *testing.T) {
	issuer := idp.New(t, idp.Custom)
	verifier, _ := newVerifier(Custom(issuer.URL, issuer.KeysURL(), "", "", "contact.upn"))
	claims := idp.With(issuer.Claims(idp.Person{Subject: "ann", Email: "other@b.test", Role: "admin"}, start), object{
		"aud": "another", "role": "admin", "contact": object{"upn": "ann@b.test"},
	})
	got := mustVerify(t, verifier, issuer.Sign("ES256", claims))
	if got.Email != "ann@b.test" || got.Role != "" {
		t.Errorf("got %+v", got)
	}
}

// TestHMACNeedsNoKeys: a legacy project works while its key endpoint doesn't.
func TestHMACNeedsNoKeys(t *testing.T) {
	f := idp.NewKeys(t)
	provider := &Provider{Issuer: "https://issuer.test", HMACSecret: []byte(idp.Secret)}
	verifier, _ := newVerifier(provider)
	claims := goodClaims(provider.Issuer)
	mustVerify(t, verifier, idp.HMACToken(t, []byte(idp.Secret), object{"alg": "HS256"}, claims))
	mustVerify(t, verifier, idp.HMACToken(t, []byte(idp.Secret), idp.Head("HS256", "any"), claims)) // Supabase gives its secret a name
	mustRefuse(t, verifier, f.Token("RS256", idp.Head("RS256", "rsa"), claims), RefusedAlgorithm)
}

func TestProviderWithoutIssuerTrustsNobody(t *testing.T) {
	verifier, _ := newVerifier(&Provider{HMACSecret: []byte(idp.Secret)})
	for _, issuer := range []any{nil, ""} {
		claims := idp.With(goodClaims(""), object{"iss": issuer})
		mustRefuse(t, verifier, idp.HMACToken(t, []byte(idp.Secret), object{"alg": "HS256"}, claims), UnknownIssuer)
	}
}

func TestProviderIsChosenByIssuer(t *testing.T) {
	f, other := idp.NewKeys(t), idp.NewKeys(t)
	first, second := f.Serve(idp.Custom), other.Serve(idp.Custom)
	verifier, _ := newVerifier(trusting(first), trusting(second))
	mustVerify(t, verifier, f.Token("RS256", idp.Head("RS256", "rsa"), goodClaims(first.URL)))
	mustVerify(t, verifier, other.Token("RS256", idp.Head("RS256", "rsa"), goodClaims(second.URL)))
	mustRefuse(t, verifier, f.Token("RS256", idp.Head("RS256", "rsa"), goodClaims(second.URL)), InvalidSignature)
}

func TestProviderValidate(t *testing.T) {
	for name, provider := range map[string]*Provider{
		"no issuer":    {HMACSecret: []byte(idp.Secret)},
		"nothing":      {Issuer: "x"},
		"short secret": {Issuer: "x", HMACSecret: []byte("short")},
	} {
		if provider.Validate() == nil {
			t.Errorf("a provider with %s is valid", name)
		}
	}
}

func TestVerdictIsRemembered(t *testing.T) {
	f := idp.NewKeys(t)
	home := f.Serve(idp.Custom)
	provider := trusting(home)
	verifier, now := newVerifier(provider)
	token := f.Token("RS256", idp.Head("RS256", "rsa"), idp.With(goodClaims(home.URL), object{"email": "a@b.test"}))
	first := mustVerify(t, verifier, token)

	// A verdict needs no signature any more: without a public key to check one, only the cache can answer.
	for _, key := range provider.Keys.current.Load().byID {
		key[0].algorithms = nil
	}
	if second := mustVerify(t, verifier, token); second != first {
		t.Errorf("remembered as %+v, was %+v", second, first)
	}

	now.Advance(time.Hour - time.Microsecond)
	mustVerify(t, verifier, token)
	now.Advance(time.Microsecond)
	mustRefuse(t, verifier, token, RefusedAlgorithm) // at exp it is verified again, where only the leeway could save it
}

func TestVerdictEndsWithTheKeys(t *testing.T) {
	f := idp.NewKeys(t)
	home := f.Serve(idp.Custom)
	verifier, _ := newVerifier(trusting(home))
	byRSA := f.Token("RS256", idp.Head("RS256", "rsa"), goodClaims(home.URL))
	byEC := f.Token("ES256", idp.Head("ES256", "ec"), goodClaims(home.URL))
	mustVerify(t, verifier, byRSA)
	mustVerify(t, verifier, byEC)

	home.Answer(idp.Document(f.JWKS("ES256"))) // the RSA key was revoked
	if err := verifier.providers[home.URL].Keys.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustRefuse(t, verifier, byRSA, UnknownKey)
	mustVerify(t, verifier, byEC)
}

// TestJWXIsConfined keeps the dead library in the one file that a move to its successor changes.
func TestJWXIsConfined(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(gotoken.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imported := range parsed.Imports {
			if file != "jose.go" && strings.Contains(imported.Path.Value, "/jwx/") {
				t.Errorf("%s imports %s", file, imported.Path.Value)
			}
		}
	}
}

func decoded(t *testing.T, value object) claims {
	t.Helper()
	parsed, err := parseToken(idp.Encode([]byte("{}")) + "." + idp.Encode(idp.Text(t, value)) + "." + idp.Encode([]byte("-")))
	if err != nil {
		t.Fatal(err)
	}
	return parsed.claims
}
