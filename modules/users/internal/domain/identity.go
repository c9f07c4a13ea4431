package domain

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/omnistack/omnistack/platform/errs"
)

// Identity is one way a person signs in: a subject of an issuer.
type Identity struct {
	Issuer  string
	Subject string
}

// Valid tells whether a token could be the identity's: a subject is 1 to 255 printable characters of ASCII, to which OpenID
// Connect Core (section 2) limits it.
func (i Identity) Valid() bool {
	unprintable := func(r rune) bool { return r < ' ' || r > '~' }
	return i.Issuer != "" && i.Subject != "" && len(i.Subject) <= 255 && !strings.ContainsFunc(i.Subject, unprintable)
}

// ID returns the name of the identity in addresses, 32 hexadecimal digits: a subject may hold anything. It tells apart the few
// identities of one user, and is looked for among those only.
func (i Identity) ID() string {
	sum := fnv.New128a()
	_, _ = sum.Write([]byte(i.Issuer + "\x00" + i.Subject)) // a hash takes everything
	return fmt.Sprintf("%x", sum.Sum(nil))
}

// LinkedIdentity is an identity of a user, and since when it is one.
type LinkedIdentity struct {
	Identity
	LinkedAt time.Time
}

// MaxIdentities is how many identities a user has at most.
const MaxIdentities = 10

// MayLink returns errs.Conflict for a user who has as many identities as there may be.
func MayLink(linked []LinkedIdentity) error {
	if len(linked) >= MaxIdentities {
		return errs.New(errs.Conflict, "There can't be more than 10 identities")
	}
	return nil
}

// Unlink returns the identity of that id, of all that a user has. One that isn't there is errs.NotFound, and the one that
// the user is signed in with errs.Conflict. So one is always left: whoever signs in has it.
func Unlink(linked []LinkedIdentity, identityID string, signedIn Identity) (Identity, error) {
	found := slices.IndexFunc(linked, func(l LinkedIdentity) bool { return l.ID() == identityID })
	switch {
	case found < 0:
		return Identity{}, errs.Missing("Identity", identityID)
	case linked[found].Identity == signedIn:
		return Identity{}, errs.New(errs.Conflict, "The identity that you are signed in with can't be removed")
	case len(linked) == 1:
		return Identity{}, errs.New(errs.Conflict, "The last identity can't be removed")
	}
	return linked[found].Identity, nil
}
