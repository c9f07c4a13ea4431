package store

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// exportRow is the table users_exports. The user is null when it is gone: what is left then says which object is to be removed.
type exportRow struct {
	ID        database.Key  `gorm:"primaryKey"`
	UserID    *database.Key `gorm:"index:users_exports_by_owner,priority:1"`
	Status    string        `gorm:"type:text;not null"`
	Done      int64         `gorm:"not null"`
	Total     int64         `gorm:"not null"`
	Object    string        `gorm:"type:text;not null"`
	CreatedAt time.Time     `gorm:"not null;index:users_exports_by_owner,priority:2"`
	ExpiresAt *time.Time
	DueAt     time.Time `gorm:"not null;index:users_exports_by_time"`
}

// TableName returns the name of the table.
func (exportRow) TableName() string { return "users_exports" }

var _ app.ExportStore = (*Store)(nil)

// InsertExport adds an export.
func (s *Store) InsertExport(ctx context.Context, export domain.Export) error {
	return database.Classify(s.db.Tx(ctx).Create(&exportRow{
		ID: database.Key(export.ID), UserID: new(database.Key(export.Owner.User)), Status: string(export.Status), Done: export.Done,
		Total: export.Total, Object: export.Object, CreatedAt: export.CreatedAt, ExpiresAt: export.ExpiresAt, DueAt: export.DueAt,
	}).Error)
}

// exportFields are what an export is read from, in the order in which scanExport takes them.
const exportFields = "SELECT id, coalesce(user_id, ''), status, done, total, object, created_at, expires_at, due_at FROM users_exports"

func scanExport(row database.Row) (domain.Export, error) {
	var e domain.Export
	err := row.Scan(&e.ID, &e.Owner.User, &e.Status, &e.Done, &e.Total, &e.Object, &e.CreatedAt, &e.ExpiresAt, &e.DueAt)
	e.CreatedAt, e.ExpiresAt, e.DueAt = e.CreatedAt.UTC(), database.InUTC(e.ExpiresAt), e.DueAt.UTC()
	return e, err
}

func oneExport(query *gorm.DB, exportID string) (domain.Export, error) {
	export, err := database.One(query, scanExport)
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return domain.Export{}, errs.Missing("Export", exportID)
	}
	return export, err
}

// FindExport returns one export of the owner.
func (s *Store) FindExport(ctx context.Context, owner id.Scope, exportID string) (domain.Export, error) {
	return oneExport(s.db.Read(ctx).Raw(exportFields+" WHERE id = ? AND user_id = ?", exportID, owner.User), exportID)
}

// ExportsSince returns the owner's exports of late, and those to come.
func (s *Store) ExportsSince(ctx context.Context, owner id.Scope, since time.Time) ([]domain.Export, error) {
	return database.All(s.db.Read(ctx).Raw(exportFields+" WHERE user_id = ? AND (created_at > ? OR status IN (?, ?)) ORDER BY created_at, id",
		owner.User, since, string(domain.ExportQueued), string(domain.ExportRunning)), scanExport)
}

// LockExport returns an export that is somebody's and holds its row.
func (s *Store) LockExport(ctx context.Context, exportID string) (domain.Export, error) {
	return oneExport(s.db.Tx(ctx).Raw(exportFields+" WHERE id = ? AND user_id IS NOT NULL"+s.db.ForUpdate(), exportID), exportID)
}

// SaveExport writes what can change.
func (s *Store) SaveExport(ctx context.Context, export domain.Export) error {
	return database.Classify(s.db.Tx(ctx).Model(&exportRow{}).Where("id = ?", export.ID).UpdateColumns(map[string]any{
		"status": string(export.Status), "done": export.Done, "total": export.Total, "expires_at": export.ExpiresAt, "due_at": export.DueAt,
	}).Error)
}

// ExportsDue returns what is to be removed, the oldest first.
func (s *Store) ExportsDue(ctx context.Context, now time.Time, limit int) ([]domain.Export, error) {
	return database.All(s.db.Read(ctx).Raw(exportFields+" WHERE due_at <= ? ORDER BY due_at, id LIMIT ?", now, limit), scanExport)
}

// DropExport deletes a row unless it was begun anew meanwhile.
func (s *Store) DropExport(ctx context.Context, exportID string, now time.Time) error {
	return database.Classify(s.db.Tx(ctx).Where("id = ? AND due_at <= ?", exportID, now).Delete(&exportRow{}).Error)
}

// releaseExports makes a user's exports nobody's, and due: at once, but for those whose archive may be on its way. It returns how many
// there were.
func (s *Store) releaseExports(ctx context.Context, owner id.Scope, at time.Time) (int64, error) {
	still := []string{string(domain.ExportQueued), string(domain.ExportReady)}
	done := s.db.Tx(ctx).Exec("UPDATE users_exports SET user_id = NULL, due_at = ? WHERE user_id = ? AND status IN ?", at, owner.User, still)
	released := done.RowsAffected
	if done.Error == nil {
		done = s.db.Tx(ctx).Exec("UPDATE users_exports SET user_id = NULL, due_at = ? WHERE user_id = ?", at.Add(domain.ExportSlack), owner.User)
	}
	return released + done.RowsAffected, database.Classify(done.Error)
}
