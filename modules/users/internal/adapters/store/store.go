// Package store keeps users, their identities and their API keys in the database.
package store

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/fold"
	"github.com/omnistack/omnistack/platform/keyring"
)

// userRow is the table users. A row with deleted_at is a tombstone from before users_tombstones, which a job moves there. Search
// holds the folded name and address, with a line break in between.
type userRow struct {
	ID                 database.Key `gorm:"primaryKey;index:users_by_created,priority:2;index:users_by_role,priority:2,where:deleted_at IS NULL"`
	Email              *string      `gorm:"type:text;index:users_by_email"`
	EmailVerified      bool         `gorm:"not null"`
	FullName           *string      `gorm:"type:text"`
	AvatarURL          *string      `gorm:"type:text"`
	Search             *database.Key
	Role               string  `gorm:"type:text;not null;index:users_by_role,priority:1"`
	IsActive           bool    `gorm:"not null"`
	StripeCustomerID   *string `gorm:"type:text;index:users_by_stripe_customer"`
	SubscriptionStatus *string `gorm:"type:text"`
	SubscriptionPlan   *string `gorm:"type:text"`
	BillingVersion     int64   `gorm:"not null;default:0"`
	LastLoginAt        *time.Time
	LoginCount         int64      `gorm:"not null"`
	TokenRole          string     `gorm:"type:text;not null;default:''"`
	LastSession        string     `gorm:"type:text;not null;default:''"`
	OwnFullName        bool       `gorm:"not null;default:false"`
	OwnAvatarURL       bool       `gorm:"not null;default:false"`
	Version            int64      `gorm:"not null"`
	CreatedAt          time.Time  `gorm:"not null;index:users_by_created,priority:1"`
	UpdatedAt          time.Time  `gorm:"not null"`
	EraseAt            *time.Time `gorm:"index:users_by_erasure,where:erase_at IS NOT NULL"`
	DeletedAt          gorm.DeletedAt
}

// TableName returns the name of the table.
func (userRow) TableName() string { return "users" }

// identityRow is the table users_identities: who a subject of an issuer is. The user is null only inside the
// transaction that makes it. ProviderUpdatedAt is as of when its provider told of the person; null before it did.
type identityRow struct {
	Issuer            database.Key  `gorm:"primaryKey"`
	Subject           database.Key  `gorm:"primaryKey"`
	UserID            *database.Key `gorm:"index:users_identities_by_user"`
	User              *userRow      `gorm:"foreignKey:UserID;constraint:OnDelete:CASCADE"`
	ProviderUpdatedAt *time.Time
	CreatedAt         time.Time `gorm:"not null"`
}

// TableName returns the name of the table.
func (identityRow) TableName() string { return "users_identities" }

// Models returns the rows of this store, for the schema tooling.
func Models() []any {
	return []any{&userRow{}, &identityRow{}, &keyRow{}, &webhookRow{}, &tombstoneRow{}, &exportRow{}}
}

// Store is an app.Store in the database.
type Store struct {
	db     *database.DB
	signer keyring.Signer
}

var _ app.Store = (*Store)(nil)

// New returns a store over the database. Tombstones are hashed with a key from the ring.
func New(db *database.DB, keys *keyring.Keyring) *Store {
	return &Store{db: db, signer: keys.Signer("users tombstone")}
}

// fields are what a user is read from, in the order in which scan takes them.
const fields = `SELECT users.id, email, email_verified, full_name, avatar_url, role, is_active, subscription_status,
	subscription_plan, last_login_at, token_role, last_session, own_full_name, own_avatar_url, version, users.created_at, updated_at, erase_at, deleted_at FROM users`

// FindByIdentity returns the user behind an identity. Of one who was erased nothing is known but that.
func (s *Store) FindByIdentity(ctx context.Context, identity domain.Identity) (domain.User, error) {
	user, err := one(s.db.Read(ctx).Raw(fields+" JOIN users_identities ON user_id = users.id WHERE issuer = ? AND subject = ?",
		identity.Issuer, identity.Subject), identity.Subject)
	if !errs.Is(err, errs.NotFound) {
		return user, err
	}
	buried, failed := s.isBuried(ctx, identityText(identity))
	switch {
	case failed != nil:
		return domain.User{}, failed
	case buried:
		return domain.User{Deleted: true}, nil
	}
	return domain.User{}, err
}

// Find returns a living user.
func (s *Store) Find(ctx context.Context, userID string) (domain.User, error) {
	return one(s.db.Read(ctx).Raw(fields+" WHERE id = ? AND deleted_at IS NULL", userID), userID)
}

// Lock returns a living user and holds its row.
func (s *Store) Lock(ctx context.Context, userID string) (domain.User, error) {
	return one(s.db.Tx(ctx).Raw(fields+" WHERE id = ? AND deleted_at IS NULL"+s.db.ForUpdate(), userID), userID)
}

// LockWithSuperadmins returns a living user and the ids of the active superadmins, and holds all their rows. One statement
// locks them in the order of their ids, so that of any number at once none waits for another in a circle. Who is a superadmin
// is looked at again behind it: PostgreSQL answers with the rows as they are once they are locked. An OR instead of the IN
// would make SQLite read the whole table.
func (s *Store) LockWithSuperadmins(ctx context.Context, userID string) (domain.User, []string, error) {
	held, err := database.All(s.db.Tx(ctx).Raw(
		fields+` WHERE deleted_at IS NULL AND id IN
			(SELECT id FROM users WHERE role = ? AND is_active AND deleted_at IS NULL UNION ALL SELECT ?) ORDER BY id`+s.db.ForUpdate(),
		string(domain.RoleSuperadmin), userID), scan)
	if err != nil {
		return domain.User{}, nil, err
	}
	var superadmins []string
	for _, user := range held {
		if user.Role == domain.RoleSuperadmin && user.Active {
			superadmins = append(superadmins, user.ID)
		}
	}
	wanted := slices.IndexFunc(held, func(user domain.User) bool { return user.ID == userID })
	if wanted < 0 {
		return domain.User{}, nil, errs.Missing("User", userID)
	}
	return held[wanted], superadmins, nil
}

// Closed returns the ids of the closed accounts that are due.
func (s *Store) Closed(ctx context.Context, at time.Time, limit int) ([]string, error) {
	return database.All(s.db.Read(ctx).Raw("SELECT id FROM users WHERE erase_at <= ? ORDER BY erase_at, id LIMIT ?", at, limit), database.Scalar[string])
}

// List returns one page of the living users and the number of all matches.
func (s *Store) List(ctx context.Context, listing app.Listing) ([]domain.User, int64, error) {
	matching, args := " WHERE deleted_at IS NULL", []any{}
	if listing.Search != "" {
		matching += ` AND search LIKE ? ESCAPE '\'`
		args = append(args, database.Containing(listing.Search))
	}
	if listing.Role != "" {
		matching += " AND role = ?"
		args = append(args, string(listing.Role))
	}
	if listing.Active != nil {
		matching += " AND is_active = ?"
		args = append(args, *listing.Active)
	}
	total, err := database.One(s.db.Read(ctx).Raw("SELECT count(*) FROM users"+matching, args...), database.Scalar[int64])
	if err != nil {
		return nil, 0, err
	}
	if listing.After != nil {
		at, err := listing.After.Time()
		if err != nil {
			return nil, 0, err
		}
		matching += " AND (created_at, id) < (?, ?)"
		args = append(args, at, listing.After.ID)
	}
	args = append(args, listing.Limit, listing.Skip)
	items, err := database.All(s.db.Read(ctx).Raw(fields+matching+" ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?", args...), scan)
	return items, total, err
}

// Administrators returns the active administrators who have an address.
func (s *Store) Administrators(ctx context.Context) ([]domain.User, error) {
	return database.All(s.db.Read(ctx).Raw(
		fields+" WHERE role IN (?, ?) AND is_active AND email <> '' AND deleted_at IS NULL ORDER BY id",
		string(domain.RoleAdmin), string(domain.RoleSuperadmin)), scan)
}

// Tally counts who came between two times, deleted ones too, and who was there at the second.
func (s *Store) Tally(ctx context.Context, from, to time.Time) (app.Tally, error) {
	return database.One(s.db.Read(ctx).Raw(`SELECT
		(SELECT count(*) FROM users WHERE created_at >= ? AND created_at < ? AND deleted_at IS NULL)
			+ (SELECT count(*) FROM users_tombstones WHERE registered_at >= ? AND registered_at < ?),
		(SELECT count(*) FROM users WHERE created_at < ? AND deleted_at IS NULL)
			+ (SELECT count(*) FROM users_tombstones WHERE registered_at < ? AND buried_at >= ?)`, from, to, from, to, to, to, to),
		func(row database.Row) (app.Tally, error) {
			var tally app.Tally
			err := row.Scan(&tally.New, &tally.All)
			return tally, err
		})
}

func one(query *gorm.DB, who string) (domain.User, error) {
	user, err := database.One(query, scan)
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return domain.User{}, errs.Missing("User", who)
	}
	return user, err
}

// ClaimIdentity inserts the identity if it isn't there. On PostgreSQL the insert waits for another transaction that is
// inserting, or deleting, the same; on SQLite there is no other. So what the other one buried is seen behind it.
func (s *Store) ClaimIdentity(ctx context.Context, identity domain.Identity) (bool, error) {
	free, err := s.insertNew(ctx, &identityRow{Issuer: database.Key(identity.Issuer), Subject: database.Key(identity.Subject)})
	if err != nil || !free {
		return false, err
	}
	buried, err := s.isBuried(ctx, identityText(identity))
	if err != nil || !buried {
		return err == nil, err
	}
	return false, s.Unlink(ctx, identity)
}

// Insert inserts the user if the id isn't there, and nobody had it; that is looked at behind it, as in ClaimIdentity.
func (s *Store) Insert(ctx context.Context, user domain.User) (bool, error) {
	added := toRow(user)
	free, err := s.insertNew(ctx, &added)
	if err != nil || !free {
		return false, err
	}
	buried, err := s.isBuried(ctx, idText(user.ID))
	if err != nil || !buried {
		return err == nil, err
	}
	_, err = s.db.Erase(ctx, "id", user.ID, "users")
	return false, err
}

func (s *Store) insertNew(ctx context.Context, added any) (bool, error) {
	done := s.db.Tx(ctx).Omit(clause.Associations).Clauses(clause.OnConflict{DoNothing: true}).Create(added)
	return done.RowsAffected == 1, database.Classify(done.Error)
}

// Link sets the identity's user.
func (s *Store) Link(ctx context.Context, identity domain.Identity, userID string) error {
	done := s.db.Tx(ctx).Model(&identityRow{}).
		Where("issuer = ? AND subject = ?", identity.Issuer, identity.Subject).
		UpdateColumn("user_id", userID)
	return database.Classify(done.Error)
}

// Save writes what can change, over the version that was locked.
func (s *Store) Save(ctx context.Context, user domain.User) error {
	done := s.db.Tx(ctx).Model(&userRow{}).
		Where("id = ? AND version = ?", user.ID, user.Version-1).
		UpdateColumns(map[string]any{
			"email":          user.Email,
			"email_verified": user.EmailVerified,
			"full_name":      user.FullName,
			"own_full_name":  user.OwnFullName,
			"avatar_url":     user.AvatarURL,
			"own_avatar_url": user.OwnAvatarURL,
			"search":         search(user),
			"role":           string(user.Role),
			"is_active":      user.Active,
			"erase_at":       user.EraseAt,
			"version":        user.Version,
			"updated_at":     user.UpdatedAt,
		})
	if done.Error != nil {
		return database.Classify(done.Error)
	}
	if done.RowsAffected == 0 {
		return errs.Stale()
	}
	return nil
}

// SaveSubscription writes what is newer than what is there.
func (s *Store) SaveSubscription(ctx context.Context, userID string, said domain.Subscription, at time.Time) error {
	var status *string
	if said.Status != "" {
		status = &said.Status
	}
	return database.Classify(s.db.Tx(ctx).Model(&userRow{}).Where("id = ? AND billing_version < ?", userID, said.Version).
		UpdateColumns(map[string]any{
			"stripe_customer_id":  said.CustomerID,
			"subscription_status": status,
			"subscription_plan":   said.Plan,
			"billing_version":     said.Version,
			"version":             gorm.Expr("version + 1"),
			"updated_at":          at,
		}).Error)
}

// search returns what a search finds the user by. No name and no address holds a line break.
func search(user domain.User) *database.Key {
	var texts []string
	for _, text := range []*string{user.FullName, user.Email} {
		if text != nil {
			texts = append(texts, fold.Text(*text))
		}
	}
	return new(database.Key(strings.Join(texts, "\n")))
}

func toRow(user domain.User) userRow {
	row := userRow{
		ID:                 database.Key(user.ID),
		Email:              user.Email,
		EmailVerified:      user.EmailVerified,
		FullName:           user.FullName,
		AvatarURL:          user.AvatarURL,
		Search:             search(user),
		Role:               string(user.Role),
		IsActive:           user.Active,
		SubscriptionStatus: user.SubscriptionStatus,
		SubscriptionPlan:   user.SubscriptionPlan,
		LastLoginAt:        user.LastLoginAt,
		TokenRole:          string(user.TokenRole),
		LastSession:        user.LastSession,
		OwnFullName:        user.OwnFullName,
		OwnAvatarURL:       user.OwnAvatarURL,
		Version:            user.Version,
		CreatedAt:          user.CreatedAt,
		UpdatedAt:          user.UpdatedAt,
		EraseAt:            user.EraseAt,
	}
	if user.LastLoginAt != nil {
		row.LoginCount = 1
	}
	return row
}

// scan believes the row: a rule that came later must not make an old row unreadable.
func scan(found database.Row) (domain.User, error) {
	var user domain.User
	var deletedAt *time.Time
	err := found.Scan(&user.ID, &user.Email, &user.EmailVerified, &user.FullName, &user.AvatarURL, &user.Role,
		&user.Active, &user.SubscriptionStatus, &user.SubscriptionPlan, &user.LastLoginAt, &user.TokenRole, &user.LastSession,
		&user.OwnFullName, &user.OwnAvatarURL, &user.Version,
		&user.CreatedAt, &user.UpdatedAt, &user.EraseAt, &deletedAt)
	user.CreatedAt, user.UpdatedAt = user.CreatedAt.UTC(), user.UpdatedAt.UTC()
	if user.LastLoginAt != nil {
		*user.LastLoginAt = user.LastLoginAt.UTC()
	}
	if user.EraseAt != nil {
		*user.EraseAt = user.EraseAt.UTC()
	}
	user.Deleted = deletedAt != nil
	return user, err
}
