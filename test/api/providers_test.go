package api

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/platform/testkit/idp"
	"github.com/omnistack/omnistack/test/apptest"
)

// challenge is the WWW-Authenticate header of an answer to a token that isn't valid (RFC 6750, section 3).
const challenge = `Bearer realm="api", error="invalid_token"`

// believed is a running product and the provider that it believes.
type believed struct {
	*apptest.App
	issuer *idp.Issuer
}

// eachProvider runs the test with a provider of each shape and the product on each database. The provider is prepared
// before the product starts; prepare may be nil.
func eachProvider(t *testing.T, prepare func(*idp.Issuer), test func(t *testing.T, app believed)) {
	for _, shape := range []idp.Shape{idp.Supabase, idp.Clerk, idp.Custom} {
		for _, engine := range testkit.Engines() {
			t.Run(string(shape)+" on "+string(engine), func(t *testing.T) {
				t.Parallel()
				issuer := idp.New(t, shape)
				if prepare != nil {
					prepare(issuer)
				}
				settings := append(issuer.Settings("AUTH_PROVIDER"), "RATE_LIMIT_ENABLED=false")
				test(t, believed{apptest.Start(t, engine, settings...), issuer})
			})
		}
	}
}

// onlyRSA withdraws all keys but one.
func onlyRSA(issuer *idp.Issuer) { issuer.Publish("RS256") }

// let checks that somebody comes in with a new token by an algorithm.
func (b believed) let(t *testing.T, algorithm, subject string) {
	t.Helper()
	b.as(algorithm, subject).Do(t, "GET", me).Want(200).WantJSON("id", subject)
}

// as returns the API as somebody with a new token by an algorithm.
func (b believed) as(algorithm, subject string) *testkit.API {
	return b.As(b.issuer.Issue(algorithm, idp.Person{Subject: subject}, time.Now()))
}

// refuses checks that a token is answered with 401, and how.
func refuses(t *testing.T, app *apptest.App, what, token string) {
	t.Helper()
	answer := app.Do(t, "GET", me, testkit.Header("Authorization", "Bearer "+token))
	if answer.Status != http.StatusUnauthorized {
		t.Fatalf("%s is answered %d\n%s", what, answer.Status, answer.Body)
	}
	answer.WantError(401, "UNAUTHENTICATED").WantHeader("WWW-Authenticate", challenge)
	answer.WantJSON("error.message", "The access token is not valid").WantJSON("error.details", map[string]any{})
}

func TestEveryProviderSignsItsUsersIn(t *testing.T) {
	ann := idp.Person{Subject: "ann", Email: "ann@example.com", Name: "Ann", Role: "admin"}
	eachProvider(t, nil, func(t *testing.T, app believed) {
		variants := map[string]idp.Object{"": {}}
		if app.issuer.Shape == idp.Clerk {
			variants = map[string]idp.Object{"version 2": {}, "version 1": idp.ClerkV1(), "without azp": {"azp": nil}}
		}
		for _, changes := range variants {
			for _, algorithm := range app.issuer.Algorithms() {
				token := app.issuer.Sign(algorithm, idp.With(app.issuer.Claims(ann, time.Now()), changes))
				app.As(token).Do(t, "GET", me).Want(200).
					WantJSON("id", "ann").WantJSON("email", "ann@example.com").WantJSON("full_name", "Ann").WantJSON("role", "admin")
				app.As(token).Do(t, "GET", people).Want(200)
			}
		}
		bob := app.as("RS256", "bob")
		bob.Do(t, "GET", me).Want(200).WantJSON("email", nil).WantJSON("role", "user")
		bob.Do(t, "GET", people).WantError(403, "FORBIDDEN")
		app.Do(t, "POST", "/api/v1/public/auth/dev-token", testkit.Body(`{"sub": "ann"}`)).WantError(404, "NOT_FOUND")
		app.Do(t, "GET", "/.well-known/jwks.json").WantError(404, "NOT_FOUND")
		if rows := testkit.Rows(t, app.DB, "users_identities", "issuer = ?", app.issuer.Name()); rows != 2 {
			t.Errorf("two people have %d identities", rows)
		}
		silent(t, app.App, "ann@example.com")
	})
}

func TestACustomIssuerHasItsOwnClaims(t *testing.T) {
	issuer := idp.New(t, idp.Custom)
	claims := issuer.Claims(idp.Person{Subject: "auth0|5f7c", Email: "other@example.com", Role: "superadmin"}, time.Now())
	claims["https://app.example.com/role"], claims["contact"] = "admin", idp.Object{"upn": "ann@example.com"}
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		app.As(issuer.Sign("ES256", claims)).Do(t, "GET", me).Want(200).
			WantJSON("id", "auth0|5f7c").WantJSON("email", "ann@example.com").WantJSON("role", "admin")
	}, "AUTH_PROVIDER=custom", "OAUTH_ISSUER="+issuer.URL, "OAUTH_JWKS_URL="+issuer.KeysURL(), "OAUTH_AUDIENCE="+idp.Audience,
		"OAUTH_ROLE_CLAIM=https://app.example.com/role", "OAUTH_EMAIL_CLAIM=contact.upn")
}

// TestKeysAreRotated moves from RS256 to ES256 while people come with tokens of both keys. When the old key is withdrawn the
// product hears of it within ten minutes, which only the tests of platform/auth wait for.
func TestKeysAreRotated(t *testing.T) {
	eachProvider(t, onlyRSA, func(t *testing.T, app believed) {
		app.let(t, "RS256", "ann")
		before := app.issuer.Asked()
		app.issuer.Publish("RS256", "ES256")
		answers := make([]*testkit.Response, 32)
		together(len(answers), func(i int) {
			answers[i] = app.as([]string{"RS256", "ES256"}[i%2], fmt.Sprint("person-", i)).Do(t, "GET", me)
		})
		for i, answer := range answers {
			answer.Want(200).WantJSON("id", fmt.Sprint("person-", i))
		}
		if asked := app.issuer.Asked() - before; asked > 2 { // of which one may be a discovery
			t.Errorf("the new key made the product ask %d times", asked)
		}
		refuses(t, app.App, "a key that was never published", app.issuer.Issue("EdDSA", idp.Person{Subject: "ann"}, time.Now()))
	})
}

// TestNobodyIsLoggedOutByAnOutage has the provider hang, then answer with junk, then hang up. platform/auth has the hour.
func TestNobodyIsLoggedOutByAnOutage(t *testing.T) {
	eachProvider(t, onlyRSA, func(t *testing.T, app believed) {
		ann := app.as("RS256", "ann")
		ann.Do(t, "GET", me).Want(200)
		strangers := idp.NewKeys(t)
		holds := func(when string) {
			t.Helper()
			ann.Do(t, "GET", me).Want(200)
			app.let(t, "RS256", "ann")
			app.let(t, "RS256", when)
			forged := app.issuer.Claims(idp.Person{Subject: "ann"}, time.Now())
			refuses(t, app.App, "a stranger's token "+when, strangers.Token("RS256", strangers.Head("RS256"), forged))
		}
		newer := app.as("ES256", "ann") // nobody can tell whether there is such a key by now

		asked, release := make(chan struct{}, 4), make(chan struct{})
		app.issuer.Answer(func(w http.ResponseWriter, r *http.Request) {
			asked <- struct{}{}
			<-release
			idp.Document(strangers.JWKS()[:200])(w, r)
		})
		waited := make(chan *testkit.Response)
		go func() { waited <- newer.Do(t, "GET", me) }()
		<-asked
		holds("while it hangs")
		close(release)
		(<-waited).WantError(503, "SERVICE_UNAVAILABLE").WantHeader("WWW-Authenticate", "")
		holds("after junk")
		app.issuer.Answer(idp.HangUp)
		newer.Do(t, "GET", me).WantError(503, "SERVICE_UNAVAILABLE")
		newer.Do(t, "GET", me).WantError(503, "SERVICE_UNAVAILABLE")
		holds("while it is gone")
		app.Do(t, "GET", "/health/ready").Want(200)
		silent(t, app.App, "eyJ") // no token
	})
}

// TestAProviderThatIsDownAtTheStart is no reason to log anybody out, and none to restart.
func TestAProviderThatIsDownAtTheStart(t *testing.T) {
	down := func(issuer *idp.Issuer) { issuer.Answer(idp.Status(http.StatusBadGateway)) }
	eachProvider(t, down, func(t *testing.T, app believed) {
		ann := app.as("RS256", "ann")
		ann.Do(t, "GET", me).WantError(503, "SERVICE_UNAVAILABLE").WantHeader("WWW-Authenticate", "")
		refuses(t, app.App, "an unsigned token", idp.Encode([]byte(`{"alg":"none"}`))+"."+idp.Encode(idp.Text(t, app.issuer.Claims(idp.Person{Subject: "ann"}, time.Now())))+".YQ")
		app.Do(t, "GET", me).WantError(401, "UNAUTHENTICATED").WantHeader("WWW-Authenticate", `Bearer realm="api"`)
		if app.issuer.Shape == idp.Supabase {
			app.let(t, "HS256", "bob") // his project hasn't got keys yet
		}
		app.issuer.Answer(nil)
		ann.Do(t, "GET", me).Want(200).WantJSON("id", "ann")
	})
}

// TestJunkBesideAKeyIsPassedOver has a provider publish the keys of tomorrow and of the careless beside a good one.
func TestJunkBesideAKeyIsPassedOver(t *testing.T) {
	junk := func(issuer *idp.Issuer) {
		issuer.PublishSet(string(idp.Text(t, idp.Object{"keys": []any{
			idp.Object{"kty": "AKP", "kid": "future", "alg": "ML-DSA-65", "pub": "AAAA"}, nil, "text", 1,
			idp.Object{"kty": "oct", "kid": "secret", "k": idp.Encode([]byte(idp.Secret))},
			idp.With(issuer.JWK("ES256"), idp.Object{"use": "enc"}), issuer.JWK("RS256"), idp.Object{"kty": "RSA", "kid": "rsa"},
		}})))
	}
	eachProvider(t, junk, func(t *testing.T, app believed) {
		app.let(t, "RS256", "ann")
		claims := app.issuer.Claims(idp.Person{Subject: "ann"}, time.Now())
		refuses(t, app.App, "a token by a key for encryption", app.issuer.Sign("ES256", claims))
		refuses(t, app.App, "a token by a published secret", idp.HMACToken(t, []byte("another secret of 32 bytes or more"), idp.Head("HS256", "secret"), claims))
	})
}

// TestASupabaseProjectLeavesItsSecret rotates the secret, moves to keys while both are in use, and gives the secret up.
func TestASupabaseProjectLeavesItsSecret(t *testing.T) {
	for _, engine := range testkit.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			database, issuer := testkit.DatabaseOptions(t, engine), idp.New(t, idp.Supabase)
			issuer.PublishSet(`{"keys": []}`)
			const older = "the secret before that, as long as it"
			byOlder := func() string {
				return idp.HMACToken(t, []byte(older), idp.Object{"alg": "HS256"}, issuer.Claims(idp.Person{Subject: "ann"}, time.Now()))
			}
			for _, stage := range []struct {
				name, secret string
				keys         []string
				let, refused []string // algorithms; "older" is HS256 with the older secret
			}{
				{name: "with the older secret", secret: older, let: []string{"older"}, refused: []string{"HS256", "ES256"}},
				{name: "with the next secret", secret: idp.Secret, let: []string{"HS256"}, refused: []string{"older", "ES256"}},
				{name: "with a secret and keys", secret: idp.Secret, keys: []string{"ES256"}, let: []string{"HS256", "ES256"}, refused: []string{"older", "RS256"}},
				{name: "with keys", keys: []string{"ES256"}, let: []string{"ES256"}, refused: []string{"older", "HS256", "RS256"}},
			} {
				t.Run(stage.name, func(t *testing.T) {
					if stage.keys != nil {
						issuer.Publish(stage.keys...)
					}
					app := apptest.StartOn(t, database, "AUTH_PROVIDER=supabase", "SUPABASE_PROJECT_URL="+issuer.URL, "SUPABASE_JWT_SECRET="+stage.secret)
					token := func(algorithm string) string {
						if algorithm == "older" {
							return byOlder()
						}
						return issuer.Issue(algorithm, idp.Person{Subject: "ann"}, time.Now())
					}
					for _, algorithm := range stage.let {
						app.As(token(algorithm)).Do(t, "GET", me).Want(200).WantJSON("id", "ann")
					}
					for _, algorithm := range stage.refused {
						refuses(t, app, "a token by "+algorithm, token(algorithm))
					}
					if rows := testkit.Rows(t, app.DB, "users", ""); rows != 1 {
						t.Errorf("ann is %d users", rows)
					}
				})
			}
		})
	}
}

// TestTwoProvidersAtOnce is how a project changes its provider: people of both come in, and neither signs for the other.
func TestTwoProvidersAtOnce(t *testing.T) {
	for _, pair := range [][2]idp.Shape{{idp.Supabase, idp.Clerk}, {idp.Clerk, idp.Custom}, {idp.Custom, idp.Supabase}} {
		for _, engine := range testkit.Engines() {
			t.Run(fmt.Sprintf("%s and %s on %s", pair[0], pair[1], engine), func(t *testing.T) {
				t.Parallel()
				first, second := idp.New(t, pair[0]), idp.New(t, pair[1])
				app := apptest.Start(t, engine, append(first.Settings("AUTH_PROVIDER"), second.Settings("AUTH_PROVIDER_SECONDARY")...)...)
				ann := idp.Person{Subject: "ann"}
				app.As(first.Issue("RS256", ann, time.Now())).Do(t, "GET", me).Want(200).WantJSON("id", "ann")
				if other := app.As(second.Issue("RS256", ann, time.Now())).Do(t, "GET", me).Want(200); other.Text("id") == "ann" {
					t.Error("the same subject of another issuer is the same person")
				}
				refuses(t, app, "a token of the first, signed by the second", second.Sign("RS256", first.Claims(ann, time.Now())))
				refuses(t, app, "a token of the second, signed by the first", first.Sign("RS256", second.Claims(ann, time.Now())))
				refuses(t, app, "a token of the development issuer", first.Sign("RS256", idp.With(first.Claims(ann, time.Now()), idp.Object{"iss": "omnistack-dev", "aud": "omnistack"})))
				if rows := testkit.Rows(t, app.DB, "users", ""); rows != 2 {
					t.Errorf("there are %d users", rows)
				}
			})
		}
	}
}

// TestForgedTokensAreRefused sends every attack of each mode to the running product. The answers are all the same.
func TestForgedTokensAreRefused(t *testing.T) {
	const least = 60
	ann := idp.Person{Subject: "ann", Email: "ann@example.com", Role: "superadmin"}
	for _, shape := range idp.Shapes() {
		for _, engine := range testkit.Engines() {
			t.Run(string(shape)+" on "+string(engine), func(t *testing.T) {
				t.Parallel()
				evil := idp.New(t, idp.Custom)
				var issuer *idp.Issuer
				var app *apptest.App
				if shape == idp.Dev {
					app = apptest.Start(t, engine, "RATE_LIMIT_ENABLED=false")
					app.User(t, "somebody").Do(t, "GET", me).Want(200)
					issuer = idp.OpenDev(t, filepath.Join(app.Settings.Platform.Core.DataDir, "dev_issuer.json"))
				} else {
					issuer = idp.New(t, shape)
					app = apptest.Start(t, engine, append(issuer.Settings("AUTH_PROVIDER"), "RATE_LIMIT_ENABLED=false")...)
					signedIn(app, issuer, "somebody").Do(t, "GET", me).Want(200)
				}
				before, sent := contents(t, app), map[string]bool{}
				for _, attack := range issuer.Attacks(ann, time.Now(), evil) {
					if attack.Sendable() {
						sent[attack.Token] = true
						refuses(t, app, attack.Name, attack.Token)
					}
				}
				t.Logf("%d forged tokens were sent", len(sent))
				if len(sent) < least {
					t.Errorf("only %d, want %d", len(sent), least)
				}
				if n := evil.Asked(); n != 0 {
					t.Errorf("tokens made the product ask the attacker %d times", n)
				}
				if after := contents(t, app); quote(t, before) != quote(t, after) {
					t.Errorf("forged tokens changed rows\nfrom %v\nto   %v", before, after)
				}
				for _, entry := range app.Logs.All() {
					if line := fmt.Sprint(entry.Message, entry.ContextMap()); strings.Contains(line, "eyJ") || strings.Contains(line, ann.Email) {
						t.Errorf("the log holds what was sent: %s", line)
					}
				}
				app.As(issuer.Issue(issuer.Algorithms()[0], ann, time.Now())).Do(t, "GET", me).Want(200)
			})
		}
	}
}
