package testkit

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/schema"
)

// write runs a statement in a transaction.
func write(t testing.TB, db *database.DB, statement string) {
	t.Helper()
	err := db.WithinTx(t.Context(), func(ctx context.Context) error { return db.Tx(ctx).Exec(statement).Error })
	if err != nil {
		t.Fatal(err)
	}
}

func TestDatabasesAreMigratedAndApart(t *testing.T) {
	EachEngine(t, func(t *testing.T, one *database.DB) {
		if applied, err := schema.Up(t.Context(), one, zap.NewNop()); err != nil || len(applied) > 0 {
			t.Fatalf("a new database wasn't migrated: %v, %v", applied, err)
		}
		write(t, one, "CREATE TABLE things (id int)")
		write(t, one, "INSERT INTO things VALUES (1), (2)")
		if got := Rows(t, one, "things", ""); got != 2 {
			t.Errorf("%d rows, want 2", got)
		}
		if got := Rows(t, one, "things", "id > ?", 1); got != 1 {
			t.Errorf("%d rows with id > 1, want 1", got)
		}
		if other := open(t, one.Engine()); other.Read(t.Context()).Migrator().HasTable("things") {
			t.Error("another database has the table too")
		}
	})
}

func TestManyDatabasesAtOnce(t *testing.T) {
	for name, makeOne := range map[string]func(testing.TB) (string, error){"sqlite": copySQLite, "postgres": copyPostgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "postgres" {
				NeedServers(t)
			}
			var targets sync.Map
			var all sync.WaitGroup
			for range 24 {
				all.Go(func() {
					target, err := makeOne(t)
					if err != nil {
						t.Error(err)
					}
					if _, twice := targets.LoadOrStore(target, true); twice {
						t.Errorf("%s was given out twice", target)
					}
				})
			}
			all.Wait()
		})
	}
}

func TestPostgresDatabaseIsDropped(t *testing.T) {
	NeedServers(t)
	var target string
	t.Run("user", func(t *testing.T) {
		target = DatabaseOptions(t, database.Postgres).Target
		conn, err := pgx.Connect(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
	})
	if conn, err := pgx.Connect(t.Context(), target); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Fatalf("%v, %v", conn, err)
	}
}

func TestRedisDatabasesAreApart(t *testing.T) {
	client := func(t *testing.T) *redis.Client {
		options, err := redis.ParseURL(Redis(t))
		if err != nil {
			t.Fatal(err)
		}
		client := redis.NewClient(options)
		t.Cleanup(func() { _ = client.Close() })
		return client
	}
	NeedServers(t)
	for round := range 2 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			one, other := client(t), client(t)
			if n := one.DBSize(t.Context()).Val(); n != 0 {
				t.Fatalf("a new database has %d keys", n)
			}
			if err := one.Set(t.Context(), "key", "value", 0).Err(); err != nil {
				t.Fatal(err)
			}
			if n := other.DBSize(t.Context()).Val(); n != 0 {
				t.Fatalf("the other one has %d keys", n)
			}
		})
	}
}

func BenchmarkDatabase(b *testing.B) {
	for _, engine := range []database.Engine{database.SQLite, database.Postgres} {
		b.Run(string(engine), func(b *testing.B) {
			open(b, engine)
			for b.Loop() {
				open(b, engine)
			}
		})
	}
}
