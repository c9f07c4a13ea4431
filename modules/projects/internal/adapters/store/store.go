// Package store keeps projects in the database.
package store

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"github.com/omnistack/omnistack/modules/projects"
	"github.com/omnistack/omnistack/modules/projects/internal/app"
	"github.com/omnistack/omnistack/modules/projects/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
)

// row is the table projects. Its indexes serve the two orders of a list, and the count; the first one holds deleted rows
// too, for erasing an owner. A third one holds deleted rows only, for the purge; by it and the last one a report counts.
type row struct {
	ID          database.Key   `gorm:"primaryKey;index:projects_by_created,priority:3;index:projects_by_name,priority:3,where:deleted_at IS NULL"`
	OwnerID     database.Key   `gorm:"not null;index:projects_by_created,priority:1;index:projects_by_name,priority:1"`
	Name        string         `gorm:"type:text;not null"`
	NameFolded  database.Key   `gorm:"not null;index:projects_by_name,priority:2"`
	Description *string        `gorm:"type:text"`
	Version     int64          `gorm:"not null"`
	CreatedAt   time.Time      `gorm:"not null;index:projects_by_created,priority:2;index:projects_by_creation"`
	UpdatedAt   time.Time      `gorm:"not null"`
	DeletedAt   gorm.DeletedAt `gorm:"index:projects_by_deletion,where:deleted_at IS NOT NULL"`
}

// TableName returns the name of the table.
func (row) TableName() string { return "projects" }

// planRow is the table projects_plans: a copy of what billing says of an owner. It is locked while a project is added, so whoever
// never paid has a row, too.
type planRow struct {
	OwnerID database.Key `gorm:"primaryKey"`
	Plan    string       `gorm:"type:text;not null"`
	Version int64        `gorm:"not null"`
}

// TableName returns the name of the table.
func (planRow) TableName() string { return "projects_plans" }

// Models returns the rows of this store, for the schema tooling.
func Models() []any { return []any{&row{}, &planRow{}, &fileRow{}} }

// Store is an app.Store in the database.
type Store struct{ db *database.DB }

var _ app.Store = (*Store)(nil)

// New returns a store over the database.
func New(db *database.DB) *Store { return &Store{db: db} }

// Insert adds a project.
func (s *Store) Insert(ctx context.Context, project domain.Project) error {
	added := toRow(project)
	return database.Classify(s.db.Tx(ctx).Create(&added).Error)
}

// mine are the rows that a read may see: the living ones of the owner, who is the first argument.
const mine = " FROM projects WHERE owner_id = ? AND deleted_at IS NULL"

// fields are what a project is read from, in the order in which scan takes them.
const fields = "SELECT id, owner_id, name, description, version, created_at, updated_at"

// Find returns one project of the owner.
func (s *Store) Find(ctx context.Context, owner id.Scope, projectID string) (domain.Project, error) {
	return one(s.db.Read(ctx).Raw(fields+mine+" AND id = ?", owner.User, projectID), projectID)
}

// FindAny returns one project of the owner, a deleted one too.
func (s *Store) FindAny(ctx context.Context, owner id.Scope, projectID string) (projects.Project, error) {
	found, err := database.One(s.db.Read(ctx).Raw(
		"SELECT id, name, deleted_at IS NOT NULL FROM projects WHERE owner_id = ? AND id = ?", owner.User, projectID),
		func(row database.Row) (projects.Project, error) {
			var project projects.Project
			err := row.Scan(&project.ID, &project.Name, &project.Deleted)
			return project, err
		})
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return projects.Project{}, errs.Missing("Project", projectID)
	}
	return found, err
}

// Lock returns one project of the owner and holds its row.
func (s *Store) Lock(ctx context.Context, owner id.Scope, projectID string) (domain.Project, error) {
	return one(s.db.Tx(ctx).Raw(fields+mine+" AND id = ?"+s.db.ForUpdate(), owner.User, projectID), projectID)
}

func one(query *gorm.DB, projectID string) (domain.Project, error) {
	project, err := database.One(query, scan)
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return domain.Project{}, errs.Missing("Project", projectID)
	}
	return project, err
}

// Save writes what can change, over the version that was locked.
func (s *Store) Save(ctx context.Context, project domain.Project) error {
	changed := toRow(project)
	return s.write(ctx, project, project.Version-1, map[string]any{
		"name":        changed.Name,
		"name_folded": changed.NameFolded,
		"description": changed.Description,
		"version":     changed.Version,
		"updated_at":  changed.UpdatedAt,
	})
}

// Delete marks the project as deleted.
func (s *Store) Delete(ctx context.Context, project domain.Project, at time.Time) error {
	return s.write(ctx, project, project.Version, map[string]any{
		"deleted_at": at,
		"updated_at": at,
		"version":    project.Version + 1,
	})
}

// write updates the row if it still has the version; a row that was changed meanwhile is errs.Precondition.
func (s *Store) write(ctx context.Context, project domain.Project, version int64, values map[string]any) error {
	done := s.db.Tx(ctx).Model(&row{}).
		Where("id = ? AND owner_id = ? AND version = ?", project.ID, project.Owner.User, version).
		UpdateColumns(values)
	if done.Error != nil {
		return database.Classify(done.Error)
	}
	if done.RowsAffected == 0 {
		return errs.Stale()
	}
	return nil
}

// Count returns how many projects the owner has.
func (s *Store) Count(ctx context.Context, owner id.Scope) (int64, error) {
	return database.One(s.db.Read(ctx).Raw("SELECT count(*)"+mine, owner.User), database.Scalar[int64])
}

// LockPlan returns the plan and holds its row, which it makes if there is none: a write takes one statement less than making
// it, locking it and reading it.
func (s *Store) LockPlan(ctx context.Context, owner id.Scope) (string, error) {
	return database.One(s.db.Tx(ctx).Raw(`INSERT INTO projects_plans (owner_id, plan, version) VALUES (?, '', 0)
		ON CONFLICT (owner_id) DO UPDATE SET version = projects_plans.version RETURNING plan`, owner.User), database.Scalar[string])
}

// SavePlan writes what is newer than what is there.
func (s *Store) SavePlan(ctx context.Context, owner id.Scope, plan string, version int64) error {
	return database.Classify(s.db.Tx(ctx).Exec(`INSERT INTO projects_plans (owner_id, plan, version) VALUES (?, ?, ?)
		ON CONFLICT (owner_id) DO UPDATE SET plan = excluded.plan, version = excluded.version
		WHERE projects_plans.version < excluded.version`, owner.User, plan, version).Error)
}

// Erase removes the owner's rows, deleted ones too.
func (s *Store) Erase(ctx context.Context, owner id.Scope) (map[string]int64, error) {
	return s.db.Erase(ctx, "owner_id", owner.User, "projects_plans", "projects")
}

// purged are the projects that Purge removes.
const purged = "(SELECT id FROM projects WHERE deleted_at < ? ORDER BY deleted_at, id LIMIT ?)"

// Purge removes rows that were deleted before the time.
func (s *Store) Purge(ctx context.Context, before time.Time, limit int) (int64, error) {
	done := s.db.Tx(ctx).Exec("DELETE FROM projects WHERE id IN "+purged, before, limit)
	return done.RowsAffected, database.Classify(done.Error)
}

// Tally counts what was created and deleted between two times, and what was there at the second.
func (s *Store) Tally(ctx context.Context, from, to time.Time) (app.Tally, error) {
	return database.One(s.db.Read(ctx).Raw(`SELECT
		(SELECT count(*) FROM projects WHERE created_at >= ? AND created_at < ?),
		(SELECT count(*) FROM projects WHERE deleted_at >= ? AND deleted_at < ?),
		(SELECT count(*) FROM projects WHERE created_at < ? AND (deleted_at IS NULL OR deleted_at >= ?))`,
		from, to, from, to, to, to),
		func(row database.Row) (app.Tally, error) {
			var tally app.Tally
			err := row.Scan(&tally.Created, &tally.Deleted, &tally.All)
			return tally, err
		})
}

// List returns one page and the number of all matches.
func (s *Store) List(ctx context.Context, owner id.Scope, listing app.Listing) ([]domain.Project, int64, error) {
	matching, args := mine, []any{owner.User}
	if listing.Search != "" {
		matching += ` AND name_folded LIKE ? ESCAPE '\'`
		args = append(args, database.Containing(listing.Search))
	}
	total, err := database.One(s.db.Read(ctx).Raw("SELECT count(*)"+matching, args...), database.Scalar[int64])
	if err != nil {
		return nil, 0, err
	}

	order := orders[listing.Sort]
	if listing.After != nil {
		place, err := order.place(*listing.After)
		if err != nil {
			return nil, 0, err
		}
		matching += order.behind
		args = append(args, place, listing.After.ID)
	}
	args = append(args, listing.Limit, listing.Skip)
	items, err := database.All(s.db.Read(ctx).Raw(fields+matching+order.by+" LIMIT ? OFFSET ?", args...), scan)
	return items, total, err
}

// order is how a Sort is said in SQL.
type order struct {
	by     string
	behind string // the rows behind a place: its key and its id
	place  func(page.Key) (any, error)
}

var orders = map[app.Sort]order{
	app.NewestFirst: {" ORDER BY created_at DESC, id DESC", " AND (created_at, id) < (?, ?)", createdAt},
	app.OldestFirst: {" ORDER BY created_at, id", " AND (created_at, id) > (?, ?)", createdAt},
	app.ByName:      {" ORDER BY name_folded, id", " AND (name_folded, id) > (?, ?)", nameFolded},
	app.ByNameDown:  {" ORDER BY name_folded DESC, id DESC", " AND (name_folded, id) < (?, ?)", nameFolded},
}

func createdAt(key page.Key) (any, error)  { return key.Time() }
func nameFolded(key page.Key) (any, error) { return key.Value, nil }
