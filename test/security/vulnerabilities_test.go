package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// govulncheck runs, and its word counts, iff the database answers. It is played by commands that only succeed or fail.
func TestGovulncheckRunsWhereItsDatabaseAnswers(t *testing.T) {
	database := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/index/modules.json" {
			http.NotFound(w, r)
		}
	}))
	defer database.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, test := range map[string]struct {
		url, command string
		fails        bool
	}{
		"nothing is found":       {database.URL, "true", false},
		"something is found":     {database.URL, "false", true},
		"nobody is there":        {gone.URL, "false", false},
		"somebody else is there": {database.URL + "/other", "false", false},
	} {
		t.Run(name, func(t *testing.T) {
			err := checkVulnerabilities(t.Context(), options{govulncheck: []string{test.command}, vulnerabilities: test.url})
			if (err != nil) != test.fails {
				t.Errorf("got %v", err)
			}
		})
	}
}
