package testkit

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/schema"
)

// Engines are the databases that everything which runs many things at once must work on. Under the race detector it is
// PostgreSQL alone: SQLite is C in Go, there ten times as slow, and it would be waited for instead of watched. Each store is
// watched on both, by EachEngine.
func Engines() []database.Engine {
	if Raced() {
		return []database.Engine{database.Postgres}
	}
	return []database.Engine{database.SQLite, database.Postgres}
}

// EachEngine runs the test on both engines, in parallel subtests "sqlite" and "postgres", each with a database as
// SQLite and Postgres return it. A quick run skips the latter.
func EachEngine(t *testing.T, test func(t *testing.T, db *database.DB)) {
	t.Helper()
	eachOf([]database.Engine{database.SQLite, database.Postgres}, t, test)
}

// EachWatched is EachEngine for tests of what runs many things at once: on Engines.
func EachWatched(t *testing.T, test func(t *testing.T, db *database.DB)) {
	t.Helper()
	eachOf(Engines(), t, test)
}

func eachOf(engines []database.Engine, t *testing.T, test func(t *testing.T, db *database.DB)) {
	t.Helper()
	for _, engine := range engines {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			test(t, open(t, engine))
		})
	}
}

// Postgres returns an open PostgreSQL database that is migrated, empty and this test's alone. It is closed and dropped
// when the test ends. A quick run skips the test.
func Postgres(t testing.TB) *database.DB {
	t.Helper()
	return open(t, database.Postgres)
}

// SQLite returns an open SQLite database that is migrated, empty and this test's alone. It is closed and removed when
// the test ends.
func SQLite(t testing.TB) *database.DB {
	t.Helper()
	return open(t, database.SQLite)
}

func open(t testing.TB, engine database.Engine) *database.DB {
	t.Helper()
	return OpenDatabase(t, DatabaseOptions(t, engine))
}

// OpenDatabase opens a database that exists, without a log, and closes it when the test ends.
func OpenDatabase(t testing.TB, opts database.Options) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), opts, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("closing the database: %v", err)
		}
	})
	return db
}

// DatabaseOptions makes a database as Postgres and SQLite do and returns how to open it, for a test that runs the whole
// product or another process on it. It is removed when the test ends, whoever still holds it open.
func DatabaseOptions(t testing.TB, engine database.Engine) database.Options {
	t.Helper()
	opts := database.Options{Engine: engine, PoolSize: 8}
	var err error
	switch engine {
	case database.SQLite:
		opts.Target, err = copySQLite(t)
	case database.Postgres:
		NeedServers(t)
		opts.Target, err = copyPostgres(t)
	default:
		err = fmt.Errorf("unknown database engine %q", engine)
	}
	if err != nil {
		t.Fatal(err)
	}
	return opts
}

// Rows returns how many rows of the table meet the condition, such as "owner_id = ?"; "" counts all of them.
func Rows(t testing.TB, db *database.DB, table, where string, args ...any) int {
	t.Helper()
	query := db.Read(t.Context()).Table(table)
	if where != "" {
		query = query.Where(where, args...)
	}
	var rows int64
	if err := query.Count(&rows).Error; err != nil {
		t.Fatalf("counting the rows of %s: %v", table, err)
	}
	return int(rows)
}

// EmptyDatabaseOptions is DatabaseOptions for a database without a single table.
func EmptyDatabaseOptions(t testing.TB, engine database.Engine) database.Options {
	t.Helper()
	if engine == database.SQLite {
		return database.Options{Engine: engine, Target: filepath.Join(t.TempDir(), "empty.db")}
	}
	opts := DatabaseOptions(t, engine)
	err := within(t.Context(), opts, func(db *database.DB) error {
		_, err := db.SQL().ExecContext(t.Context(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return opts
}

func copySQLite(t testing.TB) (string, error) {
	template, err := sqliteTemplate()
	if err != nil {
		return "", fmt.Errorf("migrating SQLite: %w", err)
	}
	target := filepath.Join(t.TempDir(), "test.db")
	return target, os.WriteFile(target, template, 0o600)
}

// sqliteTemplate returns the content of a migrated SQLite file.
var sqliteTemplate = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "omnistack-testkit-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)

	opts := database.Options{Engine: database.SQLite, Target: filepath.Join(folder, "template.db")}
	err = migrate(context.Background(), opts, func(db *database.DB) error {
		// What was written is in the file beside the database until now.
		_, err := db.SQL().Exec("PRAGMA wal_checkpoint(TRUNCATE)")
		return err
	})
	if err != nil {
		return nil, err
	}
	return os.ReadFile(opts.Target)
})

func migrate(ctx context.Context, opts database.Options, then func(db *database.DB) error) error {
	return within(ctx, opts, func(db *database.DB) error {
		if _, err := schema.Up(ctx, db, zap.NewNop()); err != nil {
			return err
		}
		return then(db)
	})
}

// within opens the database for the function only.
func within(ctx context.Context, opts database.Options, do func(db *database.DB) error) error {
	db, err := database.Open(ctx, opts, zap.NewNop())
	if err != nil {
		return err
	}
	return errors.Join(do(db), db.Close())
}

func copyPostgres(t testing.TB) (string, error) {
	server, err := sharedPostgres()
	if err != nil {
		return "", err
	}
	template, err := postgresTemplate()
	if err != nil {
		return "", fmt.Errorf("migrating PostgreSQL: %w", err)
	}
	name := "omnistack_test_" + unique()
	if err := server.create(t.Context(), name, template); err != nil {
		return "", fmt.Errorf("copying the migrated database: %w", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := server.drop(ctx, name); err != nil {
			t.Errorf("dropping the test's database: %v", err)
		}
	})
	return server.target(name), nil
}

// unique returns a name that no other process chooses.
func unique() string { return strings.ToLower(rand.Text()) }

// postgresServer is the PostgreSQL server of all tests of this process.
type postgresServer struct {
	url   *url.URL
	admin *sql.DB
}

// sharedPostgres starts the server, or finds the one that TEST_DATABASE_URL names. It ends with the process.
var sharedPostgres = sync.OnceValues(func() (*postgresServer, error) {
	target, _, err := StartPostgres(context.Background())
	if err != nil {
		return nil, err
	}
	parsed, err := url.Parse(target)
	if err != nil || parsed.Host == "" {
		return nil, errors.New("TEST_DATABASE_URL must have the form postgres://user:password@host:port/database")
	}
	admin, err := sql.Open("pgx", target)
	if err != nil {
		return nil, err
	}
	admin.SetMaxOpenConns(4)
	return &postgresServer{url: parsed, admin: admin}, nil
})

// target returns the URL of one of the server's databases.
func (s *postgresServer) target(name string) string {
	u := *s.url
	u.Path = "/" + name
	return u.String()
}

func (s *postgresServer) create(ctx context.Context, name, template string) error {
	_, err := s.admin.ExecContext(ctx, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", name, template))
	return err
}

func (s *postgresServer) drop(ctx context.Context, name string) error {
	s.settle(ctx, name)
	_, err := s.admin.ExecContext(ctx, fmt.Sprintf("DROP DATABASE IF EXISTS %s WITH (FORCE)", name))
	return err
}

// settle waits for the last connections to a database, which were just closed, to leave it. PostgreSQL waits for them
// too, but looks only every 100 ms. It gives up after a while: they may be there to stay.
func (s *postgresServer) settle(ctx context.Context, name string) {
	const open = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = $1)"
	busy := true
	for deadline := time.Now().Add(50 * time.Millisecond); busy && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if err := s.admin.QueryRowContext(ctx, open, name).Scan(&busy); err != nil {
			return // what comes next says it better
		}
	}
}

// postgresTemplate returns the name of a migrated database on the shared server. The name tells what it was migrated
// with, so processes and branches that share a server share the template only if they agree.
//
// Every process migrates a database once to learn that name. The first one renames its own into the template: a rename
// happens at once or not at all, so nobody copies a half migrated one.
var postgresTemplate = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	server, err := sharedPostgres()
	if err != nil {
		return "", err
	}
	draft := "omnistack_draft_" + unique()
	if err := server.create(ctx, draft, "template0"); err != nil {
		return "", err
	}
	var template string
	opts := database.Options{Engine: database.Postgres, Target: server.target(draft), PoolSize: 1}
	err = migrate(ctx, opts, func(db *database.DB) (err error) {
		template, err = templateName(ctx, db)
		return err
	})
	if err != nil {
		return "", errors.Join(err, server.drop(ctx, draft))
	}

	server.settle(ctx, draft)
	_, err = server.admin.ExecContext(ctx, fmt.Sprintf("ALTER DATABASE %s RENAME TO %s", draft, template))
	var taken *pgconn.PgError
	if errors.As(err, &taken) && taken.Code == "42P04" { // duplicate_database
		return template, server.drop(ctx, draft)
	}
	return template, err
})

// templateName is made of the hash of the last migration, which covers all before it.
func templateName(ctx context.Context, db *database.DB) (string, error) {
	var hash string
	err := db.Read(ctx).Raw("SELECT hash FROM atlas_schema_revisions ORDER BY version DESC LIMIT 1").Scan(&hash).Error
	var missing *pgconn.PgError
	if errors.As(err, &missing) && missing.Code == "42P01" { // undefined_table: there are no migrations
		err = nil
	}
	sum := sha256.Sum256([]byte(hash))
	return fmt.Sprintf("omnistack_template_%x", sum[:8]), err
}
