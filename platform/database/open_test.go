package database_test

import (
	"context"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/testkit"
)

func TestSQLiteFilesArePrivate(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "new", "deeper", "app.db")
	db := testkit.OpenDatabase(t, database.Options{Engine: database.SQLite, Target: file})
	makeThings(t, db)
	if err := db.WithinTx(t.Context(), add(db, "1")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{
		filepath.Dir(filepath.Dir(file)): fs.ModeDir | 0o700,
		filepath.Dir(file):               fs.ModeDir | 0o700,
		file:                             0o600,
		file + "-wal":                    0o600,
		file + "-shm":                    0o600,
	} {
		if info, err := os.Stat(name); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
}

// What an operator has set up stays as it is.
func TestSQLiteKeepsTheModeOfAFileThatExists(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "app.db")
	if err := os.WriteFile(file, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	makeThings(t, testkit.OpenDatabase(t, database.Options{Engine: database.SQLite, Target: file}))
	for name, want := range map[string]fs.FileMode{folder: fs.ModeDir | 0o755, file: 0o640, file + "-wal": 0o640} {
		if info, err := os.Stat(name); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
}

func TestSQLiteFilesMayHaveAnyName(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for _, name := range []string{"plain.db", "a b.db", "50%.db", "%41.db", "what?.db", "#1.db", "a&b=c.db", "søk 🚀.db", "it's.db", `back\slash.db`} {
		file := filepath.Join(folder, name)
		db := testkit.OpenDatabase(t, database.Options{Engine: database.SQLite, Target: file})
		makeThings(t, db)
		if info, err := os.Stat(file); err != nil || info.Size()+sizeOf(file+"-wal") == 0 {
			t.Errorf("%s isn't where the rows are: %v", name, err)
		}
	}
}

func sizeOf(file string) int64 {
	info, err := os.Stat(file)
	if err != nil {
		return 0
	}
	return info.Size()
}

func TestSQLiteKeepsItsRows(t *testing.T) {
	t.Parallel()
	opts := database.Options{Engine: database.SQLite, Target: filepath.Join(t.TempDir(), "app.db")}
	db, err := database.Open(t.Context(), opts, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	makeThings(t, db)
	if err := db.WithinTx(t.Context(), add(db, "kept")); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if again := testkit.OpenDatabase(t, opts); testkit.Rows(t, again, "things", "id = 'kept'") != 1 {
		t.Error("a row is gone after closing and opening")
	}
}

// Every connection has the settings that the package promises; a pragma that is misspelt is no error to SQLite.
func TestSQLiteConnectionsAreConfigured(t *testing.T) {
	t.Parallel()
	db := testkit.SQLite(t)
	for pragma, want := range map[string]string{
		"journal_mode": "wal",
		"synchronous":  "1", // NORMAL
		"foreign_keys": "1",
		"busy_timeout": "10000",
	} {
		var writer string
		if err := db.SQL().QueryRow("PRAGMA " + pragma).Scan(&writer); err != nil || writer != want {
			t.Errorf("%s of the writer: %q, %v, want %q", pragma, writer, err, want)
		}
		reader, err := database.One(db.Read(t.Context()).Raw("PRAGMA "+pragma), database.Scalar[string])
		if err != nil || reader != want {
			t.Errorf("%s of a reader: %q, %v, want %q", pragma, reader, err, want)
		}
	}
	if got := db.SQL().Stats().MaxOpenConnections; got != 1 {
		t.Errorf("%d connections may write, want 1", got)
	}
	// With double quotes taken for a string this finds a row instead of the mistake.
	if err := db.Read(t.Context()).Raw(`SELECT "misspelt" FROM users`).Scan(new(string)).Error; err == nil {
		t.Error("a column that isn't there is taken for a string")
	}
}

func TestOpenRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, []byte("this is not a database, and long enough to show it"), 0o600); err != nil {
		t.Fatal(err)
	}
	nobody := unusedAddress(t)
	for name, test := range map[string]struct {
		opts database.Options
		says string
	}{
		"no such engine":         {database.Options{Engine: "mysql"}, "mysql"},
		"a folder as the file":   {database.Options{Engine: database.SQLite, Target: folder}, folder},
		"a file as the folder":   {database.Options{Engine: database.SQLite, Target: filepath.Join(file, "app.db")}, file},
		"a file of another kind": {database.Options{Engine: database.SQLite, Target: file}, "not a database"},
		"no URL":                 {database.Options{Engine: database.Postgres, Target: "postgres://u:canary@host:port/db"}, "DATABASE_URL"},
		"nobody there":           {database.Options{Engine: database.Postgres, Target: "postgres://u:canary@" + nobody + "/db"}, "DATABASE_URL"},
		"no such host":           {database.Options{Engine: database.Postgres, Target: "postgres://u:canary@no-such-host.invalid/db"}, "DATABASE_URL"},
	} {
		began := time.Now()
		db, err := database.Open(t.Context(), test.opts, zap.NewNop())
		if err == nil {
			t.Errorf("%s: it opens", name)
			_ = db.Close()
			continue
		}
		if !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %q doesn't say %q, or tells the password", name, err, test.says)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s: it took %s to give up, without patience", name, took)
		}
	}
}

// unusedAddress returns an address of this machine at which nobody listens.
func unusedAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func TestOpenSaysThatTheServerRefuses(t *testing.T) {
	t.Parallel()
	target := testkit.DatabaseOptions(t, database.Postgres).Target
	scheme, rest, _ := strings.Cut(target, "://")
	_, place, _ := strings.Cut(rest, "@")
	wrong := database.Options{Engine: database.Postgres, Target: scheme + "://nobody:canary@" + place, PoolSize: 1}
	_, err := database.Open(t.Context(), wrong, zap.NewNop())
	if err == nil || !strings.Contains(err.Error(), "nobody") || strings.Contains(err.Error(), "canary") {
		t.Errorf("the error doesn't repeat what the server says, or tells the password: %v", err)
	}
}

func TestPatience(t *testing.T) {
	t.Parallel()
	t.Run("a server that never comes", func(t *testing.T) {
		t.Parallel()
		log, heard := logger()
		opts := database.Options{Engine: database.Postgres, Target: "postgres://u:canary@" + unusedAddress(t) + "/db", Patience: time.Second}
		began := time.Now()
		_, err := database.Open(t.Context(), opts, log)
		if took := time.Since(began); err == nil || took > opts.Patience+3*time.Second {
			t.Errorf("after %s: %v", took, err)
		}
		if strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "is it running") {
			t.Errorf("the error doesn't help, or tells the password: %v", err)
		}
		if len(heard) < 2 {
			t.Errorf("it logged %d times that it waits", len(heard))
		}
	})
	t.Run("a server that never answers", func(t *testing.T) {
		t.Parallel()
		opts := database.Options{Engine: database.Postgres, Target: "postgres://u:canary@" + testkit.Silence(t, "127.0.0.1:0") + "/db", Patience: time.Second}
		began := time.Now()
		_, err := database.Open(t.Context(), opts, zap.NewNop())
		if took := time.Since(began); err == nil || took > opts.Patience+3*time.Second {
			t.Errorf("after %s: %v", took, err)
		}
	})
	t.Run("whoever waits is called off", func(t *testing.T) {
		t.Parallel()
		log, heard := logger()
		ctx, cancel := context.WithCancel(t.Context())
		opts := database.Options{Engine: database.Postgres, Target: "postgres://u:canary@" + unusedAddress(t) + "/db", Patience: time.Hour}
		opened := make(chan error, 1)
		go func() {
			_, err := database.Open(ctx, opts, log)
			opened <- err
		}()
		<-heard
		cancel()
		if err := <-opened; err == nil {
			t.Error("it opened a database that isn't there")
		}
	})
	t.Run("a server that comes later", func(t *testing.T) {
		t.Parallel()
		server := testkit.NewPostgresServer(t)
		server.Kill()
		log, heard := logger()
		opened := make(chan error, 1)
		go func() {
			db, err := database.Open(t.Context(), database.Options{Engine: database.Postgres, Target: server.URL, Patience: time.Minute}, log)
			if err == nil {
				err = db.Close()
			}
			opened <- err
		}()
		<-heard
		if err := server.Restart(); err != nil {
			t.Fatal(err)
		}
		if err := <-opened; err != nil {
			t.Error(err)
		}
	})
}
