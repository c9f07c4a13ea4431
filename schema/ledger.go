package schema

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"ariga.io/atlas/sql/migrate"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/omnistack/omnistack/platform/database"
)

// revision is what the ledger says of one migration.
type revision struct {
	version, description, hash string
	applied, total             int
	executedAt                 time.Time
}

// complete tells whether the whole file was applied. A CLI run outside of a transaction can leave a part.
func (r *revision) complete() bool { return r != nil && r.applied == r.total }

// ledger is the revisions of a database, by version.
type ledger []*revision

// find returns the revision of that version, or nil.
func (l ledger) find(version string) *revision {
	for _, r := range l {
		if r.version == version {
			return r
		}
	}
	return nil
}

// cliIdentifier is the version of a row in which newer atlas CLIs keep an id of the database; it is no migration.
const cliIdentifier = ".atlas_cloud_identifier"

// The ledger as the atlas CLI creates it when it isn't there.
const (
	postgresTable = `"atlas_schema_revisions"` // where the search_path puts the other tables too
	sqliteTable   = "`atlas_schema_revisions`"

	createPostgres = `CREATE TABLE IF NOT EXISTS ` + postgresTable + ` (
  "version" character varying NOT NULL,
  "description" character varying NOT NULL,
  "type" bigint NOT NULL DEFAULT 2,
  "applied" bigint NOT NULL DEFAULT 0,
  "total" bigint NOT NULL DEFAULT 0,
  "executed_at" timestamptz NOT NULL,
  "execution_time" bigint NOT NULL,
  "error" text NULL,
  "error_stmt" text NULL,
  "hash" character varying NOT NULL,
  "partial_hashes" jsonb NULL,
  "operator_version" character varying NOT NULL,
  PRIMARY KEY ("version")
)`
	createSQLite = "CREATE TABLE IF NOT EXISTS " + sqliteTable + " (" +
		"`version` text NOT NULL, " +
		"`description` text NOT NULL, " +
		"`type` integer NOT NULL DEFAULT (2), " +
		"`applied` integer NOT NULL DEFAULT (0), " +
		"`total` integer NOT NULL DEFAULT (0), " +
		"`executed_at` datetime NOT NULL, " +
		"`execution_time` integer NOT NULL, " +
		"`error` text NULL, " +
		"`error_stmt` text NULL, " +
		"`hash` text NOT NULL, " +
		"`partial_hashes` json NULL, " +
		"`operator_version` text NOT NULL, " +
		"PRIMARY KEY (`version`))"

	insertColumns = ` (version, description, type, applied, total, executed_at, execution_time, error, error_stmt, hash, ` +
		`partial_hashes, operator_version) VALUES `
	insertPostgres = `INSERT INTO ` + postgresTable + insertColumns + `($1, $2, $3, $4, $5, $6, $7, '', '', $8, 'null', $9)`
	insertSQLite   = `INSERT INTO ` + sqliteTable + insertColumns + `(?, ?, ?, ?, ?, ?, ?, '', '', ?, 'null', ?)`
)

func selectRevisions(engine database.Engine) string {
	table := postgresTable
	if engine == database.SQLite {
		table = sqliteTable
	}
	return `SELECT version, description, hash, applied, total, executed_at FROM ` + table +
		` WHERE version <> '` + cliIdentifier + `' ORDER BY version`
}

// readLedger reads the revisions with one query, on a connection for readers. A database without a ledger has none.
func readLedger(ctx context.Context, db *database.DB) (ledger, error) {
	rows, err := db.Read(ctx).Raw(selectRevisions(db.Engine())).Rows()
	if missingTable(err) {
		return nil, nil
	}
	revisions, err := scanRevisions(rows, err)
	return revisions, database.Classify(err)
}

func scanRevisions(rows *sql.Rows, err error) (ledger, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all ledger
	for rows.Next() {
		r := &revision{}
		if err := rows.Scan(&r.version, &r.description, &r.hash, &r.applied, &r.total, &r.executedAt); err != nil {
			return nil, err
		}
		r.executedAt = r.executedAt.UTC()
		all = append(all, r)
	}
	return all, rows.Err()
}

// missingTable tells whether err says that there is no ledger yet. 42P01 is undefined_table; SQLite has no code for it.
func missingTable(err error) bool {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pgErr.Code == "42P01"
	}
	return err != nil && strings.Contains(err.Error(), "no such table: atlas_schema_revisions")
}

// recorder keeps the revision that atlas' executor fills in. The executor would write it after every statement; inside
// one transaction only the last state can ever be seen, so that one is written, by the session.
type recorder struct {
	migrate.NopRevisionReadWriter
	revision *migrate.Revision
}

// WriteRevision implements migrate.RevisionReadWriter.
func (r *recorder) WriteRevision(_ context.Context, revision *migrate.Revision) error {
	r.revision = revision
	return nil
}
