package store

import (
	"context"
	"errors"

	"gorm.io/gorm"

	"github.com/omnistack/omnistack/modules/projects/internal/app"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/id"
)

var _ app.FileExportStore = (*Store)(nil)

// ExportFiles reads all rows of the owner.
func (s *Store) ExportFiles(ctx context.Context, owner id.Scope, after *app.ExportedFile, limit int) ([]app.ExportedFile, error) {
	var last string
	if after != nil {
		last = after.ID
	}
	return database.All(s.db.Read(ctx).Raw(`SELECT id, project_id, filename, type, size, object, created_at, updated_at FROM projects_files
		WHERE owner_id = ? AND id > ? ORDER BY id LIMIT ?`, owner.User, last, limit),
		func(found database.Row) (app.ExportedFile, error) {
			file := app.ExportedFile{Status: "ready"}
			err := found.Scan(&file.ID, &file.ProjectID, &file.Filename, &file.ContentType, &file.Size, &file.Object, &file.CreatedAt,
				&file.UpdatedAt)
			if file.Object == "" {
				file.Status = "pending"
			}
			file.CreatedAt, file.UpdatedAt = file.CreatedAt.UTC(), file.UpdatedAt.UTC()
			return file, err
		})
}

// ExportPlan returns the plan of the owner's row, which whoever adds a project has.
func (s *Store) ExportPlan(ctx context.Context, owner id.Scope) (*string, error) {
	plan, err := database.One(s.db.Read(ctx).Raw("SELECT plan FROM projects_plans WHERE owner_id = ? AND plan <> ''", owner.User),
		database.Scalar[string])
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, nil //nolint:nilnil // there may be none
	}
	return &plan, err
}
