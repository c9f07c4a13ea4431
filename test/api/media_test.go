package api

import (
	"encoding/json"
	"mime"
	"regexp"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

// Whoever asks for whatever: a body says what it is, and is that. A text says its encoding, too.
func TestEveryBodySaysWhatItIs(t *testing.T) {
	app := apptest.Start(t, database.SQLite)
	root := app.As(app.Token(t, auth.DevClaims{Subject: "root", Role: "superadmin"}))
	parameter := regexp.MustCompile(`\{[a-z_]+\}`)
	seen := map[string]int{}
	for _, route := range app.Routes {
		for _, api := range []*testkit.API{app.API, root} {
			for _, method := range []string{route.Method, "PUT"} {
				answer := api.Do(t, method, parameter.ReplaceAllString(route.Full, "1"))
				if len(answer.Body) == 0 {
					continue
				}
				said := answer.Header.Get("Content-Type")
				media, parameters, err := mime.ParseMediaType(said)
				seen[media]++
				switch {
				case err != nil:
					t.Errorf("%s %s answers %d with the type %q", method, route.Full, answer.Status, said)
				case media == "application/json":
					if !json.Valid(answer.Body) {
						t.Errorf("%s %s answers %d with JSON that isn't: %.100s", method, route.Full, answer.Status, answer.Body)
					}
				case strings.HasPrefix(media, "text/") && parameters["charset"] != "utf-8":
					t.Errorf("%s %s answers %d with a text of type %q", method, route.Full, answer.Status, said)
				}
			}
		}
	}
	if seen["application/json"] < 50 || seen["text/html"] == 0 {
		t.Errorf("seen are only %v", seen)
	}
	t.Logf("seen are %v", seen)
}
