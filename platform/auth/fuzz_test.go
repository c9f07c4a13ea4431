package auth

import (
	"testing"

	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/testkit/idp"
)

// FuzzVerify looks for a token that is accepted though nobody signed it, and for a panic or an error of another kind.
func FuzzVerify(f *testing.F) {
	signer := &idp.Issuer{Keys: idp.NewKeys(f), Shape: idp.Supabase, URL: "https://issuer.test"}
	keys, err := StaticKeySource([]byte(signer.JWKS()))
	if err != nil {
		f.Fatal(err)
	}
	provider := Supabase(signer.URL, idp.Secret)
	provider.Keys = keys
	verifier, _ := newVerifier(provider)
	ann, signed := idp.Person{Subject: "ann", Email: "ann@b.test", Role: "admin"}, map[string]bool{}
	for _, algorithm := range signer.Algorithms() {
		signed[signer.Issue(algorithm, ann, start)] = true
	}
	for token := range signed {
		f.Add(token)
	}
	for _, a := range signer.Attacks(ann, start, &idp.Issuer{Keys: idp.NewKeys(f), Shape: idp.Custom, URL: "https://evil.test"}) {
		f.Add(a.Token)
	}
	f.Add(string(idp.Text(f, signer.Claims(ann, start))))
	f.Fuzz(func(t *testing.T, input string) {
		who, err := verifier.Verify(t.Context(), input)
		if err == nil && !signed[input] {
			t.Fatalf("%q was accepted as %+v", input, who)
		}
		if err != nil && !errs.Is(err, errs.Unauthenticated) {
			t.Fatalf("%q gave %v", input, err)
		}

		// The same bytes as claims under a good signature reach what lies behind it.
		who, err = verifier.Verify(t.Context(), idp.HMACToken(t, []byte(idp.Secret), idp.Head("HS256", ""), input))
		if err == nil && (who.Issuer != provider.Issuer || !validSubject(who.Subject) || !who.ExpiresAt.After(start.Add(-leeway))) {
			t.Fatalf("the claims %q were accepted as %+v", input, who)
		}
		if err != nil && !errs.Is(err, errs.Unauthenticated) {
			t.Fatalf("the claims %q gave %v", input, err)
		}
	})
}

func BenchmarkVerifyCached(b *testing.B) {
	verifier, token := benchmarked(b, "RS256", "rsa")
	mustVerify(b, verifier, token)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := verifier.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyCachedParallel(b *testing.B) {
	verifier, token := benchmarked(b, "RS256", "rsa")
	mustVerify(b, verifier, token)
	b.ReportAllocs()
	b.ResetTimer() // RunParallel doesn't leave out what went before, as Loop does
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := verifier.Verify(b.Context(), token); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkVerifyRS256(b *testing.B) { benchmarkVerify(b, "RS256", "rsa") }
func BenchmarkVerifyES256(b *testing.B) { benchmarkVerify(b, "ES256", "ec") }

// benchmarkVerify measures verification past the cache.
func benchmarkVerify(b *testing.B, algorithm, kid string) {
	verifier, token := benchmarked(b, algorithm, kid)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := verifier.verify(b.Context(), token, start); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarked(b *testing.B, algorithm, kid string) (*Verifier, string) {
	f := idp.NewKeys(b)
	keys, err := StaticKeySource([]byte(f.JWKS()))
	if err != nil {
		b.Fatal(err)
	}
	const issuer = "https://abcdefghijklmnopqrst.supabase.co/auth/v1"
	provider := &Provider{Issuer: issuer, Keys: keys, Audiences: []string{"authenticated"}, Claims: Supabase("https://x", "").Claims}
	verifier, _ := newVerifier(provider)
	token := f.Token(algorithm, idp.Head(algorithm, kid), idp.With(goodClaims(issuer), object{
		"aud": "authenticated", "role": "authenticated", "email": "someone@example.com", "session_id": "0198c0de-0000-7000-8000-000000000000",
		"app_metadata":  object{"provider": "email", "providers": []string{"email"}, "role": "admin"},
		"user_metadata": object{"full_name": "Some One", "avatar_url": "https://cdn.example.com/a.png"},
	}))
	return verifier, token
}
