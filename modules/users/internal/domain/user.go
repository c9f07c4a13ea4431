// Package domain holds what a user is and the rules it keeps. It does no I/O and knows no clock.
package domain

import (
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/omnistack/omnistack/platform/errs"
)

// Role is what a user may do.
type Role string

// The roles; each includes the ones before it.
const (
	RoleUser       Role = "user"
	RoleAdmin      Role = "admin"
	RoleSuperadmin Role = "superadmin"
)

// The bounds of a profile's texts, in characters.
const (
	MaxFullName  = 200
	MaxAvatarURL = 2048
)

// User is a person with an account.
type User struct {
	ID                 string
	Email              *string // nil when the issuer told none
	EmailVerified      bool
	FullName           *string
	AvatarURL          *string
	Role               Role
	Active             bool // false while suspended
	SubscriptionStatus *string
	SubscriptionPlan   *string
	LastLoginAt        *time.Time
	Version            int64 // 1 at birth, one more with every change
	CreatedAt          time.Time
	UpdatedAt          time.Time
	Deleted            bool // only a tombstone is left
}

// Identity is one way a person signs in: a subject of an issuer.
type Identity struct {
	Issuer  string
	Subject string
}

// Claims are what an issuer says of a person.
type Claims struct {
	Identity
	Email         string
	EmailVerified bool
	FullName      string
	AvatarURL     string
}

// Register returns the user that a first sign-in makes. What the issuer says of name and picture is taken over where
// it fits our rules and left out where it doesn't: a bad claim must not lock anybody out. A role that it names counts for
// the requests of that token, and isn't kept: who loses it there has lost it here.
func Register(userID string, claims Claims, now time.Time) User {
	user := User{
		ID: userID, EmailVerified: claims.EmailVerified, Role: RoleUser, Active: true, LastLoginAt: &now,
		Version: 1, CreatedAt: now, UpdatedAt: now,
	}
	if claims.Email != "" {
		user.Email = &claims.Email
	}
	if claims.FullName != "" && len(checkFullName(&claims.FullName)) == 0 {
		user.FullName = &claims.FullName
	}
	if claims.AvatarURL != "" && len(checkAvatarURL(&claims.AvatarURL)) == 0 {
		user.AvatarURL = &claims.AvatarURL
	}
	return user
}

// MayAct returns errs.Forbidden for a user who is suspended or deleted.
func (u User) MayAct() error {
	switch {
	case u.Deleted:
		return errs.New(errs.Forbidden, "This account was deleted")
	case !u.Active:
		return errs.New(errs.Forbidden, "This account is suspended")
	}
	return nil
}

// Expect returns errs.Precondition unless version is the current one, or 0 for any.
func (u User) Expect(version int64) error {
	if version != 0 && version != u.Version {
		return errs.Stale()
	}
	return nil
}

// Profile is what people may change about themselves. A field changes when its flag is set, to nil too.
type Profile struct {
	SetFullName  bool
	FullName     *string
	SetAvatarURL bool
	AvatarURL    *string
}

// Apply changes the profile and tells whether anything is different now. A change that breaks a rule is errs.Invalid
// and leaves the user as it was.
func (u *User) Apply(profile Profile, now time.Time) (changed bool, err error) {
	next := *u
	var broken []errs.Field // of what is set only: what an older rule let in doesn't stand in the way of other changes
	if profile.SetFullName {
		next.FullName = profile.FullName
		broken = append(broken, checkFullName(next.FullName)...)
	}
	if profile.SetAvatarURL {
		next.AvatarURL = profile.AvatarURL
		broken = append(broken, checkAvatarURL(next.AvatarURL)...)
	}
	if len(broken) > 0 {
		return false, errs.InvalidFields(broken...)
	}
	if same(next.FullName, u.FullName) && same(next.AvatarURL, u.AvatarURL) {
		return false, nil
	}
	next.Version++
	next.UpdatedAt = now
	*u = next
	return true, nil
}

func checkFullName(name *string) []errs.Field {
	switch {
	case name == nil:
		return nil
	case strings.TrimSpace(*name) == "":
		return []errs.Field{{Name: "full_name", Message: "must not be blank; null clears it"}}
	case utf8.RuneCountInString(*name) > MaxFullName:
		return []errs.Field{{Name: "full_name", Message: "must have at most 200 characters"}}
	case strings.ContainsFunc(*name, unicode.IsControl):
		return []errs.Field{{Name: "full_name", Message: "must hold no control characters"}}
	}
	return nil
}

// checkAvatarURL allows what a browser may load as a picture without harm. The server itself never fetches it.
func checkAvatarURL(address *string) []errs.Field {
	if address == nil {
		return nil
	}
	parsed, err := url.Parse(*address)
	if err != nil || parsed.Scheme != "https" || parsed.Host == "" || parsed.User != nil || len(*address) > MaxAvatarURL {
		return []errs.Field{{Name: "avatar_url", Message: "must be an https URL of at most 2048 characters"}}
	}
	return nil
}

func same(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
