// Package projectstest holds the fakes of the projects contract, for other modules' tests.
package projectstest

import (
	"context"

	"github.com/omnistack/omnistack/modules/projects"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
)

// Catalog is a projects.Catalog that answers from a map of owner to projects, deleted ones too.
type Catalog map[id.Scope][]projects.Project

var _ projects.Catalog = Catalog{}

// Count returns how many the map holds that aren't deleted, 0 for an owner it doesn't know.
func (c Catalog) Count(_ context.Context, owner id.Scope) (int64, error) {
	var count int64
	for _, project := range c[owner] {
		if !project.Deleted {
			count++
		}
	}
	return count, nil
}

// Find returns what the map holds, or errs.NotFound.
func (c Catalog) Find(_ context.Context, owner id.Scope, projectID string) (projects.Project, error) {
	for _, project := range c[owner] {
		if project.ID == projectID {
			return project, nil
		}
	}
	return projects.Project{}, errs.Missing("Project", projectID)
}
