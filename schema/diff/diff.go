// Package diff writes migrations: it compares the modules' GORM models with what the migrations make of an empty
// database, and writes what is missing as the next file, for both engines. It is a developer's tool and never part of
// the product; the command is `go run ./cmd/scaffold migrate diff NAME`.
//
// For each engine two throwaway databases are made. One gets the models by GORM's AutoMigrate, the other one the
// migrations. Both are inspected and compared by atlas, and a new file is proved by running it: the comparison after it
// must be empty. Columns with their types, nullability, defaults and collations, primary keys, unique, partial and
// expression indexes, checks, and foreign keys with their actions survive this on both engines; a test says so.
//
// What a model can't say, or atlas can't see, is written by hand:
//
//   - A rename looks like a drop and an add, which loses the data.
//   - Moving or filling data, such as a default for a column that becomes NOT NULL.
//   - Triggers, views, functions and extensions. The tool leaves those that exist alone.
//   - A collation other than "C" on SQLite, STRICT tables, deferrable or NOT VALID constraints, partitions, row level
//     security.
//
// To do so, add migrations/<engine>/YYYYMMDDHHMMSS_name.sql for both engines and run
// `go run ./cmd/scaffold migrate hash`, which computes both atlas.sum anew. An index or a constraint on a table that a
// model describes has to be in the model, or the next diff drops it; a table that no model describes has to be named in
// Excluded.
//
// The models are written once, in PostgreSQL's words. On SQLite a time is `datetime`, whatever precision the model
// names; COLLATE "C" goes, because comparing bytes is how SQLite compares anyway; and a primary key is NOT NULL, which
// SQLite would only assume of an integer.
package diff

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/schema"

	"github.com/omnistack/omnistack/platform/database"
)

// Options says what is compared.
type Options struct {
	// Models are pointers to the GORM models of every module.
	Models []any
	// Folder holds the migrations, one folder for each engine.
	Folder string
	// PostgresURL is of a server on which databases may be created and dropped.
	PostgresURL string
}

// Excluded returns the patterns of what is in the database but in no model: River's tables and types, which come by
// migrations of ours, and the ledger of the migrations.
func Excluded() []string { return []string{"river_*", "atlas_schema_revisions"} }

// Engines returns the engines that have migrations.
func Engines() []database.Engine { return []database.Engine{database.Postgres, database.SQLite} }

var properName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// Write writes the next migration of each engine whose models and migrations differ, and its atlas.sum. It returns the
// paths of the new files, none when there is nothing to do. A file that doesn't bring the database to where the models
// are stays where it is, for its author to complete, and the error says what is missing.
func Write(ctx context.Context, opts Options, name string) (written []string, err error) {
	if !properName.MatchString(name) {
		return nil, fmt.Errorf("%q can't name a migration: use small letters, digits and underscores", name)
	}
	version, err := nextVersion(opts.Folder, time.Now())
	if err != nil {
		return nil, err
	}
	for _, engine := range Engines() {
		plan, err := compare(ctx, opts, engine)
		if err != nil {
			return written, err
		}
		if plan == nil {
			continue
		}
		plan.Version, plan.Name = version, name
		path, err := save(opts.Folder, engine, plan)
		if err != nil {
			return written, err
		}
		written = append(written, path)
		if rest, err := Missing(ctx, opts, engine); err != nil {
			return written, fmt.Errorf("%s doesn't run: %w", path, err)
		} else if len(rest) > 0 {
			return written, fmt.Errorf("%s can't say all of it, complete it by hand and run `scaffold migrate hash`: %s",
				path, strings.Join(rest, "; "))
		}
	}
	return written, nil
}

// Missing returns the statements that would bring a database with all migrations of the engine to where the models
// are. It is empty when the two agree.
func Missing(ctx context.Context, opts Options, engine database.Engine) ([]string, error) {
	plan, err := compare(ctx, opts, engine)
	if err != nil || plan == nil {
		return nil, err
	}
	statements := make([]string, len(plan.Changes))
	for i, change := range plan.Changes {
		statements[i] = change.Cmd
	}
	return statements, nil
}

// Hash computes the atlas.sum of every engine anew, after a file was written or changed by hand. It must not be used to
// bless a change to a file that has been applied anywhere: that database would refuse it.
func Hash(folder string) error {
	for _, engine := range Engines() {
		dir, err := openFolder(folder, engine)
		if err != nil {
			return err
		}
		if err := writeSum(dir); err != nil {
			return err
		}
	}
	return nil
}

// compare returns the plan that leads from the engine's migrations to the models, or nil when there is nothing to do.
func compare(ctx context.Context, opts Options, engine database.Engine) (*migrate.Plan, error) {
	dir, err := openFolder(opts.Folder, engine)
	if err != nil {
		return nil, err
	}
	migrated, err := newScratch(ctx, engine, opts.PostgresURL)
	if err != nil {
		return nil, err
	}
	defer migrated.drop()
	modelled, err := newScratch(ctx, engine, opts.PostgresURL)
	if err != nil {
		return nil, err
	}
	defer modelled.drop()

	if err := migrated.replay(ctx, dir); err != nil {
		return nil, fmt.Errorf("replaying the migrations on %s: %w", engine, err)
	}
	if err := modelled.autoMigrate(ctx, opts.Models); err != nil {
		return nil, fmt.Errorf("creating the models on %s: %w", engine, err)
	}
	current, err := migrated.inspect(ctx)
	if err != nil {
		return nil, err
	}
	desired, err := modelled.inspect(ctx)
	if err != nil {
		return nil, err
	}
	requireKeys(desired)
	return migrated.plan(ctx, current, desired)
}

// requireKeys makes primary keys NOT NULL. They are on PostgreSQL; SQLite lets a NULL into any but an integer one.
func requireKeys(tables *schema.Schema) {
	for _, table := range tables.Tables {
		if table.PrimaryKey == nil {
			continue
		}
		for _, part := range table.PrimaryKey.Parts {
			part.C.Type.Null = false
		}
	}
}
