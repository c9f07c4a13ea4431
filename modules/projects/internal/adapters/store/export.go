package store

import (
	"context"

	"github.com/omnistack/omnistack/modules/projects/internal/app"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/id"
)

var _ app.ExportStore = (*Store)(nil)

// ExportProjects reads all rows of the owner, in the order of an index.
func (s *Store) ExportProjects(ctx context.Context, owner id.Scope, after *app.ExportedProject, limit int) ([]app.ExportedProject, error) {
	matching, args := " WHERE owner_id = ?", []any{owner.User}
	if after != nil {
		matching += " AND (created_at, id) > (?, ?)"
		args = append(args, after.CreatedAt, after.ID)
	}
	return database.All(s.db.Read(ctx).Raw(`SELECT id, name, description, owner_id, created_at, updated_at, deleted_at FROM projects`+
		matching+" ORDER BY created_at, id LIMIT ?", append(args, limit)...), scanExported)
}

// scanExported believes the row, like scan.
func scanExported(found database.Row) (app.ExportedProject, error) {
	var project app.ExportedProject
	err := found.Scan(&project.ID, &project.Name, &project.Description, &project.OwnerID, &project.CreatedAt, &project.UpdatedAt,
		&project.DeletedAt)
	project.CreatedAt, project.UpdatedAt = project.CreatedAt.UTC(), project.UpdatedAt.UTC()
	project.DeletedAt = database.InUTC(project.DeletedAt)
	return project, err
}
