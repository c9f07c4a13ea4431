package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/projects/internal/adapters/store"
	"github.com/omnistack/omnistack/modules/projects/internal/app"
	"github.com/omnistack/omnistack/modules/projects/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/database/storetest"
	"github.com/omnistack/omnistack/platform/fold"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/testkit"
)

// The benchmarks do everything twice: through the store, and as the same SQL by plain database/sql on the same kind of
// connection, which is the floor. The ratio of the two is what GORM costs.

const (
	owners   = 200
	perOwner = 50
	fields   = "SELECT id, owner_id, name, description, version, created_at, updated_at"
	mine     = " FROM projects WHERE owner_id = ? AND deleted_at IS NULL"
)

func BenchmarkFind(b *testing.B) {
	storetest.EachEngine(b, func(b *testing.B, db *database.DB) {
		projects, all := fill(b, db)
		b.Run("store", func(b *testing.B) {
			storetest.Measure(b, func(round int) error {
				wanted := all[round%len(all)]
				_, err := projects.Find(b.Context(), wanted.Owner, wanted.ID)
				return err
			})
		})
		b.Run("floor", func(b *testing.B) {
			query := storetest.SQL(db.Engine(), fields+mine+" AND id = ?")
			storetest.Measure(b, func(round int) error {
				wanted := all[round%len(all)]
				_, err := scan(db.SQL().QueryRowContext(b.Context(), query, wanted.Owner.User, wanted.ID))
				return err
			})
		})
	})
}

// BenchmarkList reads a first page of 20 of an owner's 50 projects, among 10,000 rows.
func BenchmarkList(b *testing.B) {
	const limit = 21 // one more shows that there is a next page
	storetest.EachEngine(b, func(b *testing.B, db *database.DB) {
		projects, _ := fill(b, db)
		b.Run("store", func(b *testing.B) {
			storetest.Measure(b, func(round int) error {
				found, total, err := projects.List(b.Context(), owner(round), app.Listing{Sort: app.NewestFirst, Limit: limit})
				return check(found, total, err)
			})
		})
		b.Run("floor", func(b *testing.B) {
			count := storetest.SQL(db.Engine(), "SELECT count(*)"+mine)
			query := storetest.SQL(db.Engine(), fields+mine+" ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?")
			storetest.Measure(b, func(round int) error {
				var total int64
				if err := db.SQL().QueryRowContext(b.Context(), count, owner(round).User).Scan(&total); err != nil {
					return err
				}
				rows, err := db.SQL().QueryContext(b.Context(), query, owner(round).User, limit, 0)
				if err != nil {
					return err
				}
				defer rows.Close()
				var found []domain.Project
				for rows.Next() {
					project, err := scan(rows)
					if err != nil {
						return err
					}
					found = append(found, project)
				}
				return check(found, total, rows.Err())
			})
		})
	})
}

func BenchmarkInsert(b *testing.B) {
	storetest.EachEngine(b, func(b *testing.B, db *database.DB) {
		projects := store.New(db)
		b.Run("store", func(b *testing.B) {
			storetest.Measure(b, func(round int) error {
				added := example(round)
				return db.WithinTx(b.Context(), func(ctx context.Context) error { return projects.Insert(ctx, added) })
			})
		})
		b.Run("floor", func(b *testing.B) {
			insert := storetest.SQL(db.Engine(), `INSERT INTO projects
				(id, owner_id, name, name_folded, description, version, created_at, updated_at, deleted_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`)
			storetest.Measure(b, func(round int) error {
				p := example(round)
				tx, err := db.SQL().BeginTx(b.Context(), nil)
				if err != nil {
					return err
				}
				if _, err = tx.ExecContext(b.Context(), insert, p.ID, p.Owner.User, p.Name, fold.Text(p.Name), p.Description,
					p.Version, p.CreatedAt, p.UpdatedAt, sql.NullTime{}); err != nil {
					return err
				}
				return tx.Commit()
			})
		})
	})
}

// BenchmarkEnqueue is what a job adds to a business write as small as the product has them: the transaction that inserts a
// project, with its indexes and by the store, but without its event.
func BenchmarkEnqueue(b *testing.B) {
	storetest.EachEngine(b, func(b *testing.B, db *database.DB) {
		projects := store.New(db)
		log, _ := testkit.Logger(b)
		client, err := jobs.New(db, log)
		if err != nil {
			b.Fatal(err)
		}
		if err := client.Register([]module.Job{jobs.Kind(module.Job{}, func(context.Context, greet) error { return nil })}); err != nil {
			b.Fatal(err)
		}
		b.Run("project", func(b *testing.B) {
			storetest.Compare(b, func(round int) error {
				added := example(round)
				return db.WithinTx(b.Context(), func(ctx context.Context) error { return projects.Insert(ctx, added) })
			}, func(round int) error {
				added := example(round)
				return db.WithinTx(b.Context(), func(ctx context.Context) error {
					if err := projects.Insert(ctx, added); err != nil {
						return err
					}
					return client.Enqueue(ctx, greet{added.ID})
				})
			})
		})
	})
}

// greet is the arguments of a job.
type greet struct {
	Project string `json:"project"`
}

func (greet) Kind() string { return "projects.greet" }

func owner(i int) id.Scope { return id.Of(fmt.Sprintf("owner-%03d", i%owners)) }

func example(i int) domain.Project {
	at := time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC)
	return domain.Project{
		ID: id.New(), Owner: owner(i), Name: fmt.Sprintf("Project number %d", i), Description: new("What it is about, in one sentence."),
		Version: 1, CreatedAt: at, UpdatedAt: at,
	}
}

// fill returns a store of perOwner projects of each of the owners.
func fill(b *testing.B, db *database.DB) (*store.Store, []domain.Project) {
	b.Helper()
	s := suite{db, store.New(db)}
	var all []domain.Project
	for i := range owners * perOwner {
		all = append(all, example(i))
	}
	s.add(b, all...)
	if _, err := db.SQL().Exec("ANALYZE"); err != nil {
		b.Fatal(err)
	}
	return s.Store, all
}

// scan reads a project without the store.
func scan(row database.Row) (domain.Project, error) {
	var p domain.Project
	err := row.Scan(&p.ID, &p.Owner.User, &p.Name, &p.Description, &p.Version, &p.CreatedAt, &p.UpdatedAt)
	return p, err
}

func check(found []domain.Project, total int64, err error) error {
	if err == nil && (len(found) != 21 || total != perOwner) {
		err = fmt.Errorf("%d items of %d", len(found), total)
	}
	return err
}
