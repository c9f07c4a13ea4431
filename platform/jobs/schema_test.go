package jobs_test

import (
	"database/sql"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/riverqueue/river/rivermigrate"
	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/telemetry"
	"github.com/omnistack/omnistack/platform/testkit"
)

// Our migrations are River's: its migrator finds nothing to do, and in an empty database it makes the same tables.
func TestOurMigrationsAreRivers(t *testing.T) {
	for _, engine := range []database.Engine{database.SQLite, database.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			opts := testkit.DatabaseOptions(t, engine)
			ours := openDatabase(t, opts)
			found, err := migrator(t, ours).Validate(t.Context(), nil)
			if err != nil || !found.OK {
				t.Errorf("River says %v, %v", found, err)
			}
			migrations := migrator(t, ours).AllVersions()
			if got, want := testkit.Rows(t, ours, "river_migration", "line = ?", "main"), len(migrations); got != want {
				t.Errorf("%d migrations are noted, want %d", got, want)
			}

			want := theirs(t, opts)
			got := describe(t, ours)
			for _, line := range want {
				if !slices.Contains(got, line) {
					t.Errorf("River has, and we haven't: %s", line)
				}
			}
			for _, line := range got {
				if !slices.Contains(want, line) && !strings.HasPrefix(line, "index jobs_") { // such are ours
					t.Errorf("we have, and River hasn't: %s", line)
				}
			}
			if len(want) < 10 {
				t.Errorf("only %d things are compared", len(want))
			}
		})
	}
}

// theirs returns what River's own migrator makes of an empty database.
func theirs(t *testing.T, opts database.Options) []string {
	t.Helper()
	if opts.Engine == database.SQLite {
		opts.Target = filepath.Join(t.TempDir(), "theirs.db")
	} else {
		opts = testkit.DatabaseOptions(t, opts.Engine)
	}
	db := openDatabase(t, opts)
	if opts.Engine == database.Postgres {
		if _, err := db.SQL().Exec("DROP SCHEMA public CASCADE; CREATE SCHEMA public"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := migrator(t, db).Migrate(t.Context(), rivermigrate.DirectionUp, nil); err != nil {
		t.Fatal(err)
	}
	return describe(t, db)
}

// describe returns a line for everything of River's that is in the database.
func describe(t *testing.T, db *database.DB) []string {
	t.Helper()
	query := `SELECT type || ' ' || name || ': ' || sql FROM sqlite_master WHERE name LIKE 'river%'`
	if db.Engine() == database.Postgres {
		query = `
			SELECT 'relation ' || relname || ': ' || relkind::text || relpersistence::text FROM pg_class WHERE relname LIKE 'river%'
			UNION ALL SELECT 'column ' || c.relname || '.' || a.attname || ': ' || a.attnum || ', ' || format_type(a.atttypid, a.atttypmod) || ', ' ||
				a.attnotnull || ', ' || coalesce(pg_get_expr(d.adbin, d.adrelid), 'nothing')
				FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
				WHERE c.relname LIKE 'river%' AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
			UNION ALL SELECT 'constraint ' || conname || ': ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid::regclass::text LIKE 'river%'
			UNION ALL SELECT 'index ' || indexname || ': ' || indexdef FROM pg_indexes WHERE tablename LIKE 'river%'
			UNION ALL SELECT 'function ' || proname || ': ' || prosrc FROM pg_proc WHERE proname LIKE 'river%'
			UNION ALL SELECT 'state ' || enumlabel || ': ' || row_number() OVER (ORDER BY enumsortorder) FROM pg_enum`
	}
	lines, err := database.All(db.Read(t.Context()).Raw(query), database.Scalar[string])
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range lines {
		lines[i] = strings.Join(strings.Fields(strings.ReplaceAll(line, `"`, "")), " ")
		if db.Engine() == database.SQLite { // which keeps the statement as it was written
			lines[i] = strings.NewReplacer("( ", "(", " )", ")", " (", "(").Replace(lines[i])
		}
	}
	return lines
}

func migrator(t *testing.T, db *database.DB) *rivermigrate.Migrator[*sql.Tx] {
	t.Helper()
	made, err := rivermigrate.New(newSuite(t, db).Driver(), &rivermigrate.Config{Logger: telemetry.Slog(zap.NewNop())})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func openDatabase(t *testing.T, opts database.Options) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), opts, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}
