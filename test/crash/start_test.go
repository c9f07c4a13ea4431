//scaffold:needs projects

package crash

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
)

func TestNobodyNoticesProgramsThatStart(t *testing.T) {
	t.Parallel()
	for _, engine := range testkit.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, nothingThere(t, engine), "ENVIRONMENT=test") // where a program migrates by itself
			together := []*program{s.launch(), s.launch(), s.launch()}
			together[0].await()
			l := s.begin("http://"+together[0].host, mustAnswer, nil)
			for _, p := range together[1:] {
				p.await()
			}
			l.reach(t, 50)
			s.start().kill()
			l.reach(t, 50)
			l.end(t)
			t.Log(s.count(l))

			applied := 0
			for _, p := range together {
				applied += strings.Count(p.written(), "migration applied")
			}
			if migrations := testkit.Rows(t, s.db, "atlas_schema_revisions", ""); applied != migrations {
				t.Errorf("%d migrations were applied %d times", migrations, applied)
			}
		})
	}
}

// nothingThere returns a database without a schema.
func nothingThere(t *testing.T, engine database.Engine) database.Options {
	if engine == database.SQLite {
		return database.Options{Engine: engine, Target: filepath.Join(t.TempDir(), "new.db")}
	}
	return database.Options{Engine: engine, Target: testkit.NewPostgresServer(t).URL, PoolSize: 4}
}

// A deployment knows by PUBLIC_URL that clients must come by https, and by its proxies that one didn't.
func TestADeploymentSendsClientsToHTTPS(t *testing.T) {
	t.Parallel()
	for proxies, status := range map[string]int{"TRUSTED_PROXIES=127.0.0.1": http.StatusPermanentRedirect, "TRUSTED_PROXIES=": http.StatusUnauthorized} {
		p := newSite(t, testkit.DatabaseOptions(t, database.SQLite), proxies).start()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.host+projects+"?limit=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Forwarded-Proto", "http")
		answer, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		to := map[int]string{http.StatusPermanentRedirect: "https://api.example.com" + projects + "?limit=1"}[status]
		if answer.StatusCode != status || answer.Header.Get("Location") != to {
			t.Errorf("with %s it is answered %d, to %q", proxies, answer.StatusCode, answer.Header.Get("Location"))
		}
	}
}
