package store

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/id"
)

// tombstoneRow is the table users_tombstones: the identities and ids that nobody gets again. Hash is of one of them, with a key
// from SECRET_KEY, in 64 hexadecimal digits: it can be looked for by who has it, and read by nobody. RegisteredAt, of an id, is
// when the account was made, for the reports.
type tombstoneRow struct {
	Hash         database.Key `gorm:"primaryKey"`
	RegisteredAt *time.Time
	BuriedAt     time.Time `gorm:"not null"`
}

// TableName returns the name of the table.
func (tombstoneRow) TableName() string { return "users_tombstones" }

// What is hashed. No issuer and no id holds a NUL.
func identityText(identity domain.Identity) string {
	return "identity\x00" + identity.Issuer + "\x00" + identity.Subject
}

func idText(userID string) string { return "user\x00" + userID }

// hashes returns the hashes of a text, by the key in use first.
func (s *Store) hashes(text string) []string {
	var hashes []string
	for _, signature := range s.signer.Signatures([]byte(text)) {
		hashes = append(hashes, hex.EncodeToString(signature))
	}
	return hashes
}

// isBuried tells whether there is a tombstone of a text. One that was made before the secret was rotated is renewed, so that it is
// found when the secret of before is gone.
func (s *Store) isBuried(ctx context.Context, text string) (bool, error) {
	hashes := s.hashes(text)
	found, err := database.All(s.db.Read(ctx).Raw("SELECT hash FROM users_tombstones WHERE hash IN ?", hashes), database.Scalar[string])
	if err != nil || len(found) == 0 || found[0] == hashes[0] || len(found) > 1 {
		return len(found) > 0, err
	}
	return true, s.db.WithinTx(ctx, func(ctx context.Context) error {
		return database.Classify(s.db.Tx(ctx).Exec("UPDATE users_tombstones SET hash = ? WHERE hash = ?", hashes[0], found[0]).Error)
	})
}

// bury makes tombstones of texts.
func (s *Store) bury(ctx context.Context, at time.Time, registered *time.Time, texts ...string) error {
	for _, text := range texts {
		tombstone := tombstoneRow{Hash: database.Key(s.hashes(text)[0]), RegisteredAt: registered, BuriedAt: at}
		if err := s.db.Tx(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&tombstone).Error; err != nil {
			return database.Classify(err)
		}
	}
	return nil
}

// Bury deletes the identity and leaves a tombstone.
func (s *Store) Bury(ctx context.Context, identity domain.Identity, at time.Time) error {
	if err := s.bury(ctx, at, nil, identityText(identity)); err != nil {
		return err
	}
	return s.Unlink(ctx, identity)
}

// Erase deletes the rows of the user, and leaves tombstones of the identities and the id. The user's own row is held first: whoever
// adds to it is waited for.
func (s *Store) Erase(ctx context.Context, user id.Scope, at time.Time) (map[string]int64, error) {
	registered, err := database.One(s.db.Tx(ctx).Raw("SELECT created_at, deleted_at FROM users WHERE id = ?"+s.db.ForUpdate(), user.User),
		func(row database.Row) (*time.Time, error) {
			var created time.Time
			var deleted *time.Time
			if err := row.Scan(&created, &deleted); err != nil {
				return nil, err
			}
			if deleted != nil { // a tombstone of before there was a table of them
				at = deleted.UTC()
			}
			if at.Equal(created) {
				return nil, nil // it is of somebody who never had an account
			}
			return new(created.UTC()), nil
		})
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return map[string]int64{"users": 0}, nil
	}
	if err != nil {
		return nil, err
	}
	linked, err := s.Identities(ctx, user.User)
	if err != nil {
		return nil, err
	}
	for _, identity := range linked {
		if err := s.bury(ctx, at, nil, identityText(identity.Identity)); err != nil {
			return nil, err
		}
	}
	if err := s.bury(ctx, at, registered, idText(user.User)); err != nil {
		return nil, err
	}
	exports, err := s.releaseExports(ctx, user, at)
	if err != nil {
		return nil, err
	}
	erased, err := s.db.Erase(ctx, "user_id", user.User, "users_api_keys", "users_identities")
	if err != nil {
		return nil, err
	}
	if exports > 0 {
		erased["users_exports"] = exports
	}
	rows, err := s.db.Erase(ctx, "id", user.User, "users")
	erased["users"] = rows["users"]
	return erased, err
}

// OldTombstones returns the ids of users who were deleted when a tombstone was a row of theirs.
func (s *Store) OldTombstones(ctx context.Context, limit int) ([]string, error) {
	return database.All(s.db.Read(ctx).Raw("SELECT id FROM users WHERE deleted_at IS NOT NULL LIMIT ?", limit), database.Scalar[string])
}
