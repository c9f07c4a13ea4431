// Package schema holds the migrations of both databases and applies them.
//
// A migration is one file of SQL, migrations/<engine>/YYYYMMDDHHMMSS_name.sql. The atlas.sum beside the files holds a
// hash of each one that covers all files before it, so a file that was edited, removed or slipped in between is found
// before anything runs. Both databases have a lineage of their own: what SQLite has to rebuild, PostgreSQL alters.
// The files are written by `go run ./cmd/scaffold migrate diff NAME`; package schema/diff tells how.
//
// atlas' own executor runs the statements. It neither opens a transaction nor checks the sum, so that is done here:
// every file is one transaction, and the revision that says it ran is part of it. A file that fails leaves nothing
// behind, and a file runs once however many processes start together:
//
//   - On PostgreSQL they wait for the advisory lock that the atlas CLI takes too. It is taken inside a transaction that
//     every file's commit goes on from (COMMIT AND CHAIN), so the connection is never idle in between: behind a
//     transaction pooler the lock would else stay with a server connection that somebody else is given next (measured
//     with PgBouncer 1.18: taken the plain way it was still held after the client had gone, this way it was not).
//   - On SQLite each file begins with BEGIN IMMEDIATE, the write lock, and looks again whether it is still pending.
//     atlas' lock for SQLite is one file per name for the whole machine, and isn't used. Foreign keys are off while a
//     file runs, because atlas changes a table by rebuilding it: dropping the old one would cascade into its children.
//     `PRAGMA foreign_key_check` must find nothing before the commit.
//
// The ledger is the table atlas_schema_revisions in the format of the atlas CLI (cmd/atlas/internal/migrate/ent in its
// repository), so that `atlas migrate status` with the atlas.hcl of this repository sees the same state. The format was
// taken from atlas' source; the CLI itself was not run.
package schema

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"ariga.io/atlas/sql/migrate"
	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/database"
)

//go:embed migrations
var embedded embed.FS

// Migration is one file and whether it has been applied.
type Migration struct {
	Version string    // YYYYMMDDHHMMSS, unique and ascending
	Name    string    // the rest of the file's name, such as "initial"
	Applied time.Time // in UTC; zero while it is pending
}

// Up applies every pending migration in order and returns the files that it applied, also when a later one failed.
// Processes that call it together wait for each other, for a minute at most; each file is applied by one of them. It
// must not be called inside a transaction.
//
// Nothing runs when a file was tampered with, when the database holds a revision that this binary doesn't know (it is
// newer) or knows otherwise, or when a pending file is older than one that has been applied. The error of a migration
// that failed names the file and the number of the statement, and shows no values.
func Up(ctx context.Context, db *database.DB, log *zap.Logger) (applied []string, err error) {
	folder, err := embeddedFolder(db.Engine())
	if err != nil {
		return nil, err
	}
	return up(ctx, db, folder, log)
}

// Status returns every migration of the database's engine in order, with the time at which it was applied.
func Status(ctx context.Context, db *database.DB) ([]Migration, error) {
	folder, err := embeddedFolder(db.Engine())
	if err != nil {
		return nil, err
	}
	return status(ctx, db, folder)
}

// Current returns nil when no migration is pending, else an error that names the pending ones. It costs one query, so
// a readiness probe may call it. A database that is ahead of this binary is current: while a new version is rolled
// out, the processes of the old one go on serving.
func Current(ctx context.Context, db *database.DB) error {
	folder, err := embeddedFolder(db.Engine())
	if err != nil {
		return err
	}
	return current(ctx, db, folder)
}

// Validate returns nil when the migrations of both engines are what their atlas.sum says, have proper names and leave
// the transaction to Up.
func Validate() error {
	for _, engine := range []database.Engine{database.Postgres, database.SQLite} {
		folder, err := embeddedFolder(engine)
		if err != nil {
			return err
		}
		if _, err := load(engine, folder); err != nil {
			return err
		}
	}
	return nil
}

func embeddedFolder(engine database.Engine) (fs.FS, error) {
	return fs.Sub(embedded, "migrations/"+string(engine))
}

func up(ctx context.Context, db *database.DB, folder fs.FS, log *zap.Logger) (applied []string, err error) {
	files, err := load(db.Engine(), folder)
	if err != nil {
		return nil, err
	}
	revisions, err := readLedger(ctx, db)
	if err != nil {
		return nil, err
	}
	if pending, err := files.pending(revisions); err != nil || len(pending) == 0 {
		return nil, err
	}

	work, err := open(ctx, db, files)
	if err != nil {
		return nil, err
	}
	defer work.close(ctx)
	for {
		done, err := work.applyNext(ctx)
		if err != nil || done == nil {
			return applied, err
		}
		log.Info("migration applied", zap.String("file", done.file), zap.Duration("took", done.took))
		applied = append(applied, done.file)
	}
}

func status(ctx context.Context, db *database.DB, folder fs.FS) ([]Migration, error) {
	names, err := fs.Glob(folder, "*.sql")
	if err != nil {
		return nil, err
	}
	revisions, err := readLedger(ctx, db)
	if err != nil {
		return nil, err
	}
	all := make([]Migration, 0, len(names))
	for _, name := range names {
		file := migrate.NewLocalFile(name, nil)
		migration := Migration{Version: file.Version(), Name: file.Desc()}
		if revision := revisions.find(file.Version()); revision.complete() {
			migration.Applied = revision.executedAt
		}
		all = append(all, migration)
	}
	return all, nil
}

func current(ctx context.Context, db *database.DB, folder fs.FS) error {
	all, err := status(ctx, db, folder)
	if err != nil {
		return err
	}
	var pending []string
	for _, migration := range all {
		if migration.Applied.IsZero() {
			pending = append(pending, migration.Version+"_"+migration.Name)
		}
	}
	if len(pending) == 0 {
		return nil
	}
	return fmt.Errorf("the database is behind: run `omnistack migrate up` (pending: %s)", strings.Join(pending, ", "))
}
