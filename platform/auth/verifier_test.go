package auth

import (
	"go/parser"
	gotoken "go/token"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestClaimsThatAreAccepted(t *testing.T) {
	f := newForge(t)
	home := newServer(t, f.publicKeys())
	verifier, _ := newVerifier(home.provider())
	at := func(d time.Duration) int64 { return start.Add(d).Unix() }
	for name, changes := range map[string]object{
		"no iat":                     {"iat": nil},
		"aud is a list":              {"aud": []string{"other", ours}},
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
			claims := with(goodClaims(home.URL), changes)
			who := mustVerify(t, verifier, f.token("ES256", head("ES256", "ec"), claims))
			if who.Subject != claims["sub"] || who.Issuer != home.URL {
				t.Errorf("the identity is %+v", who)
			}
		})
	}
	for _, typ := range []any{nil, "JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt"} {
		mustVerify(t, verifier, f.token("ES256", with(head("ES256", "ec"), object{"typ": typ}), goodClaims(home.URL)))
	}
}

func TestTokenWithoutKidNeedsASingleKey(t *testing.T) {
	f := newForge(t)
	home := newServer(t, f.jwks(with(f.ecKey(), object{"kid": nil})))
	verifier, _ := newVerifier(home.provider())
	nameless := f.token("ES256", object{"alg": "ES256"}, goodClaims(home.URL))
	mustVerify(t, verifier, nameless)

	home.answers(document(f.publicKeys()))
	if err := home.keys(verifier).Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	asked := home.asked.Load()
	mustRefuse(t, verifier, nameless, UnknownKey)
	if home.asked.Load() != asked {
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
			provider := &Provider{Issuer: "x", HMACSecret: []byte(testSecret), Claims: test.paths}
			if provider.Validate() == nil {
				t.Errorf("a provider that reads %+v is valid", test.paths)
			}
		}
	}
}

func TestPresets(t *testing.T) {
	f := newForge(t)
	home := newServer(t, f.publicKeys())
	person := object{
		"email": "a@b.test", "name": "Ann", "picture": "https://cdn.test/a.png", "sid": "s1", "iat": start.Add(-time.Minute).Unix(),
	}
	full := Identity{
		Subject: "user-1", Email: "a@b.test", Name: "Ann", AvatarURL: "https://cdn.test/a.png", Role: RoleAdmin, Session: "s1",
		IssuedAt: start.Add(-time.Minute),
	}
	verified := full
	verified.EmailVerified = true

	for name, test := range map[string]struct {
		provider *Provider
		claims   object
		want     Identity
	}{
		"supabase": {
			Supabase(home.URL+"/", ""),
			object{
				"iss": home.URL + "/auth/v1", "aud": "authenticated", "role": "authenticated", "email": "a@b.test",
				"app_metadata": object{"role": "admin"}, "session_id": "s1", "iat": start.Add(-time.Minute).Unix(),
				"user_metadata": object{"role": "superadmin", "email_verified": true, "full_name": "Ann", "avatar_url": "https://cdn.test/a.png"},
			},
			full,
		},
		"clerk without azp": {
			Clerk(home.URL+"/", []string{origin}),
			with(person, object{"iss": home.URL, "email_verified": true, "public_metadata": object{"role": "admin"}, "unsafe_metadata": object{"role": "superadmin"}}),
			verified,
		},
		"clerk with azp": {
			Clerk(home.URL, []string{origin}),
			with(person, object{"iss": home.URL, "azp": origin, "email_verified": true, "public_metadata": object{"role": "admin"}}),
			verified,
		},
		"custom": {
			Custom(home.URL, home.URL, ours, "realm_access.roles", ""),
			with(person, object{"iss": home.URL, "aud": ours, "realm_access": object{"roles": []string{"offline", "admin"}}}),
			full,
		},
		"custom without an audience or a role": {
			Custom(home.URL, home.URL, "", "", "upn"),
			object{"iss": home.URL, "upn": "a@b.test", "role": "admin"},
			Identity{Subject: "user-1", Email: "a@b.test"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := test.provider.Validate(); err != nil {
				t.Fatal(err)
			}
			verifier, _ := newVerifier(test.provider)
			test.claims["sub"], test.claims["exp"] = "user-1", start.Add(time.Minute).Unix()
			test.want.Issuer, test.want.ExpiresAt = test.provider.Issuer, start.Add(time.Minute)
			got := mustVerify(t, verifier, f.token("RS256", head("RS256", "rsa"), test.claims))
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}

	clerk, _ := newVerifier(Clerk(home.URL, []string{origin}))
	claims := object{"iss": home.URL, "sub": "user-1", "exp": start.Add(time.Minute).Unix(), "azp": "https://evil.test"}
	mustRefuse(t, clerk, f.token("RS256", head("RS256", "rsa"), claims), WrongParty)
}

// TestSupabaseWhileItRotates accepts the legacy secret and the new key at once.
func TestSupabaseWhileItRotates(t *testing.T) {
	f := newForge(t)
	home := newServer(t, f.publicKeys())
	verifier, _ := newVerifier(Supabase(home.URL, testSecret))
	claims := with(goodClaims(home.URL+"/auth/v1"), object{"aud": "authenticated"})
	mustVerify(t, verifier, f.hmacToken([]byte(testSecret), object{"alg": "HS256", "typ": "JWT"}, claims))
	mustVerify(t, verifier, f.token("ES256", head("ES256", "ec"), claims))
}

// TestHMACNeedsNoKeys: a legacy project works while its key endpoint doesn't.
func TestHMACNeedsNoKeys(t *testing.T) {
	f := newForge(t)
	provider := &Provider{Issuer: "https://issuer.test", HMACSecret: []byte(testSecret)}
	verifier, _ := newVerifier(provider)
	claims := goodClaims(provider.Issuer)
	mustVerify(t, verifier, f.hmacToken([]byte(testSecret), object{"alg": "HS256"}, claims))
	mustRefuse(t, verifier, f.token("RS256", head("RS256", "rsa"), claims), RefusedAlgorithm)
}

func TestProviderWithoutIssuerTrustsNobody(t *testing.T) {
	f := newForge(t)
	verifier, _ := newVerifier(&Provider{HMACSecret: []byte(testSecret)})
	for _, issuer := range []any{nil, ""} {
		claims := with(goodClaims(""), object{"iss": issuer})
		mustRefuse(t, verifier, f.hmacToken([]byte(testSecret), object{"alg": "HS256"}, claims), UnknownIssuer)
	}
}

func TestProviderIsChosenByIssuer(t *testing.T) {
	f, other := newForge(t), newForge(t)
	first, second := newServer(t, f.publicKeys()), newServer(t, other.publicKeys())
	verifier, _ := newVerifier(first.provider(), second.provider())
	mustVerify(t, verifier, f.token("RS256", head("RS256", "rsa"), goodClaims(first.URL)))
	mustVerify(t, verifier, other.token("RS256", head("RS256", "rsa"), goodClaims(second.URL)))
	mustRefuse(t, verifier, f.token("RS256", head("RS256", "rsa"), goodClaims(second.URL)), InvalidSignature)
}

func TestProviderValidate(t *testing.T) {
	for name, provider := range map[string]*Provider{
		"no issuer":    {HMACSecret: []byte(testSecret)},
		"nothing":      {Issuer: "x"},
		"short secret": {Issuer: "x", HMACSecret: []byte("short")},
	} {
		if provider.Validate() == nil {
			t.Errorf("a provider with %s is valid", name)
		}
	}
}

func TestVerdictIsRemembered(t *testing.T) {
	f := newForge(t)
	home := newServer(t, f.publicKeys())
	provider := home.provider()
	verifier, now := newVerifier(provider)
	token := f.token("RS256", head("RS256", "rsa"), with(goodClaims(home.URL), object{"email": "a@b.test"}))
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
	f := newForge(t)
	home := newServer(t, f.publicKeys())
	verifier, _ := newVerifier(home.provider())
	byRSA := f.token("RS256", head("RS256", "rsa"), goodClaims(home.URL))
	byEC := f.token("ES256", head("ES256", "ec"), goodClaims(home.URL))
	mustVerify(t, verifier, byRSA)
	mustVerify(t, verifier, byEC)

	home.answers(document(f.jwks(f.ecKey()))) // the RSA key was revoked
	if err := home.keys(verifier).Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustRefuse(t, verifier, byRSA, UnknownKey)
	mustVerify(t, verifier, byEC)
}

func TestVerdictsAreBounded(t *testing.T) {
	cache := newRecent[digest, verdict](10)
	known := verdict{who: Identity{Subject: "used", ExpiresAt: start.Add(time.Hour)}}
	used := digest{255}
	cache.put(used, known)
	for i := range 100 {
		cache.put(digest{byte(i)}, known)
		if size := len(cache.young) + len(cache.old); size > 10 {
			t.Fatalf("it holds %d", size)
		}
		if _, found := cache.get(used); !found {
			t.Fatal("what is used was dropped")
		}
	}
	if _, found := cache.get(digest{0}); found {
		t.Error("what isn't used was kept")
	}
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

// keys returns the key source that v has for the server.
func (s *server) keys(v *Verifier) *KeySource { return v.providers[s.URL].Keys }

func decoded(t *testing.T, value object) claims {
	t.Helper()
	parsed, err := parseToken(encode([]byte("{}")) + "." + encode(text(t, value)) + "." + encode([]byte("-")))
	if err != nil {
		t.Fatal(err)
	}
	return parsed.claims
}
