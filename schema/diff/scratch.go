package diff

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/postgres"
	"ariga.io/atlas/sql/schema"
	"ariga.io/atlas/sql/sqlite"
	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	gormpostgres "gorm.io/driver/postgres"
	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/migrator"
	gormschema "gorm.io/gorm/schema"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/omnistack/omnistack/platform/database"
)

// scratch is an empty database that is thrown away.
type scratch struct {
	engine database.Engine
	db     *sql.DB
	driver migrate.Driver
	drop   func()
}

func newScratch(ctx context.Context, engine database.Engine, postgresURL string) (*scratch, error) {
	if engine == database.Postgres {
		return newPostgres(ctx, postgresURL)
	}
	return newSQLite()
}

func newPostgres(ctx context.Context, server string) (*scratch, error) {
	target, err := url.Parse(server)
	if err != nil {
		return nil, errors.New("the URL of the PostgreSQL server can't be parsed")
	}
	admin, err := sql.Open("pgx", server)
	if err != nil {
		return nil, err
	}
	name := "diff_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if _, err := admin.ExecContext(ctx, "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		return nil, errors.Join(fmt.Errorf("making a throwaway database: %w", err), admin.Close())
	}
	target.Path = "/" + name
	s := &scratch{engine: database.Postgres}
	s.drop = func() {
		if s.db != nil {
			_ = s.db.Close()
		}
		_, _ = admin.ExecContext(context.WithoutCancel(ctx), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
		_ = admin.Close()
	}
	if s.db, err = sql.Open("pgx", target.String()); err == nil {
		s.driver, err = postgres.Open(s.db)
	}
	if err != nil {
		s.drop()
		return nil, err
	}
	return s, nil
}

func newSQLite() (*scratch, error) {
	folder, err := os.MkdirTemp("", "omnistack-diff-")
	if err != nil {
		return nil, err
	}
	s := &scratch{engine: database.SQLite}
	s.drop = func() {
		if s.db != nil {
			_ = s.db.Close()
		}
		_ = os.RemoveAll(folder)
	}
	if s.db, err = sql.Open("sqlite", "file:"+filepath.Join(folder, "scratch.db")+"?_dqs=0"); err == nil {
		s.driver, err = sqlite.Open(s.db)
	}
	if err != nil {
		s.drop()
		return nil, err
	}
	return s, nil
}

// replay runs the migrations. The database is empty, so neither a transaction nor a ledger is needed.
func (s *scratch) replay(ctx context.Context, dir migrate.Dir) error {
	executor, err := migrate.NewExecutor(s.driver, dir, migrate.NopRevisionReadWriter{})
	if err != nil {
		return err
	}
	if err := executor.ExecuteN(ctx, 0); !errors.Is(err, migrate.ErrNoPendingFiles) {
		return err
	}
	return nil
}

// autoMigrate creates the tables of the models.
func (s *scratch) autoMigrate(ctx context.Context, models []any) error {
	dialector := gormpostgres.New(gormpostgres.Config{Conn: s.db})
	if s.engine == database.SQLite {
		dialector = sqliteDialector{gormsqlite.Dialector{Conn: s.db}}
	}
	db, err := gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return err
	}
	return db.WithContext(ctx).AutoMigrate(models...)
}

// inspect returns the tables as atlas sees them.
func (s *scratch) inspect(ctx context.Context) (*schema.Schema, error) {
	return s.driver.InspectSchema(ctx, "", &schema.InspectOptions{Exclude: Excluded()})
}

// plan returns the statements that lead from one state to the other, or nil when they are the same. Both come from a
// database of the same engine, which has put their expressions into its own words, so these are compared too.
func (s *scratch) plan(ctx context.Context, from, to *schema.Schema) (*migrate.Plan, error) {
	changes, err := s.driver.SchemaDiff(from, to, schema.DiffNormalized())
	if err != nil {
		return nil, err
	}
	plan, err := s.driver.PlanChanges(ctx, "plan", changes, func(o *migrate.PlanOptions) {
		o.Mode = migrate.PlanModeDeferred
		o.SchemaQualifier = new(string)
		o.Indent = "  "
	})
	if err != nil {
		return nil, err
	}
	recollated, err := recollate(from, to)
	if err != nil {
		return nil, err
	}
	plan.Changes = append(withoutPragmas(plan.Changes), recollated...)
	if len(plan.Changes) == 0 {
		return nil, nil
	}
	return plan, nil
}

// recollate returns the statements for columns whose collation changes: atlas creates them with it, and compares it
// never. On SQLite atlas reads no collation, so there is nothing to do.
func recollate(from, to *schema.Schema) ([]*migrate.Change, error) {
	var changes []*migrate.Change
	for _, table := range to.Tables {
		before, ok := from.Table(table.Name)
		if !ok {
			continue
		}
		for _, column := range table.Columns {
			old, ok := before.Column(column.Name)
			if !ok || collation(old) == collation(column) {
				continue
			}
			kind, err := postgres.FormatType(column.Type.Type)
			if err != nil {
				return nil, err
			}
			changes = append(changes, &migrate.Change{
				Comment: fmt.Sprintf("change the collation of %q in table %q", column.Name, table.Name),
				Cmd: fmt.Sprintf("ALTER TABLE %q ALTER COLUMN %q TYPE %s COLLATE %q",
					table.Name, column.Name, kind, cmp.Or(collation(column), "default")),
			})
		}
	}
	return changes, nil
}

// collation returns the name of the column's own collation, or "".
func collation(column *schema.Column) string {
	for _, attr := range column.Attrs {
		if own, ok := attr.(*schema.Collation); ok {
			return own.V
		}
	}
	return ""
}

// withoutPragmas drops atlas' switching of foreign keys on SQLite: it has no effect inside a transaction, and package
// schema does it.
func withoutPragmas(changes []*migrate.Change) []*migrate.Change {
	kept := make([]*migrate.Change, 0, len(changes))
	for _, change := range changes {
		if !strings.HasPrefix(change.Cmd, "PRAGMA foreign_keys") {
			kept = append(kept, change)
		}
	}
	return kept
}

// sqliteDialector understands models that were written in PostgreSQL's words.
type sqliteDialector struct{ gormsqlite.Dialector }

// DataTypeOf returns the type of the column on SQLite.
func (d sqliteDialector) DataTypeOf(field *gormschema.Field) string {
	kind := d.Dialector.DataTypeOf(field)
	if strings.HasPrefix(strings.ToLower(kind), "timestamp") {
		return "datetime"
	}
	return strings.ReplaceAll(kind, ` COLLATE "C"`, "")
}

// Migrator returns GORM's migrator for SQLite, which asks this dialector for types.
func (d sqliteDialector) Migrator(db *gorm.DB) gorm.Migrator {
	return gormsqlite.Migrator{Migrator: migrator.Migrator{Config: migrator.Config{
		DB: db, Dialector: d, CreateIndexAfterCreateTable: true,
	}}}
}
