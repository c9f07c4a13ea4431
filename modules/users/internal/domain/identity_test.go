package domain_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
)

func linked(identities ...domain.Identity) []domain.LinkedIdentity {
	var all []domain.LinkedIdentity
	for _, identity := range identities {
		all = append(all, domain.LinkedIdentity{Identity: identity, LinkedAt: birth})
	}
	return all
}

func TestIdentities(t *testing.T) {
	a, b := domain.Identity{Issuer: "i", Subject: "a"}, domain.Identity{Issuer: "i", Subject: "b"}
	ids := []string{
		a.ID(), b.ID(), domain.Identity{Issuer: "ia", Subject: ""}.ID(), domain.Identity{Issuer: "", Subject: "ia"}.ID(),
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != 4 || len(a.ID()) != 32 || a.ID() != (domain.Identity{Issuer: "i", Subject: "a"}).ID() {
		t.Errorf("the ids are %v", ids)
	}
	for subject, valid := range map[string]bool{
		"a": true, strings.Repeat("a", 255): true, "": false, strings.Repeat("a", 256): false, "é": false, "a\nb": false, "\x7f": false,
	} {
		if got := (domain.Identity{Issuer: "i", Subject: subject}).Valid(); got != valid {
			t.Errorf("the subject %q is valid: %t", subject, got)
		}
	}
	if (domain.Identity{Subject: "a"}).Valid() {
		t.Error("an identity of no issuer is valid")
	}
	if err := domain.MayLink(make([]domain.LinkedIdentity, 9)); err != nil {
		t.Error(err)
	}
	if err := domain.MayLink(make([]domain.LinkedIdentity, 10)); !errs.Is(err, errs.Conflict) {
		t.Errorf("an eleventh identity: %v", err)
	}
	for name, test := range map[string]struct {
		linked   []domain.LinkedIdentity
		id       string
		signedIn domain.Identity
		is       errs.Kind
		want     domain.Identity
	}{
		"another one":             {linked: linked(a, b), id: b.ID(), signedIn: a, want: b},
		"the one in use":          {linked: linked(a, b), id: a.ID(), signedIn: a, is: errs.Conflict},
		"the last one":            {linked: linked(b), id: b.ID(), signedIn: a, is: errs.Conflict},
		"one that isn't there":    {linked: linked(a), id: b.ID(), signedIn: a, is: errs.NotFound},
		"one that is no identity": {linked: linked(a, b), id: "x", signedIn: a, is: errs.NotFound},
		"of nobody":               {id: a.ID(), signedIn: a, is: errs.NotFound},
	} {
		got, err := domain.Unlink(test.linked, test.id, test.signedIn)
		if got != test.want || (test.want == domain.Identity{}) != errs.Is(err, test.is) || test.want != (domain.Identity{}) && err != nil {
			t.Errorf("%s: got %+v and %v", name, got, err)
		}
	}
}

func TestIsLogin(t *testing.T) {
	at := birth
	for name, test := range map[string]struct {
		last    *time.Time
		session string
		claims  domain.Claims
		want    bool
	}{
		"the first":                               {claims: domain.Claims{IssuedAt: at}, want: true},
		"the first, of an unknown time":           {want: true},
		"a token renewed within the window":       {last: &at, claims: domain.Claims{IssuedAt: at.Add(domain.LoginWindow)}},
		"a token after the window":                {last: &at, claims: domain.Claims{IssuedAt: at.Add(domain.LoginWindow + time.Second)}, want: true},
		"a token from before":                     {last: &at, claims: domain.Claims{IssuedAt: at.Add(-time.Hour)}},
		"a token of an unknown time":              {last: &at},
		"the same session hours later":            {last: &at, session: "s", claims: domain.Claims{IssuedAt: at.Add(9 * time.Hour), Session: "s"}},
		"another session after the window":        {last: &at, session: "s", claims: domain.Claims{IssuedAt: at.Add(time.Hour), Session: "r"}, want: true},
		"another session within the window":       {last: &at, session: "s", claims: domain.Claims{IssuedAt: at.Add(time.Minute), Session: "r"}},
		"a session after a login without one":     {last: &at, claims: domain.Claims{IssuedAt: at.Add(time.Hour), Session: "r"}, want: true},
		"no session after a login that named one": {last: &at, session: "s", claims: domain.Claims{IssuedAt: at.Add(time.Hour)}, want: true},
	} {
		if got := (domain.User{LastLoginAt: test.last, LastSession: test.session}).IsLogin(test.claims); got != test.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
	for issued, want := range map[time.Time]time.Time{{}: birth, birth.Add(-time.Hour): birth.Add(-time.Hour), birth.Add(time.Second): birth} {
		if got := domain.LoginAt(domain.Claims{IssuedAt: issued}, birth); !got.Equal(want) {
			t.Errorf("a token of %s is a login at %s, want %s", issued, got, want)
		}
	}
}

func TestLearn(t *testing.T) {
	const picture, other = "https://example.com/sam.png", "https://example.com/other.png"
	known := domain.User{Email: new("sam@example.com"), EmailVerified: true, FullName: new("Sam"), AvatarURL: new(picture), Version: 3, UpdatedAt: birth}
	same := domain.Claims{Email: "sam@example.com", EmailVerified: true, FullName: "Sam", AvatarURL: picture}
	change := func(user domain.User, change func(*domain.User)) domain.User {
		change(&user)
		return user
	}
	own := change(known, func(u *domain.User) { u.OwnFullName, u.OwnAvatarURL = true, true })
	cleared := change(own, func(u *domain.User) { u.FullName, u.AvatarURL = nil, nil })
	for name, test := range map[string]struct {
		user   domain.User
		claims domain.Claims
		want   domain.User
	}{
		"the same":              {known, same, known},
		"another address":       {known, domain.Claims{Email: "new@example.com", FullName: "Sam", AvatarURL: picture}, change(known, func(u *domain.User) { u.Email, u.EmailVerified = new("new@example.com"), false })},
		"a verified address":    {change(known, func(u *domain.User) { u.EmailVerified = false }), same, known},
		"no address any more":   {known, domain.Claims{EmailVerified: true, FullName: "Sam", AvatarURL: picture}, change(known, func(u *domain.User) { u.Email, u.EmailVerified = nil, false })},
		"another name":          {known, domain.Claims{Email: "sam@example.com", EmailVerified: true, FullName: "Sue", AvatarURL: picture}, change(known, func(u *domain.User) { u.FullName = new("Sue") })},
		"a picture that is bad": {known, domain.Claims{Email: "sam@example.com", EmailVerified: true, FullName: "Sam", AvatarURL: "http://example.com"}, change(known, func(u *domain.User) { u.AvatarURL = nil })},
		"an address of lines":   {known, domain.Claims{Email: "a\n@example.com", FullName: "Sam", AvatarURL: picture}, change(known, func(u *domain.User) { u.Email, u.EmailVerified = nil, false })},
		"what the user chose":   {own, domain.Claims{Email: "sam@example.com", EmailVerified: true, FullName: "Sue", AvatarURL: other}, own},
		"what the user cleared": {cleared, same, cleared},
	} {
		got, want := test.user, test.want
		changed := got.Learn(test.claims, later)
		if changed {
			want.Version, want.UpdatedAt = 4, later
		}
		if unchanged := reflect.DeepEqual(test.user, test.want); changed == unchanged || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: changed is %t, got %+v, want %+v", name, changed, got, want)
		}
	}
}

func TestWhoIsDeletedMayNotAct(t *testing.T) {
	if err := (domain.User{Deleted: true}).MayAct(); !errs.Is(err, errs.Forbidden) {
		t.Errorf("got %v", err)
	}
}
