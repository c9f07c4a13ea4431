package api_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

const adminJobs = "/api/v1/admin/jobs"

// The arguments of the kinds of jobs: one goes well, one comes to something, one waits for the test half way, one fails, one
// goes on until it is told to stop.
type (
	goodJob    struct{ ID string }
	exportJob  struct{ ID string }
	halfJob    struct{ ID string }
	badJob     struct{ ID string }
	endlessJob struct{ ID string }
)

func (goodJob) Kind() string    { return "tests.good" }
func (exportJob) Kind() string  { return "tests.export" }
func (halfJob) Kind() string    { return "tests.half" }
func (badJob) Kind() string     { return "tests.bad" }
func (endlessJob) Kind() string { return "tests.endless" }

// workshop is a product with a second worker, which has the kinds of this test.
type workshop struct {
	*apptest.App
	*jobs.Client
	admin *testkit.API
	goOn  chan struct{} // lets a halfJob go on
}

func newWorkshop(t *testing.T, app *apptest.App) workshop {
	t.Helper()
	client, err := jobs.New(app.DB, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	goOn := make(chan struct{})
	err = client.Register([]module.Job{
		jobs.Kind(module.Job{}, func(context.Context, goodJob) error { return nil }),
		jobs.Kind(module.Job{}, func(ctx context.Context, args exportJob) error {
			jobs.Progress(ctx, 2, 5)
			return jobs.Result(ctx, map[string]string{"file": args.ID})
		}),
		jobs.Kind(module.Job{}, func(ctx context.Context, args halfJob) error {
			jobs.Progress(ctx, 1, 2)
			select {
			case <-goOn:
			case <-ctx.Done():
				return ctx.Err()
			}
			jobs.Progress(ctx, 2, 2)
			return jobs.Result(ctx, map[string]string{"file": args.ID})
		}),
		jobs.Kind(module.Job{Queue: "other"}, func(context.Context, badJob) error {
			return errs.New(errs.Invalid, "It went wrong").Because(errors.New("for alice@example.com"))
		}),
		jobs.Kind(module.Job{}, func(ctx context.Context, _ endlessJob) error {
			<-ctx.Done()
			return ctx.Err()
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), jobs.Patience)
		defer cancel()
		if err := client.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	w := workshop{app, client, app.As(app.Token(t, auth.DevClaims{Subject: "root", Role: "admin"})), goOn}
	w.admin.Do(t, "GET", "/api/v1/app/users/me").Want(200)
	apptest.Await(t, "the jobs that a new user makes", func() bool {
		return testkit.Rows(t, app.DB, "river_job", "state <> 'completed'") == 0
	})
	app.Change(t, "DELETE FROM river_job")
	return w
}

// enqueue enqueues a job and returns where administrators find it.
func (w workshop) enqueue(t *testing.T, args jobs.Args, options ...jobs.Option) string {
	t.Helper()
	err := w.DB.WithinTx(t.Context(), func(ctx context.Context) error { return w.Enqueue(ctx, args, options...) })
	if err != nil {
		t.Fatal(err)
	}
	return adminJobs + "/" + w.admin.Do(t, "GET", adminJobs+"?limit=1").Want(200).Text("items.0.id")
}

// enqueueFor enqueues a job of a user's and returns its id.
func (w workshop) enqueueFor(t *testing.T, owner id.Scope, args jobs.Args, options ...jobs.Option) (number string) {
	t.Helper()
	err := w.DB.WithinTx(t.Context(), func(ctx context.Context) (err error) {
		number, err = w.EnqueueFor(ctx, owner, args, options...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return number
}

// await waits until the job has the state, and returns it.
func (w workshop) await(t *testing.T, job, state string) *testkit.Response {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for tick := time.Tick(20 * time.Millisecond); ; {
		found := w.admin.Do(t, "GET", job).Want(200)
		if found.Text("state") == state {
			return found
		}
		select {
		case <-tick:
		case <-deadline:
			t.Fatalf("%s isn't %s\n%s", job, state, found.Body)
		}
	}
}

func TestAdministratorsSeeJobsAndChangeThem(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		w := newWorkshop(t, app)
		good := w.enqueue(t, goodJob{"1"})
		w.await(t, good, "completed").WantJSON("kind", "tests.good").WantJSON("errors", []any{}).WantJSON("attempt", 1)
		bad := w.enqueue(t, badJob{"2"}, jobs.Unique("one"))
		dead := w.await(t, bad, "cancelled").WantJSON("args", map[string]any{"ID": "2"}).WantJSON("queue", "other").
			WantJSON("priority", 1).WantJSON("max_attempts", 25).WantJSON("errors.0.attempt", 1)
		if text := dead.Text("errors.0.error"); !strings.Contains(text, "VALIDATION_ERROR: It went wrong: for ****@****") {
			t.Errorf("the error says %s", text)
		}
		for _, name := range []string{"created_at", "scheduled_at", "attempted_at", "finalized_at", "errors.0.at"} {
			at, err := time.Parse(time.RFC3339Nano, dead.Text(name))
			if age := time.Since(at); err != nil || at.Location() != time.UTC || age < -time.Second || age > time.Minute {
				t.Errorf("%s is %s", name, dead.Text(name))
			}
		}
		later := w.enqueue(t, goodJob{"3"}, jobs.At(time.Now().Add(time.Hour)))
		w.await(t, later, "scheduled").WantJSON("attempted_at", nil).WantJSON("finalized_at", nil)

		for query, want := range map[string][]string{
			"":                          {later, bad, good},
			"?state=cancelled":          {bad},
			"?kind=tests.good":          {later, good},
			"?queue=other":              {bad},
			"?queue=other&state=failed": nil,
			"?limit=1&skip=1":           {bad},
			"?skip=3":                   {},
			"?kind=nothing":             {},
			"?cursor=x":                 nil,
		} {
			answer := w.admin.Do(t, "GET", adminJobs+query)
			if want == nil {
				answer.WantError(422, "VALIDATION_ERROR")
				continue
			}
			items, _ := answer.Want(200).JSON("items").([]any)
			if len(items) != len(want) {
				t.Errorf("%q lists %d jobs, want %d\n%s", query, len(items), len(want), answer.Body)
				continue
			}
			for i := range want {
				if got := adminJobs + "/" + answer.Text(fmt.Sprintf("items.%d.id", i)); got != want[i] {
					t.Errorf("%q lists %s at %d, want %s", query, got, i, want[i])
				}
			}
		}
		w.admin.Do(t, "GET", adminJobs+"?limit=1").WantJSON("total", 3).WantJSON("skip", 0).WantJSON("limit", 1)
		w.admin.Do(t, "GET", adminJobs+"/stats").Want(200).WantJSON("total", 3).WantJSON("queues", map[string]any{"default": 1}).
			WantJSON("states.completed", 1).WantJSON("states.cancelled", 1).WantJSON("states.scheduled", 1).WantJSON("states.discarded", 0)

		// A dead job is tried again, and is dead again.
		w.admin.Do(t, "POST", bad+"/retry").Want(200).WantJSON("state", "available")
		w.await(t, bad, "cancelled").WantJSON("attempt", 2).WantJSON("errors.1.attempt", 2)
		w.admin.Do(t, "POST", good+"/retry").WantError(409, "CONFLICT").WantJSON("error.details.state", "completed")
		w.enqueue(t, badJob{"4"}, jobs.Unique("one"), jobs.At(time.Now().Add(time.Hour)))
		w.admin.Do(t, "POST", bad+"/retry").WantError(409, "CONFLICT")

		// One that waits is cancelled, and one that runs is stopped.
		w.admin.Do(t, "POST", later+"/cancel").Want(200).WantJSON("state", "cancelled")
		w.admin.Do(t, "POST", later+"/cancel").WantError(409, "CONFLICT")
		endless := w.enqueue(t, endlessJob{"5"})
		w.await(t, endless, "running")
		w.admin.Do(t, "POST", endless+"/retry").WantError(409, "CONFLICT")
		w.admin.Do(t, "POST", endless+"/cancel").Want(200)
		w.await(t, endless, "cancelled")

		for _, id := range []string{"x", "0", "-1", "99999999", "99999999999999999999"} {
			w.admin.Do(t, "GET", adminJobs+"/"+id).WantError(404, "NOT_FOUND").WantJSON("error.details.id", id)
			for _, verb := range []string{"/retry", "/cancel"} {
				w.admin.Do(t, "POST", adminJobs+"/"+id+verb).WantError(404, "NOT_FOUND")
			}
		}
	})
}

// Owners see how their own jobs stand, and nobody else's.
func TestOwnersSeeTheirJobs(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		w := newWorkshop(t, app)
		const mine, own = "/api/v1/app/jobs/", "/api/v1/app/users/me"
		alice := app.As(app.Token(t, auth.DevClaims{Subject: "alice"}))
		bob := app.As(app.Token(t, auth.DevClaims{Subject: "bob"}))
		owner := id.Of(alice.Do(t, "GET", own).Want(200).Text("id"))
		bob.Do(t, "GET", own).Want(200)
		enqueue := func(args jobs.Args, options ...jobs.Option) string { return w.enqueueFor(t, owner, args, options...) }

		export := enqueue(exportJob{"f1"})
		w.await(t, adminJobs+"/"+export, "completed").WantJSON("owner_id", owner.User).
			WantJSON("result", map[string]any{"file": "f1"}).WantJSON("progress", map[string]any{"done": 2, "total": 5})
		done := alice.Do(t, "GET", mine+export).Want(200).WantJSON("id", export).WantJSON("kind", "tests.export").WantJSON("state", "succeeded").
			WantJSON("result.file", "f1").WantJSON("progress.done", 2).WantJSON("progress.total", 5)
		for _, name := range []string{"created_at", "finished_at"} {
			if at, err := time.Parse(time.RFC3339Nano, done.Text(name)); err != nil || at.Location() != time.UTC || time.Since(at) > time.Minute {
				t.Errorf("%s is %s", name, done.Text(name))
			}
		}
		if shown, _ := done.JSON("").(map[string]any); len(shown) != 7 {
			t.Errorf("owners are shown %v", shown)
		}
		later := enqueue(goodJob{"2"}, jobs.At(time.Now().Add(time.Hour)))
		alice.Do(t, "GET", mine+later).Want(200).WantJSON("state", "queued").WantJSON("progress", nil).WantJSON("result", nil).WantJSON("finished_at", nil)
		running, failed := enqueue(endlessJob{"3"}), enqueue(badJob{"4"})
		w.await(t, adminJobs+"/"+running, "running")
		alice.Do(t, "GET", mine+running).Want(200).WantJSON("state", "running")
		w.await(t, adminJobs+"/"+failed, "cancelled")
		text := alice.Do(t, "GET", mine+failed).Want(200).WantJSON("state", "failed").Body
		if strings.Contains(string(text), "went wrong") {
			t.Errorf("owners are shown what went wrong: %s", text)
		}
		w.admin.Do(t, "POST", adminJobs+"/"+running+"/cancel").Want(200)

		nobodys := strings.TrimPrefix(w.enqueue(t, goodJob{"5"}), adminJobs+"/")
		for _, api := range []*testkit.API{bob, w.admin} {
			api.Do(t, "GET", mine+export).WantError(404, "NOT_FOUND")
		}
		for _, unknown := range []string{nobodys, "x", "0", "99999999"} {
			alice.Do(t, "GET", mine+unknown).WantError(404, "NOT_FOUND").WantJSON("error.details.id", unknown)
		}
		w.admin.Do(t, "GET", adminJobs+"/"+nobodys).Want(200).WantJSON("owner_id", nil).WantJSON("progress", nil).WantJSON("result", nil)
		app.Do(t, "GET", mine+export).WantError(401, "UNAUTHENTICATED")

		if err := w.DB.WithinTx(t.Context(), func(ctx context.Context) error { _, err := w.Erase(ctx, owner); return err }); err != nil {
			t.Error(err)
		}
		alice.Do(t, "GET", mine+export).WantError(404, "NOT_FOUND")
		w.admin.Do(t, "GET", adminJobs+"/"+export).Want(200).WantJSON("owner_id", nil).WantJSON("result", nil)
	})
}
