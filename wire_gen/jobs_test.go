//scaffold:needs projects

package wiregen_test

import (
	"context"
	"net"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/testkit"
	wiregen "github.com/omnistack/omnistack/wire_gen"
)

// purgeDeleted is the arguments of a job of projects, whose inside isn't known here.
type purgeDeleted struct{}

func (purgeDeleted) Kind() string { return "projects.purge_deleted" }

// A process that only serves the API works no jobs and takes no part in working them. A worker does, with the modules'
// handlers.
func TestOnlyAWorkerWorksJobs(t *testing.T) {
	for _, engine := range []database.Engine{database.SQLite, database.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			opts := testkit.DatabaseOptions(t, engine)
			url := opts.Target
			if engine == database.SQLite {
				url = "sqlite:///" + opts.Target
			}
			db, err := database.Open(t.Context(), opts, zap.NewNop())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			forget(t, db)

			api, stop := serve(t, wiregen.Roles{API: true}, "DATABASE_URL="+url)
			api.Do(t, "GET", "/health/ready").Want(200).WantJSON("checks.jobs", "ok")
			stop()
			for _, table := range []string{"river_leader", "river_queue"} {
				if rows := testkit.Rows(t, db, table, ""); rows != 0 {
					t.Errorf("the API leaves %d rows in %s", rows, table)
				}
			}
			if rows := testkit.Rows(t, db, "river_job", "state = ?", "available"); rows != 1 {
				t.Errorf("%d jobs wait, want the one", rows)
			}

			worker, stop := serve(t, wiregen.Roles{Worker: true}, "DATABASE_URL="+url)
			deadline := time.After(30 * time.Second)
			for tick := time.Tick(20 * time.Millisecond); testkit.Rows(t, db, "river_job", "state = ?", "completed") == 0; {
				select {
				case <-tick:
				case <-deadline:
					t.Fatal("the worker doesn't work")
				}
			}
			worker.Do(t, "GET", "/health/ready").Want(200).WantJSON("checks.jobs", "ok")
			stop()
			if rows := testkit.Rows(t, db, "projects", ""); rows != 1 {
				t.Errorf("%d projects are left, want the one that was deleted today", rows)
			}
		})
	}
}

// forget makes a project that was deleted long ago, one that was deleted now, and the job that tells them apart.
func forget(t *testing.T, db *database.DB) {
	t.Helper()
	client, err := jobs.New(db, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	kind := jobs.Kind(module.Job{}, func(context.Context, purgeDeleted) error { return nil })
	if err := client.Register([]module.Job{kind}); err != nil {
		t.Fatal(err)
	}
	err = db.WithinTx(t.Context(), func(ctx context.Context) error {
		for name, deleted := range map[string]time.Time{"old": time.Now().UTC().AddDate(0, 0, -31), "new": time.Now().UTC()} {
			err := db.Tx(ctx).Exec("INSERT INTO projects (id, owner_id, name, name_folded, version, created_at, updated_at, deleted_at) "+
				"VALUES (?, 'alice', ?, ?, 1, ?, ?, ?)", name, name, name, deleted, deleted, deleted).Error
			if err != nil {
				return err
			}
		}
		return client.Enqueue(ctx, purgeDeleted{})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// serve runs the product until stop is called.
func serve(t *testing.T, roles wiregen.Roles, environ ...string) (api *testkit.API, stop func()) {
	t.Helper()
	log, _ := testkit.Logger(t)
	ctx, cancel := context.WithCancel(t.Context())
	app, release, err := wiregen.Build(ctx, load(t, environ...), roles, log)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- app.Serve(ctx, listener) }()
	return testkit.NewAPI(t, "http://"+listener.Addr().String()), func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("it ends with %v", err)
		}
		release()
	}
}
