package schema

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/postgres"
	atlasschema "ariga.io/atlas/sql/schema"
	"ariga.io/atlas/sql/sqlite"
	"github.com/jackc/pgx/v5/pgconn"
	modernc "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/omnistack/omnistack/platform/database"
)

const (
	// lockName is the one that the atlas CLI takes while it applies migrations.
	lockName = "atlas_migrate_execute"
	// patience is how long a process waits for another one that is migrating.
	patience = time.Minute
	// operator is who the ledger says has applied a migration.
	operator = "OmniStack"
)

var errBusy = errors.New("another process has been migrating this database for " + patience.String() +
	": wait until it is done, or see whether it hangs, and try again")

// session is a connection on which migrations are applied. It is never given back to its pool, so whatever a migration
// did to it ends with it, the lock included.
type session struct {
	files  lineage
	conn   *sql.Conn
	driver migrate.Driver
	unlock atlasschema.UnlockFunc // nil on SQLite
}

// open takes a connection and, on PostgreSQL, begins a transaction and waits for the lock in it.
func open(ctx context.Context, db *database.DB, files lineage) (*session, error) {
	conn, err := db.SQL().Conn(ctx)
	if err != nil {
		return nil, database.Classify(err)
	}
	s := &session{files: files, conn: conn}
	if files.engine == database.Postgres {
		err = s.openPostgres(ctx)
	} else {
		err = s.openSQLite(ctx)
	}
	if err != nil {
		s.close(ctx)
		return nil, database.Classify(err)
	}
	return s, nil
}

func (s *session) openPostgres(ctx context.Context) (err error) {
	// Read committed whatever the server's default is: what the lock's last holder did must be seen.
	if _, err = s.conn.ExecContext(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED"); err != nil {
		return err
	}
	if s.driver, err = postgres.Open(s.conn); err != nil {
		return err
	}
	s.unlock, err = s.driver.Lock(ctx, lockName, patience)
	if errors.Is(err, atlasschema.ErrLocked) {
		return errBusy
	}
	return err
}

func (s *session) openSQLite(ctx context.Context) (err error) {
	pragmas := fmt.Sprintf("PRAGMA foreign_keys = off; PRAGMA busy_timeout = %d", patience.Milliseconds())
	if _, err = s.conn.ExecContext(ctx, pragmas); err != nil {
		return err
	}
	s.driver, err = sqlite.Open(s.conn)
	return err
}

// close rolls back what is under way, gives the lock back and ends the connection. On PostgreSQL it ends inside of a
// transaction: a pooler closes the server's side with it then, even if the lock couldn't be given back.
func (s *session) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	rollback := "ROLLBACK AND CHAIN"
	if s.files.engine == database.SQLite {
		rollback = "ROLLBACK"
	}
	_, _ = s.conn.ExecContext(ctx, rollback)
	if s.unlock != nil {
		_ = s.unlock()
	}
	_ = s.conn.Raw(func(any) error { return driver.ErrBadConn })
}

// outcome is a migration that was applied.
type outcome struct {
	file string
	took time.Duration
}

// applyNext applies the first pending file in a transaction of its own, and returns nil when there is none. After an
// error, and when there is none, the session can only be closed.
func (s *session) applyNext(ctx context.Context) (*outcome, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	revisions, err := scanRevisions(s.conn.QueryContext(ctx, selectRevisions(s.files.engine)))
	if err != nil {
		return nil, database.Classify(err)
	}
	pending, err := s.files.pending(revisions)
	if err != nil || len(pending) == 0 {
		return nil, err
	}

	file := pending[0]
	began := time.Now()
	revision, err := s.execute(ctx, file)
	if err != nil {
		return nil, err
	}
	revision.ExecutedAt, revision.ExecutionTime = began.UTC().Truncate(time.Microsecond), time.Since(began)
	if err := s.commit(ctx, revision); err != nil {
		return nil, fmt.Errorf("migration %s could not be committed, nothing of it was kept: %w", file.Name(), reason(err))
	}
	return &outcome{file: file.Name(), took: revision.ExecutionTime}, nil
}

// begin opens the transaction of one file, with the ledger in it. On PostgreSQL it is open already.
func (s *session) begin(ctx context.Context) error {
	create := createPostgres
	if s.files.engine == database.SQLite {
		create = createSQLite
		if _, err := s.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); isBusy(err) {
			return errBusy
		} else if err != nil {
			return database.Classify(err)
		}
	}
	_, err := s.conn.ExecContext(ctx, create)
	return database.Classify(err)
}

// execute runs the statements of the file and returns the revision that tells of it.
func (s *session) execute(ctx context.Context, file migrate.File) (*migrate.Revision, error) {
	record := &recorder{}
	executor, err := migrate.NewExecutor(s.driver, s.files.dir, record, migrate.WithOperatorVersion(operator))
	if err != nil {
		return nil, err
	}
	err = executor.Execute(ctx, file)
	if failed, ok := errors.AsType[*migrate.StmtExecError](err); ok {
		return nil, fmt.Errorf("migration %s failed at statement %d, nothing of it was kept: %w",
			file.Name(), record.revision.Applied+1, reason(failed.Err))
	}
	if err == nil && s.files.engine == database.SQLite {
		err = s.checkForeignKeys(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("migration %s failed, nothing of it was kept: %w", file.Name(), err)
	}
	return record.revision, nil
}

// checkForeignKeys refuses a row that references a missing one: with foreign keys off SQLite let it pass.
func (s *session) checkForeignKeys(ctx context.Context) error {
	rows, err := s.conn.QueryContext(ctx, "SELECT DISTINCT \"table\", parent FROM pragma_foreign_key_check")
	if err != nil {
		return err
	}
	defer rows.Close()
	var broken []string
	for rows.Next() {
		var child, parent string
		if err := rows.Scan(&child, &parent); err != nil {
			return err
		}
		broken = append(broken, child+" -> "+parent)
	}
	if len(broken) > 0 {
		return fmt.Errorf("it leaves rows that reference missing ones (%s)", strings.Join(broken, ", "))
	}
	return rows.Err()
}

// commit writes the revision into the ledger and ends the file's transaction; on PostgreSQL the next one begins.
func (s *session) commit(ctx context.Context, r *migrate.Revision) error {
	insert, commit := insertPostgres, "COMMIT AND CHAIN"
	if s.files.engine == database.SQLite {
		insert, commit = insertSQLite, "COMMIT"
	}
	//nolint:gosec // the type is a set of four bits
	if _, err := s.conn.ExecContext(ctx, insert, r.Version, r.Description, int64(r.Type), r.Applied, r.Total,
		r.ExecutedAt, r.ExecutionTime.Nanoseconds(), r.Hash, r.OperatorVersion); err != nil {
		return err
	}
	_, err := s.conn.ExecContext(ctx, commit)
	return err
}

// reason returns err without the values it may show. PostgreSQL quotes them in the texts of class 22, data exceptions;
// everywhere else they are in the detail, which isn't part of the text.
func reason(err error) error {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && strings.HasPrefix(pgErr.Code, "22") {
		return fmt.Errorf("the data doesn't allow it (SQLSTATE %s; the server's log shows the value)", pgErr.Code)
	}
	return err
}

func isBusy(err error) bool {
	var failed *modernc.Error
	return errors.As(err, &failed) && failed.Code()&0xff == sqlite3.SQLITE_BUSY
}
