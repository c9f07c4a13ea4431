package domain_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/errs/errstest"
)

var (
	birth = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	later = birth.Add(time.Hour)
)

// What the issuer says is taken over where it fits our rules. A claim that doesn't must not lock anybody out.
func TestRegister(t *testing.T) {
	sam := domain.Identity{Issuer: "issuer", Subject: "sam"}
	longName, longURL := strings.Repeat("é", 201), "https://example.com/"+strings.Repeat("a", 2048)
	for name, test := range map[string]struct {
		claims domain.Claims
		want   domain.User
	}{
		"nothing but the identity": {
			domain.Claims{Identity: sam},
			domain.User{Role: domain.RoleUser},
		},
		"everything": {
			domain.Claims{Identity: sam, Email: "sam@example.com", EmailVerified: true, FullName: "Sam 🚀", AvatarURL: "https://example.com/sam.png"},
			domain.User{Email: new("sam@example.com"), EmailVerified: true, FullName: new("Sam 🚀"), AvatarURL: new("https://example.com/sam.png"), Role: domain.RoleUser},
		},
		"an address that isn't verified": {
			domain.Claims{Identity: sam, Email: "sam@example.com"},
			domain.User{Email: new("sam@example.com"), Role: domain.RoleUser},
		},
		"a blank name":                   {domain.Claims{Identity: sam, FullName: " "}, domain.User{Role: domain.RoleUser}},
		"a name that is too long":        {domain.Claims{Identity: sam, FullName: longName}, domain.User{Role: domain.RoleUser}},
		"a name of two lines":            {domain.Claims{Identity: sam, FullName: "Sam\nAdmin"}, domain.User{Role: domain.RoleUser}},
		"a picture without encryption":   {domain.Claims{Identity: sam, AvatarURL: "http://example.com/sam.png"}, domain.User{Role: domain.RoleUser}},
		"a picture that is a script":     {domain.Claims{Identity: sam, AvatarURL: "javascript:alert(1)"}, domain.User{Role: domain.RoleUser}},
		"a picture with a long address":  {domain.Claims{Identity: sam, AvatarURL: longURL}, domain.User{Role: domain.RoleUser}},
		"a picture that is no address":   {domain.Claims{Identity: sam, AvatarURL: "https://%zz"}, domain.User{Role: domain.RoleUser}},
		"a picture with a password":      {domain.Claims{Identity: sam, AvatarURL: "https://a:b@example.com/"}, domain.User{Role: domain.RoleUser}},
		"a picture that is on no server": {domain.Claims{Identity: sam, AvatarURL: "https:///sam.png"}, domain.User{Role: domain.RoleUser}},
	} {
		want := test.want
		want.ID, want.Active, want.Version = "u1", true, 1
		want.CreatedAt, want.UpdatedAt = birth, birth
		if got := domain.Register("u1", test.claims, birth); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

func TestMayAct(t *testing.T) {
	for name, test := range map[string]struct {
		user    domain.User
		allowed bool
		says    string
	}{
		"active":    {domain.User{Active: true}, true, ""},
		"suspended": {domain.User{}, false, "suspended"},
		"deleted":   {domain.User{Deleted: true}, false, "deleted"},
		"both":      {domain.User{Active: true, Deleted: true}, false, "deleted"},
	} {
		err := test.user.MayAct()
		if test.allowed != (err == nil) || !test.allowed && (!errs.Is(err, errs.Forbidden) || !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestExpect(t *testing.T) {
	user := domain.User{Version: 3}
	for version, fits := range map[int64]bool{0: true, 3: true, 2: false, 4: false, -1: false} {
		if err := user.Expect(version); fits != (err == nil) || !fits && !errs.Is(err, errs.Precondition) {
			t.Errorf("version %d: got %v", version, err)
		}
	}
}

func TestApply(t *testing.T) {
	const picture = "https://example.com/sam.png"
	for name, test := range map[string]struct {
		profile domain.Profile
		changed bool
		broken  []string
		want    domain.User
	}{
		"nothing":              {domain.Profile{}, false, nil, user(new("Sam"), new(picture), 1, birth)},
		"the same again":       {domain.Profile{SetFullName: true, FullName: new("Sam"), SetAvatarURL: true, AvatarURL: new(picture)}, false, nil, user(new("Sam"), new(picture), 1, birth)},
		"without its flag":     {domain.Profile{FullName: new("Sue"), AvatarURL: new("https://example.com")}, false, nil, user(new("Sam"), new(picture), 1, birth)},
		"another name":         {domain.Profile{SetFullName: true, FullName: new("Sue שלום")}, true, nil, user(new("Sue שלום"), new(picture), 2, later)},
		"no name":              {domain.Profile{SetFullName: true}, true, nil, user(nil, new(picture), 2, later)},
		"no picture":           {domain.Profile{SetAvatarURL: true}, true, nil, user(new("Sam"), nil, 2, later)},
		"the longest name":     {domain.Profile{SetFullName: true, FullName: new(strings.Repeat("é", 200))}, true, nil, user(new(strings.Repeat("é", 200)), new(picture), 2, later)},
		"a name too long":      {domain.Profile{SetFullName: true, FullName: new(strings.Repeat("é", 201))}, false, []string{"full_name"}, user(new("Sam"), new(picture), 1, birth)},
		"a blank name":         {domain.Profile{SetFullName: true, FullName: new("")}, false, []string{"full_name"}, user(new("Sam"), new(picture), 1, birth)},
		"a picture over http":  {domain.Profile{SetAvatarURL: true, AvatarURL: new("http://example.com")}, false, []string{"avatar_url"}, user(new("Sam"), new(picture), 1, birth)},
		"one good and one bad": {domain.Profile{SetFullName: true, FullName: new("Sue"), SetAvatarURL: true, AvatarURL: new("x")}, false, []string{"avatar_url"}, user(new("Sam"), new(picture), 1, birth)},
		"both bad":             {domain.Profile{SetFullName: true, FullName: new("\x00"), SetAvatarURL: true, AvatarURL: new("")}, false, []string{"full_name", "avatar_url"}, user(new("Sam"), new(picture), 1, birth)},
	} {
		got := user(new("Sam"), new(picture), 1, birth)
		test.want.OwnFullName = test.changed && test.profile.SetFullName
		test.want.OwnAvatarURL = test.changed && test.profile.SetAvatarURL
		changed, err := got.Apply(test.profile, later)
		if fields := errstest.Broken(err); changed != test.changed || !reflect.DeepEqual(fields, test.broken) {
			t.Errorf("%s: changed is %t and broken are %v, want %t and %v", name, changed, fields, test.changed, test.broken)
		}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, test.want)
		}
	}
}

// A row may hold what a later rule forbids. That doesn't keep its user from changing the rest, or from putting it right.
func TestAProfileOfAnOldRuleCanBeChanged(t *testing.T) {
	for name, profile := range map[string]domain.Profile{
		"another name":        {SetFullName: true, FullName: new("Sue")},
		"no picture":          {SetAvatarURL: true},
		"a picture that fits": {SetAvatarURL: true, AvatarURL: new("https://example.com/sam.png")},
	} {
		old := user(new("Sam"), new("http://example.com/old.png"), 1, birth)
		if changed, err := old.Apply(profile, later); err != nil || !changed {
			t.Errorf("%s: changed is %t with %v", name, changed, err)
		}
	}
}

func user(name, picture *string, version int64, updated time.Time) domain.User {
	return domain.User{
		ID: "u1", FullName: name, AvatarURL: picture, Role: domain.RoleUser, Active: true,
		Version: version, CreatedAt: birth, UpdatedAt: updated,
	}
}
