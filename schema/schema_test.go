package schema_test

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"ariga.io/atlas/sql/migrate"
	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/schema"
)

const (
	first  = "20260101000000_owners.sql"
	second = "20260102000000_pets.sql"
	third  = "20260103000000_names.sql"
)

// zoo is three migrations that run on both engines.
func zoo() map[string]string {
	return map[string]string{
		first:  "CREATE TABLE owners (id text NOT NULL PRIMARY KEY, name text NOT NULL);",
		second: "CREATE TABLE pets (id text NOT NULL PRIMARY KEY, owner_id text NOT NULL REFERENCES owners (id) ON DELETE CASCADE);",
		third:  "CREATE INDEX owners_name ON owners (name);\nINSERT INTO owners (id, name) VALUES ('1', 'Ada');",
	}
}

func TestEmbeddedMigrationsAreValid(t *testing.T) {
	if err := schema.Validate(); err != nil {
		t.Fatal(err)
	}
}

func TestUpAppliesWhatIsPending(t *testing.T) {
	eachEmpty(t, func(t *testing.T, db *database.DB) {
		ctx := t.Context()
		before := time.Now().Add(-time.Second)
		files := zoo()
		last := files[third]
		delete(files, third)
		requireApplied(t, db, hashed(t, files), first, second)

		files[third] = last
		folder := hashed(t, files)
		err := schema.CurrentFrom(ctx, db, folder)
		if err == nil || !strings.Contains(err.Error(), "20260103000000_names") || !strings.Contains(err.Error(), "omnistack migrate up") ||
			strings.Contains(err.Error(), "pets") {
			t.Errorf("the error of a database that is behind: %v", err)
		}
		requireApplied(t, db, folder, third)
		requireApplied(t, db, folder)
		if err := schema.CurrentFrom(ctx, db, folder); err != nil {
			t.Errorf("nothing is pending, but: %v", err)
		}

		all, err := schema.StatusFrom(ctx, db, folder)
		if err != nil || len(all) != 3 {
			t.Fatalf("the status is %v (%v)", all, err)
		}
		for i, name := range []string{"owners", "pets", "names"} {
			m := all[i]
			if m.Name != name || m.Version != strings.SplitN([]string{first, second, third}[i], "_", 2)[0] {
				t.Errorf("migration %d is %+v", i, m)
			}
			if m.Applied.Before(before) || m.Applied.After(time.Now()) || m.Applied.Location() != time.UTC {
				t.Errorf("%s was applied at %s", m.Name, m.Applied)
			}
		}
	})
}

func TestEmptyDatabase(t *testing.T) {
	eachEmpty(t, func(t *testing.T, db *database.DB) {
		folder := hashed(t, zoo())
		if err := schema.CurrentFrom(t.Context(), db, folder); err == nil {
			t.Error("a database without a ledger is current")
		}
		all, err := schema.StatusFrom(t.Context(), db, folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range all {
			if !m.Applied.IsZero() {
				t.Errorf("%s counts as applied", m.Name)
			}
		}
		requireApplied(t, db, hashed(t, nil))
	})
}

// The columns are those of the atlas CLI's own table; see the package's doc.
func TestLedgerIsTheAtlasCLIs(t *testing.T) {
	eachEmpty(t, func(t *testing.T, db *database.DB) {
		folder := hashed(t, zoo())
		requireApplied(t, db, folder, first, second, third)
		var row struct {
			Version, Description, Error, ErrorStmt, Hash, PartialHashes, OperatorVersion string
			Type, Applied, Total                                                         int
			ExecutionTime                                                                int64
			ExecutedAt                                                                   time.Time
		}
		err := db.Read(t.Context()).Raw("SELECT * FROM atlas_schema_revisions WHERE version = ?", "20260103000000").
			Scan(&row).Error
		if err != nil {
			t.Fatal(err)
		}
		sum := string(folder[migrate.HashFileName].Data)
		if row.Description != "names" || row.Type != int(migrate.RevisionTypeExecute) || row.Applied != 2 || row.Total != 2 ||
			row.Error != "" || row.ErrorStmt != "" || row.PartialHashes != "null" || row.OperatorVersion == "" ||
			row.ExecutionTime <= 0 || !strings.Contains(sum, third+" h1:"+row.Hash+"\n") {
			t.Errorf("the ledger holds %+v", row)
		}

		run(t, db, `INSERT INTO atlas_schema_revisions (version, description, executed_at, execution_time, hash, operator_version)
			VALUES ('.atlas_cloud_identifier', 'an id', CURRENT_TIMESTAMP, 0, '', 'Atlas CLI')`)
		requireApplied(t, db, folder)
	})
}

func TestBrokenFoldersAreRefused(t *testing.T) {
	whole := func() fstest.MapFS { return hashed(t, zoo()) }
	without := func(name string) fstest.MapFS {
		folder := whole()
		delete(folder, name)
		return folder
	}
	with := func(name, content string) fstest.MapFS {
		folder := whole()
		folder[name] = &fstest.MapFile{Data: []byte(content)}
		return folder
	}
	also := func(name, content string) fstest.MapFS {
		files := zoo()
		files[name] = content
		return hashed(t, files)
	}
	sum := string(whole()[migrate.HashFileName].Data)
	cases := map[string]struct {
		folder fs.FS
		says   []string
	}{
		"edited":             {with(second, "CREATE TABLE pets (id text);"), []string{second, "edited"}},
		"removed":            {without(second), []string{second, "removed"}},
		"added in between":   {with("20260101120000_x.sql", "SELECT 1;"), []string{"20260101120000_x.sql", "added"}},
		"added at the end":   {with("20270101000000_x.sql", "SELECT 1;"), []string{"20270101000000_x.sql", "added"}},
		"no sum":             {without(migrate.HashFileName), []string{migrate.HashFileName, "missing"}},
		"edited sum":         {with(migrate.HashFileName, strings.Replace(sum, "pets", "cats", 1)), []string{migrate.HashFileName}},
		"no version":         {also("x.sql", "SELECT 1;"), []string{"x.sql", "YYYYMMDDHHMMSS"}},
		"version taken":      {also("20260102000000_x.sql", "SELECT 1;"), []string{"20260102000000_x.sql", "same version"}},
		"out of the sum":     {also("20260104000000_x.sql", "-- atlas:sum ignore\nSELECT 1;"), []string{"20260104000000_x.sql"}},
		"own transaction":    {also("20260104000000_x.sql", "SELECT 1;\nCOMMIT;"), []string{"20260104000000_x.sql", "statement 2"}},
		"hidden commit":      {also("20260104000000_x.sql", "-- a\n/* b */ commit;"), []string{"20260104000000_x.sql"}},
		"own begin":          {also("20260104000000_x.sql", "BEGIN;\nSELECT 1;\nCOMMIT;"), []string{"20260104000000_x.sql"}},
		"outside of one":     {also("20260104000000_x.sql", "-- atlas:txmode none\n\nSELECT 1;"), []string{"20260104000000_x.sql", "txmode"}},
		"unclosed quotation": {also("20260104000000_x.sql", "SELECT 'x;"), []string{"20260104000000_x.sql"}},
	}
	eachEmpty(t, func(t *testing.T, db *database.DB) {
		for name, c := range cases {
			applied, err := schema.UpFrom(t.Context(), db, c.folder, zap.NewNop())
			requireRefusal(t, name, err, c.says...)
			if len(applied) > 0 {
				t.Errorf("%s: applied %v", name, applied)
			}
		}
		requireNoTables(t, db, "owners", "atlas_schema_revisions")
	})
}

func TestStrangeDatabasesAreRefused(t *testing.T) {
	eachEmpty(t, func(t *testing.T, db *database.DB) {
		whole := hashed(t, zoo())
		requireApplied(t, db, whole, first, second, third)

		older := zoo()
		delete(older, third)
		older["20260102120000_y.sql"] = "SELECT 1;"
		_, err := schema.UpFrom(t.Context(), db, hashed(t, older), zap.NewNop())
		requireRefusal(t, "newer database", err, "20260103000000", "newer")

		delete(older, "20260102120000_y.sql")
		if err := schema.CurrentFrom(t.Context(), db, hashed(t, older)); err != nil {
			t.Errorf("a process that is being replaced must go on serving, but: %v", err)
		}

		edited := zoo()
		edited[second] += "\nSELECT 1;"
		_, err = schema.UpFrom(t.Context(), db, hashed(t, edited), zap.NewNop())
		requireRefusal(t, "edited with its sum", err, second, "hash differs")

		late := zoo()
		late["20260102120000_late.sql"] = "CREATE TABLE late (id text);"
		_, err = schema.UpFrom(t.Context(), db, hashed(t, late), zap.NewNop())
		requireRefusal(t, "added behind", err, "20260102120000_late.sql", third)
		requireNoTables(t, db, "late")

		run(t, db, "UPDATE atlas_schema_revisions SET applied = 1 WHERE version = '20260103000000'")
		_, err = schema.UpFrom(t.Context(), db, whole, zap.NewNop())
		requireRefusal(t, "applied in part", err, third, "in part")
		if err := schema.CurrentFrom(t.Context(), db, whole); err == nil {
			t.Error("a database with a part of a migration is current")
		}
	})
}

func TestFailureLeavesThePreviousState(t *testing.T) {
	eachEmpty(t, func(t *testing.T, db *database.DB) {
		files := zoo()
		delete(files, third)
		files["20260104000000_wrong.sql"] = "CREATE TABLE half (id text);\nINSERT INTO owners (id, name) VALUES ('2', 'secret');\n" +
			"INSERT INTO owners (id, name) VALUES ('2', 'secret');\nCREATE TABLE never (id text);"

		applied, err := schema.UpFrom(t.Context(), db, hashed(t, files), zap.NewNop())
		requireRefusal(t, "a failing migration", err, "20260104000000_wrong.sql", "statement 3")
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error shows values: %v", err)
		}
		if !slices.Equal(applied, []string{first, second}) {
			t.Errorf("applied %v", applied)
		}
		requireNoTables(t, db, "half", "never")
		if n := testkit.Rows(t, db, "owners", ""); n != 0 {
			t.Errorf("%d rows of the failed migration were kept", n)
		}
		if n := testkit.Rows(t, db, "atlas_schema_revisions", ""); n != 2 {
			t.Errorf("the ledger holds %d revisions", n)
		}

		delete(files, "20260104000000_wrong.sql")
		files["20260104000000_right.sql"] = "CREATE TABLE half (id text);"
		requireApplied(t, db, hashed(t, files), "20260104000000_right.sql")
		requireForeignKeys(t, db)
	})
}

func TestFailureShowsNoValues(t *testing.T) {
	db := testkit.OpenDatabase(t, testkit.EmptyDatabaseOptions(t, database.Postgres))
	_, err := schema.UpFrom(t.Context(), db, hashed(t, map[string]string{
		first: "CREATE TABLE owners (name text);\nINSERT INTO owners VALUES ('secret');\n" +
			"ALTER TABLE owners ALTER COLUMN name TYPE integer USING name::integer;",
	}), zap.NewNop())
	requireRefusal(t, "a value that doesn't fit", err, first, "statement 3", "22P02")
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the error shows values: %v", err)
	}
}

func TestCancelLeavesThePreviousState(t *testing.T) {
	wait := map[database.Engine]string{
		database.Postgres: "SELECT pg_sleep(60);",
		database.SQLite:   "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n;",
	}
	eachEmpty(t, func(t *testing.T, db *database.DB) {
		folder := hashed(t, map[string]string{first: "CREATE TABLE half (id text);\n" + wait[db.Engine()]})
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if _, err := schema.UpFrom(ctx, db, folder, zap.NewNop()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the error of a cancelled migration is %v", err)
		}
		requireNoTables(t, db, "half", "atlas_schema_revisions")
		requireApplied(t, db, hashed(t, zoo()), first, second, third)
	})
}

// rebuilt is what atlas writes for SQLite when a column changes: dropping the old table would empty its children.
const rebuilt = `CREATE TABLE new_owners (id text NOT NULL PRIMARY KEY, name text NULL);
INSERT INTO new_owners (id, name) SELECT id, name FROM owners;
DROP TABLE owners;
ALTER TABLE new_owners RENAME TO owners;`

func TestRebuildKeepsChildren(t *testing.T) {
	db := testkit.OpenDatabase(t, testkit.EmptyDatabaseOptions(t, database.SQLite))
	files := zoo()
	requireApplied(t, db, hashed(t, files), first, second, third)
	run(t, db, "INSERT INTO pets (id, owner_id) VALUES ('cat', '1')")

	files["20260104000000_rebuild.sql"] = rebuilt
	requireApplied(t, db, hashed(t, files), "20260104000000_rebuild.sql")
	if n := testkit.Rows(t, db, "pets", ""); n != 1 {
		t.Errorf("%d pets are left, want 1", n)
	}
	requireForeignKeys(t, db)

	files["20260105000000_orphans.sql"] = "DELETE FROM owners;"
	_, err := schema.UpFrom(t.Context(), db, hashed(t, files), zap.NewNop())
	requireRefusal(t, "orphans", err, "20260105000000_orphans.sql", "pets -> owners")
	if n := testkit.Rows(t, db, "owners", ""); n != 1 {
		t.Errorf("%d owners are left, want 1", n)
	}

	run(t, db, "DELETE FROM owners")
	if n := testkit.Rows(t, db, "pets", ""); n != 0 {
		t.Errorf("%d pets outlive their owner: the cascade is gone", n)
	}
}

// Behind a pooler, and with a single connection, the lock and the work share one connection.
func TestUpNeedsOneConnection(t *testing.T) {
	for _, pooled := range []bool{false, true} {
		opts := testkit.EmptyDatabaseOptions(t, database.Postgres)
		opts.PoolSize, opts.Pooled = 1, pooled
		db := testkit.OpenDatabase(t, opts)
		requireApplied(t, db, hashed(t, zoo()), first, second, third)
		requireApplied(t, db, hashed(t, zoo()))
	}
}

func TestLockIsGivenBack(t *testing.T) {
	db := testkit.OpenDatabase(t, testkit.EmptyDatabaseOptions(t, database.Postgres))
	files := zoo()
	files["20260104000000_wrong.sql"] = "SELECT 1 / 0;"
	if _, err := schema.UpFrom(t.Context(), db, hashed(t, files), zap.NewNop()); err == nil {
		t.Fatal("the migration did not fail")
	}
	var held int
	err := db.Read(t.Context()).Raw("SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database " +
		"WHERE l.locktype = 'advisory' AND d.datname = current_database()").Scan(&held).Error
	if err != nil || held != 0 {
		t.Errorf("%d locks are held (%v)", held, err)
	}
}

func eachEmpty(t *testing.T, test func(t *testing.T, db *database.DB)) {
	t.Helper()
	for _, engine := range []database.Engine{database.SQLite, database.Postgres} {
		t.Run(string(engine), func(t *testing.T) { test(t, testkit.OpenDatabase(t, testkit.EmptyDatabaseOptions(t, engine))) })
	}
}

// hashed returns a folder with these files and their sum.
func hashed(t *testing.T, files map[string]string) fstest.MapFS {
	t.Helper()
	folder := fstest.MapFS{}
	dir := &migrate.MemDir{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		folder[name] = &fstest.MapFile{Data: []byte(files[name])}
		if err := dir.WriteFile(name, []byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := dir.Checksum()
	if err != nil {
		t.Fatal(err)
	}
	text, err := sum.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	folder[migrate.HashFileName] = &fstest.MapFile{Data: text}
	return folder
}

func requireApplied(t *testing.T, db *database.DB, folder fs.FS, want ...string) {
	t.Helper()
	applied, err := schema.UpFrom(t.Context(), db, folder, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(applied, want) {
		t.Fatalf("applied %v, want %v", applied, want)
	}
}

func requireRefusal(t *testing.T, what string, err error, says ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	for _, part := range says {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%s: the error lacks %q: %v", what, part, err)
		}
	}
}

func requireNoTables(t *testing.T, db *database.DB, names ...string) {
	t.Helper()
	for _, name := range names {
		if db.Read(t.Context()).Migrator().HasTable(name) {
			t.Errorf("there is a table %s", name)
		}
	}
}

// requireForeignKeys proves that the connection used after a migration enforces foreign keys.
func requireForeignKeys(t *testing.T, db *database.DB) {
	t.Helper()
	err := db.WithinTx(t.Context(), func(ctx context.Context) error {
		return db.Tx(ctx).Exec("INSERT INTO pets (id, owner_id) VALUES ('stray', 'nobody')").Error
	})
	if err == nil {
		t.Error("foreign keys are not enforced")
	}
}

func run(t *testing.T, db *database.DB, statement string) {
	t.Helper()
	if _, err := db.SQL().ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
