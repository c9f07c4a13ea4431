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

// The bounds of a profile's texts, in characters; of the address in bytes (RFC 5321, section 4.5.3.1).
const (
	MaxEmail     = 320
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
	TokenRole          Role   // what the last token of the user named, which counts for its requests; "" when it named none
	LastSession        string // the session of the last login; "" when its token named none
	OwnFullName        bool   // the user chose FullName here: what the provider says doesn't count any more
	OwnAvatarURL       bool   // the same of AvatarURL
	Version            int64  // 1 at birth, one more with every change
	CreatedAt          time.Time
	UpdatedAt          time.Time
	EraseAt            *time.Time // when a closed account is to be erased; nil for one that isn't closed
	Deleted            bool       // only a tombstone is left
}

// Plan returns what the user pays for, empty for nothing.
func (u User) Plan() string {
	if u.SubscriptionPlan == nil {
		return ""
	}
	return *u.SubscriptionPlan
}

// Subscription is the copy that is kept here of what billing says of a user.
type Subscription struct {
	CustomerID string // at Stripe
	Status     string // empty without a subscription
	Plan       string // the one that counts
	Version    int64  // of billing's account: a higher one is newer
}

// Claims are what an issuer says of a person.
type Claims struct {
	Identity
	Email         string
	EmailVerified bool
	FullName      string
	AvatarURL     string
	Role          Role      // that the token names; "" when it names none
	Session       string    // of the token; "" when it names none
	IssuedAt      time.Time // of the token; zero when it doesn't say
}

// Register returns the user that an identity makes which nobody has seen before, by a first sign-in or by its provider's
// word. What the issuer says is taken over where it fits our rules and left out where it doesn't: a bad claim must not lock
// anybody out. A role that it names counts for the requests of that token, and isn't kept: who loses it there has lost it
// here.
func Register(userID string, claims Claims, now time.Time) User {
	user := User{ID: userID, Role: RoleUser, Active: true, Version: 1, CreatedAt: now, UpdatedAt: now}
	user.take(claims)
	return user
}

// Learn takes over what the provider says of the user now, and tells whether anything is different. What the user chose
// here stays.
func (u *User) Learn(claims Claims, now time.Time) (changed bool) {
	next := *u
	next.take(claims)
	if same(next.Email, u.Email) && next.EmailVerified == u.EmailVerified && same(next.FullName, u.FullName) && same(next.AvatarURL, u.AvatarURL) {
		return false
	}
	next.Version++
	next.UpdatedAt = now
	*u = next
	return true
}

// take sets what the claims say of the user, and that is nothing where they don't fit our rules.
func (u *User) take(claims Claims) {
	u.Email = fitting(claims.Email, checkEmail)
	u.EmailVerified = claims.EmailVerified && u.Email != nil
	if !u.OwnFullName {
		u.FullName = fitting(claims.FullName, checkFullName)
	}
	if !u.OwnAvatarURL {
		u.AvatarURL = fitting(claims.AvatarURL, checkAvatarURL)
	}
}

// fitting returns the text, or nil for none and for one that breaks a rule.
func fitting(text string, check func(*string) []errs.Field) *string {
	if text == "" || len(check(&text)) > 0 {
		return nil
	}
	return &text
}

// Close ends what the user may do, and says when the account is to be erased. Until then an administrator can bring it back.
func (u *User) Close(eraseAt, now time.Time) {
	u.Active, u.EraseAt = false, &eraseAt
	u.Version++
	u.UpdatedAt = now
}

// MayAct returns errs.Forbidden for a user who is suspended, closed or deleted.
func (u User) MayAct() error {
	switch {
	case u.Deleted:
		return errs.New(errs.Forbidden, "This account was deleted")
	case u.EraseAt != nil:
		return errs.New(errs.Forbidden, "This account is closed and will be erased; an administrator can bring it back until then")
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
	next.OwnFullName = u.OwnFullName || !same(next.FullName, u.FullName)
	next.OwnAvatarURL = u.OwnAvatarURL || !same(next.AvatarURL, u.AvatarURL)
	next.Version++
	next.UpdatedAt = now
	*u = next
	return true, nil
}

// checkEmail allows what can be stored and shown. Whether anybody reads there is the issuer's business.
func checkEmail(address *string) []errs.Field {
	if len(*address) > MaxEmail || strings.ContainsFunc(*address, unicode.IsControl) || !utf8.ValidString(*address) {
		return []errs.Field{{Name: "email", Message: "must be at most 320 bytes without control characters"}}
	}
	return nil
}

func checkFullName(name *string) []errs.Field {
	if name == nil {
		return nil
	}
	return errs.Line("full_name", *name, MaxFullName)
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
