package auth

import (
	"errors"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/platform/errs"
)

func TestBearerToken(t *testing.T) {
	for _, header := range []string{"Bearer abc", "bearer abc", "BEARER abc", "Bearer   abc"} {
		if token, err := BearerToken(header); token != "abc" || err != nil {
			t.Errorf("%q gave %q, %v", header, token, err)
		}
	}
	for header, want := range map[string]Reason{
		"":                         MissingToken,
		"Basic YTpi":               MissingToken,
		"abc":                      MissingToken,
		" Bearer abc":              MissingToken,
		"Bearerabc":                MissingToken,
		"Bearer\tabc":              MissingToken,
		"Bearer":                   MalformedHeader,
		"Bearer ":                  MalformedHeader,
		"Bearer  ":                 MalformedHeader,
		"Bearer abc ":              MalformedHeader,
		"Bearer abc def":           MalformedHeader,
		"Bearer abc,Bearer def":    MalformedHeader,
		"Bearer abc, Basic YTpi":   MalformedHeader,
		"Bearer \tabc":             MalformedHeader,
		"Bearer abc\n":             MalformedHeader,
		"Bearer abc\x00":           MalformedHeader,
		`Bearer "abc"`:             MalformedHeader,
		"Bearer ab=c":              MalformedHeader,
		"Bearer =":                 MalformedHeader,
		"Bearer token=\"abc\"":     MalformedHeader,
		"Bearer caf\u00e9":         MalformedHeader,
		"Bearer Bearer abc":        MalformedHeader,
		"Bearer undefined or null": MalformedHeader,
	} {
		token, err := BearerToken(header)
		var got Reason
		if token != "" || !errs.Is(err, errs.Unauthenticated) || !errors.As(err, &got) || got != want {
			t.Errorf("%q gave %q, %v, want %s", header, token, err, want)
		}
	}
}

func TestChallenge(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{refusal(MissingToken), `Bearer realm="api"`},
		{refusal(Expired), `Bearer realm="api", error="invalid_token"`},
		{refusal(MalformedHeader), `Bearer realm="api", error="invalid_token"`},
		{errs.New(errs.Unauthenticated, "no"), `Bearer realm="api"`},
	} {
		if got := Challenge(test.err); got != test.want {
			t.Errorf("%v gave %s, want %s", test.err, got, test.want)
		}
	}
}

func TestRoles(t *testing.T) {
	ladder := []Role{RoleUser, RoleAdmin, RoleSuperadmin}
	for i, role := range ladder {
		if parsed, known := ParseRole(string(role)); parsed != role || !known {
			t.Errorf("%s isn't known", role)
		}
		for j, other := range ladder {
			if role.Includes(other) != (i >= j) {
				t.Errorf("%s.Includes(%s) is %t", role, other, i < j)
			}
		}
		for _, unknown := range []Role{"", "root", "Admin"} {
			if unknown.Includes(role) || role.Includes(unknown) || unknown.Includes(unknown) {
				t.Errorf("%q means something beside %s", unknown, role)
			}
		}
	}
	if _, known := ParseRole("Admin"); known {
		t.Error("Admin is known")
	}
}

func TestPrincipal(t *testing.T) {
	p := Principal{UserID: "user-1", Role: RoleAdmin}
	if p.Scope().User != "user-1" {
		t.Errorf("the scope is %+v", p.Scope())
	}
}

func FuzzBearerToken(f *testing.F) {
	for _, seed := range []string{"", "Bearer", "Bearer abc", "bearer  a.b-c_d~e+f/g==", "Basic YTpi", "Bearer a b", "Bearer \x00", "Bearer é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		token, err := BearerToken(header)
		if (token == "") != (err != nil) {
			t.Fatalf("%q gave both or neither: %q, %v", header, token, err)
		}
		if err != nil {
			return
		}
		if strings.ContainsAny(token, " ,\t\r\n\x00\"") || !strings.HasSuffix(header, token) {
			t.Fatalf("%q gave %q", header, token)
		}
		if again, err := BearerToken("Bearer " + token); again != token || err != nil {
			t.Fatalf("%q isn't stable: %q, %v", token, again, err)
		}
	})
}
