package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/omnistack/omnistack/modules/projects/internal/app"
	"github.com/omnistack/omnistack/modules/projects/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// fileRow is the table projects_files. Its first index serves the lists of a project, the second the sum of an owner's bytes, and the
// last one has what is pending only.
type fileRow struct {
	ID        database.Key `gorm:"primaryKey;index:projects_files_by_created,priority:3"`
	ProjectID database.Key `gorm:"not null;index:projects_files_by_created,priority:1"`
	OwnerID   database.Key `gorm:"not null;index:projects_files_by_owner,priority:1"`
	Filename  string       `gorm:"type:text;not null"`
	Type      string       `gorm:"type:text;not null"`
	Size      int64        `gorm:"not null;index:projects_files_by_owner,priority:2"`
	Object    string       `gorm:"type:text;not null"`
	ExpiresAt time.Time    `gorm:"not null;index:projects_files_pending,where:object = ''"`
	Version   int64        `gorm:"not null"`
	CreatedAt time.Time    `gorm:"not null;index:projects_files_by_created,priority:2"`
	UpdatedAt time.Time    `gorm:"not null"`
}

// TableName returns the name of the table.
func (fileRow) TableName() string { return "projects_files" }

var _ app.FileStore = (*Store)(nil)

// InsertFile adds a file.
func (s *Store) InsertFile(ctx context.Context, file domain.File) error {
	added := fileRow{
		ID: database.Key(file.ID), ProjectID: database.Key(file.ProjectID), OwnerID: database.Key(file.Owner.User), Filename: file.Filename,
		Type: file.Type, Size: file.Size, Object: file.Object, ExpiresAt: file.ExpiresAt, Version: file.Version,
		CreatedAt: file.CreatedAt, UpdatedAt: file.UpdatedAt,
	}
	return database.Classify(s.db.Tx(ctx).Create(&added).Error)
}

// myFiles are the files that a read may see: those of a living project of the owner. The two are the first arguments.
const myFiles = ` FROM projects_files f JOIN projects p ON p.id = f.project_id AND p.deleted_at IS NULL
	WHERE f.project_id = ? AND f.owner_id = ?`

// fileFields are what a file is read from, in the order in which scanFile takes them.
const fileFields = "SELECT f.id, f.project_id, f.owner_id, f.filename, f.type, f.size, f.object, f.expires_at, f.version, f.created_at, f.updated_at"

func scanFile(found database.Row) (domain.File, error) {
	var file domain.File
	err := found.Scan(&file.ID, &file.ProjectID, &file.Owner.User, &file.Filename, &file.Type, &file.Size, &file.Object, &file.ExpiresAt,
		&file.Version, &file.CreatedAt, &file.UpdatedAt)
	file.ExpiresAt, file.CreatedAt, file.UpdatedAt = file.ExpiresAt.UTC(), file.CreatedAt.UTC(), file.UpdatedAt.UTC()
	return file, err
}

func oneFile(query *gorm.DB, fileID string) (domain.File, error) {
	file, err := database.One(query, scanFile)
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return domain.File{}, errs.Missing("File", fileID)
	}
	return file, err
}

// FindFile returns one file of the project.
func (s *Store) FindFile(ctx context.Context, owner id.Scope, projectID, fileID string) (domain.File, error) {
	return oneFile(s.db.Read(ctx).Raw(fileFields+myFiles+" AND f.id = ?", projectID, owner.User, fileID), fileID)
}

// LockFile returns one file of the project and holds its row, and the project's: neither goes meanwhile.
func (s *Store) LockFile(ctx context.Context, owner id.Scope, projectID, fileID string) (domain.File, error) {
	return oneFile(s.db.Tx(ctx).Raw(fileFields+myFiles+" AND f.id = ?"+s.db.ForUpdate(), projectID, owner.User, fileID), fileID)
}

// SaveFile writes what accepting changes, over the version that was locked.
func (s *Store) SaveFile(ctx context.Context, file domain.File) error {
	done := s.db.Tx(ctx).Exec("UPDATE projects_files SET object = ?, version = ?, updated_at = ? WHERE id = ? AND owner_id = ? AND version = ?",
		file.Object, file.Version, file.UpdatedAt, file.ID, file.Owner.User, file.Version-1)
	return changedOne(done)
}

// DeleteFile removes the row.
func (s *Store) DeleteFile(ctx context.Context, file domain.File) error {
	return changedOne(s.db.Tx(ctx).Exec("DELETE FROM projects_files WHERE id = ? AND owner_id = ? AND version = ?", file.ID, file.Owner.User, file.Version))
}

// changedOne returns errs.Precondition for a write that found no row of the version.
func changedOne(done *gorm.DB) error {
	if done.Error == nil && done.RowsAffected == 0 {
		return errs.Stale()
	}
	return database.Classify(done.Error)
}

// ListFiles returns one page and the number of all.
func (s *Store) ListFiles(ctx context.Context, owner id.Scope, projectID string, listing app.Listing) ([]domain.File, int64, error) {
	args := []any{projectID, owner.User}
	total, err := database.One(s.db.Read(ctx).Raw("SELECT count(*)"+myFiles, args...), database.Scalar[int64])
	if err != nil {
		return nil, 0, err
	}
	by, behind := " ORDER BY f.created_at DESC, f.id DESC", " AND (f.created_at, f.id) < (?, ?)"
	if listing.Sort == app.OldestFirst {
		by, behind = " ORDER BY f.created_at, f.id", " AND (f.created_at, f.id) > (?, ?)"
	}
	matching := myFiles
	if listing.After != nil {
		at, err := listing.After.Time()
		if err != nil {
			return nil, 0, err
		}
		matching += behind
		args = append(args, at, listing.After.ID)
	}
	args = append(args, listing.Limit, listing.Skip)
	items, err := database.All(s.db.Read(ctx).Raw(fileFields+matching+by+" LIMIT ? OFFSET ?", args...), scanFile)
	return items, total, err
}

// Stored adds the sizes of what is in the owner's living projects.
func (s *Store) Stored(ctx context.Context, owner id.Scope) (int64, error) {
	return database.One(s.db.Read(ctx).Raw(`SELECT CAST(coalesce(sum(f.size), 0) AS BIGINT) FROM projects_files f
		JOIN projects p ON p.id = f.project_id AND p.deleted_at IS NULL WHERE f.owner_id = ?`, owner.User), database.Scalar[int64])
}

// DropExpired removes pending rows.
func (s *Store) DropExpired(ctx context.Context, before time.Time, limit int) (int64, error) {
	done := s.db.Tx(ctx).Exec(`DELETE FROM projects_files WHERE object = '' AND id IN (SELECT id FROM projects_files
		WHERE object = '' AND expires_at < ? ORDER BY expires_at LIMIT ?)`, before, limit)
	return done.RowsAffected, database.Classify(done.Error)
}

// DropFilesOf removes the rows of an owner.
func (s *Store) DropFilesOf(ctx context.Context, owner id.Scope) (int64, []string, error) {
	return s.dropFiles(ctx, "owner_id = ?", owner.User)
}

// DropFilesOfDeleted removes the rows of projects that Purge removes.
func (s *Store) DropFilesOfDeleted(ctx context.Context, before time.Time, limit int) ([]string, error) {
	_, objects, err := s.dropFiles(ctx, "project_id IN "+purged, before, limit)
	return objects, err
}

// dropFiles removes the rows that a condition says, and returns how many, and where their bytes are. What is pending has none.
func (s *Store) dropFiles(ctx context.Context, which string, args ...any) (int64, []string, error) {
	dropped, err := database.All(s.db.Tx(ctx).Raw("DELETE FROM projects_files WHERE "+which+" RETURNING object", args...), database.Scalar[string])
	return int64(len(dropped)), slices.DeleteFunc(dropped, func(object string) bool { return object == "" }), err
}
