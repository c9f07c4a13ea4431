package users

import (
	"time"

	"github.com/omnistack/omnistack/platform/events"
)

// UserRegistered says that a person has an account now, by signing in for the first time, or by
// their identity provider's word.
type UserRegistered struct {
	UserID  string `json:"user_id"`
	Version int64  `json:"version"`
}

// UserProfileChanged says that a user's name, address or picture is another one now. Ask the Directory which.
type UserProfileChanged struct {
	UserID  string `json:"user_id"`
	Version int64  `json:"version"`
}

// UserSuspended says that a user may not act any more.
type UserSuspended struct {
	UserID  string `json:"user_id"`
	Version int64  `json:"version"`
}

// UserReactivated says that a suspended user may act again.
type UserReactivated struct {
	UserID  string `json:"user_id"`
	Version int64  `json:"version"`
}

// UserRoleChanged says that a user may do more, or less, than before.
type UserRoleChanged struct {
	UserID  string `json:"user_id"`
	Role    string `json:"role"` // user, admin or superadmin
	Version int64  `json:"version"`
}

// UserIdentityLinked says that a user can sign in with another identity, too.
type UserIdentityLinked struct {
	UserID  string `json:"user_id"`
	Issuer  string `json:"issuer"` // whose tokens the identity has
	Version int64  `json:"version"`
}

// UserDeleted says that an account is gone for good. Every module erases what it holds of the user.
type UserDeleted struct {
	UserID  string `json:"user_id"`
	Version int64  `json:"version"`
}

// ExportReady says that all that is kept of a user was exported, and can be downloaded by that user for a while.
type ExportReady struct {
	UserID    string    `json:"user_id"`
	ExportID  string    `json:"export_id"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Published returns the events of the context.
func Published() []events.Event {
	return []events.Event{
		UserRegistered{}, UserProfileChanged{}, UserSuspended{}, UserReactivated{}, UserRoleChanged{}, UserIdentityLinked{},
		UserDeleted{}, ExportReady{},
	}
}

// EventName returns the golden name.
func (UserRegistered) EventName() string { return "users.user_registered.v1" }

// EventName returns the golden name.
func (UserProfileChanged) EventName() string { return "users.user_profile_changed.v1" }

// EventName returns the golden name.
func (UserSuspended) EventName() string { return "users.user_suspended.v1" }

// EventName returns the golden name.
func (UserReactivated) EventName() string { return "users.user_reactivated.v1" }

// EventName returns the golden name.
func (UserRoleChanged) EventName() string { return "users.user_role_changed.v1" }

// EventName returns the golden name.
func (UserIdentityLinked) EventName() string { return "users.user_identity_linked.v1" }

// EventName returns the golden name.
func (UserDeleted) EventName() string { return "users.user_deleted.v1" }

// Aggregate returns the user.
func (e UserRegistered) Aggregate() (id string, version int64) { return e.UserID, e.Version }

// Aggregate returns the user.
func (e UserProfileChanged) Aggregate() (id string, version int64) { return e.UserID, e.Version }

// Aggregate returns the user.
func (e UserSuspended) Aggregate() (id string, version int64) { return e.UserID, e.Version }

// Aggregate returns the user.
func (e UserReactivated) Aggregate() (id string, version int64) { return e.UserID, e.Version }

// Aggregate returns the user.
func (e UserRoleChanged) Aggregate() (id string, version int64) { return e.UserID, e.Version }

// Aggregate returns the user.
func (e UserIdentityLinked) Aggregate() (id string, version int64) { return e.UserID, e.Version }

// Aggregate returns the user.
func (e UserDeleted) Aggregate() (id string, version int64) { return e.UserID, e.Version }

// EventName returns the golden name.
func (ExportReady) EventName() string { return "users.export_ready.v1" }

// Aggregate returns the export, to which that happens once.
func (e ExportReady) Aggregate() (id string, version int64) { return e.ExportID, 1 }
