//scaffold:needs projects

package main

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/page"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
	"github.com/omnistack/omnistack/test/bench/floor"
	wiregen "github.com/omnistack/omnistack/wire_gen"
)

// TestTheFloorAnswersLikeTheProduct runs both over one database, sends them the bench's own requests by its own client
// and compares every answer. So neither the floor nor the bench can fall behind the product unnoticed.
func TestTheFloorAnswersLikeTheProduct(t *testing.T) {
	app := apptest.Start(t, database.Postgres)
	issuer, err := wiregen.OpenDevIssuer(app.Settings, clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	token := func(claims auth.DevClaims) string {
		token, _, err := issuer.Mint(claims)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	product, below := strings.TrimPrefix(app.URL, "http://"), startFloor(t, app, issuer)
	tokens := []string{
		token(auth.DevClaims{Subject: "alice"}),
		token(auth.DevClaims{Subject: "bob"}),
		token(auth.DevClaims{Subject: "carol", Email: "carol@example.com", Name: "Carol"}),
	}
	alice, bob, carol := app.As(tokens[0]), app.As(tokens[1]), app.As(tokens[2])

	// More than a page, so that the list has a next one; with every kind of text and none.
	for i := range 23 {
		body := fmt.Sprintf(`{"name": "Project \"%d\" <ü\\🚀>", "description": "two\nlines\t\u2028"}`, i)
		if i%5 == 0 {
			body = fmt.Sprintf(`{"name": "Project %d"}`, i)
		}
		alice.Do(t, "POST", projectsPath, testkit.Body(body)).Want(201)
	}
	bob.Do(t, "POST", projectsPath, testkit.Body(`{"name": "The only one"}`)).Want(201)
	carol.Do(t, "POST", projectsPath, testkit.Body(`{"name": "Hers"}`)).Want(201)

	people, err := meet(t.Context(), product, tokens)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range endpoints {
		t.Run(e.name, func(t *testing.T) {
			if err := alike(t.Context(), e, product, below, people); err != nil {
				t.Error(err)
			}
			for _, address := range []string{product, below} {
				seen, err := load(t.Context(), address, e.requests(people), e.status, 2, 50*time.Millisecond, nil)
				if err != nil || seen.perSecond <= 0 || seen.p50 <= 0 || seen.p95 < seen.p50 {
					t.Errorf("the load saw %+v, %v", seen, err)
				}
			}
		})
	}

	t.Run("what the floor creates is the product's", func(t *testing.T) {
		made := testkit.NewAPI(t, "http://"+below).As(tokens[0]).
			Do(t, "POST", projectsPath, testkit.Body(`{"name": "Straße", "description": null}`)).Want(201)
		found := alice.Do(t, "GET", made.Header.Get("Location")).Want(200)
		if string(found.Body) != string(made.Body) {
			t.Errorf("the floor said\n%s\nthe product says\n%s", made.Body, found.Body)
		}
		alice.Do(t, "GET", projectsPath+"?q=STRASSE").Want(200).WantJSON("total", 1)
	})
	t.Run("the floor refuses", func(t *testing.T) {
		api := testkit.NewAPI(t, "http://"+below)
		api.Do(t, "GET", mePath).Want(401)
		api.As("x.y.z").Do(t, "GET", mePath).Want(401)
		api.As(token(auth.DevClaims{Subject: "nobody"})).Do(t, "GET", mePath).Want(403)
		api.As(tokens[1]).Do(t, "GET", projectsPath+"/"+people[0].projects[0]).Want(404)
		for _, body := range []string{`{"name": " "}`, `{"name": 1}`, `{"title": "x"}`, `[]`, `{"name": "x"`, ``} {
			api.As(tokens[1]).Do(t, "POST", projectsPath, testkit.Body(body)).Want(422)
		}
	})
}

// startFloor runs the floor over the product's database until the test ends and returns its address.
func startFloor(t *testing.T, app *apptest.App, issuer *auth.DevIssuer) string {
	t.Helper()
	settings := app.Settings.Platform
	pool, err := floor.OpenPool(t.Context(), settings.Database.URL.Reveal(), 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	cursors := page.NewCursors(keyring.New(settings.Core.SecretKey.Reveal(), ""))
	server := httptest.NewServer(floor.New(pool, auth.NewVerifier([]*auth.Provider{issuer.Provider()}, clock.System{}), cursors))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}
