package store

import (
	"github.com/omnistack/omnistack/modules/projects/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/fold"
)

func toRow(project domain.Project) row {
	return row{
		ID:          database.Key(project.ID),
		OwnerID:     database.Key(project.Owner.User),
		Name:        project.Name,
		NameFolded:  database.Key(fold.Text(project.Name)),
		Description: project.Description,
		Version:     project.Version,
		CreatedAt:   project.CreatedAt,
		UpdatedAt:   project.UpdatedAt,
	}
}

// scan believes the row: a rule that came later must not make an old row unreadable.
func scan(found database.Row) (domain.Project, error) {
	var project domain.Project
	err := found.Scan(&project.ID, &project.Owner.User, &project.Name, &project.Description, &project.Version,
		&project.CreatedAt, &project.UpdatedAt)
	project.CreatedAt, project.UpdatedAt = project.CreatedAt.UTC(), project.UpdatedAt.UTC()
	return project, err
}
