package idp_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/testkit/idp"
)

// fetch returns what is answered at a path, and "" for no answer.
func fetch(t *testing.T, issuer *idp.Issuer, path string) (status int, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, issuer.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, ""
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func TestKeysAreWhereTheShapeHasThem(t *testing.T) {
	for shape, path := range map[idp.Shape]string{
		idp.Supabase: "/auth/v1/.well-known/jwks.json", idp.Clerk: "/.well-known/jwks.json", idp.Custom: "/protocol/openid-connect/certs",
	} {
		issuer := idp.New(t, shape)
		if status, body := fetch(t, issuer, path); status != 200 || body != issuer.JWKS() {
			t.Errorf("%s answers %d %s", shape, status, body)
		}
		status, body := fetch(t, issuer, "/.well-known/openid-configuration")
		if found := status == 200 && strings.Contains(body, `"jwks_uri": "`+issuer.URL+path+`"`); found != (shape == idp.Custom) {
			t.Errorf("the configuration of %s is %d %s", shape, status, body)
		}
		if status, _ := fetch(t, issuer, "/"); status != 404 {
			t.Errorf("%s has something at its root", shape)
		}
	}
}

func TestAnIssuerChangesItsMind(t *testing.T) {
	issuer := idp.New(t, idp.Clerk)
	want := func(when string, status int, body string) {
		t.Helper()
		if gotStatus, got := fetch(t, issuer, "/.well-known/jwks.json"); gotStatus != status || got != body {
			t.Errorf("%s it answers %d %s", when, gotStatus, got)
		}
	}
	want("at first", 200, issuer.JWKS("RS256", "ES256", "EdDSA"))
	issuer.Publish("ES256")
	want("after a withdrawal", 200, issuer.JWKS("ES256"))
	issuer.PublishSet("junk")
	want("with junk", 200, "junk")
	issuer.Answer(idp.Status(500))
	want("while it fails", 500, "")
	issuer.Answer(idp.HangUp)
	before := issuer.Asked()
	want("while it is gone", 0, "")
	if issuer.Asked() == before {
		t.Error("a request that got no answer isn't counted")
	}
	issuer.Answer(nil)
	want("when it is back", 200, "junk")
}
