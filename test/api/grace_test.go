package api

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

const erasures = api + "/admin/erasures"

// With a grace an account that is deleted is closed: by tokens, keys and streams alike. An administrator brings it back, and
// afterwards it is as it was; else it is erased when the grace is over.
func TestADeletedAccountHasAGrace(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		root := app.As(app.Token(t, auth.DevClaims{Subject: "root", Role: "admin"}))
		alice := app.User(t, "alice")
		alice.Do(t, "PATCH", me, testkit.Body(`{"full_name": "Alice Liddell"}`)).Want(200)
		key, _ := made(t, alice, `"read"`)
		program := app.As(key)
		var number string
		enqueue(t, app, "users.purge_webhooks", func(ctx context.Context, client *jobs.Client) (err error) {
			number, err = client.EnqueueFor(ctx, id.Of("alice"), task{"users.purge_webhooks"}, jobs.At(time.Now().Add(time.Hour)))
			return err
		})
		followed := alice.Events(t, "GET", api+"/app/jobs/"+number+"/events")
		followed.Want("start")

		alice.Do(t, "DELETE", me).Want(202).WantJSON("status", "deleting")
		followed.WantFailure("FORBIDDEN")
		for _, caller := range []*testkit.API{alice, program} {
			refused := caller.Do(t, "GET", me).WantError(403, "FORBIDDEN")
			if !strings.Contains(refused.Text("error.message"), "closed") {
				t.Errorf("it says %q", refused.Text("error.message"))
			}
		}
		closed := root.Do(t, "GET", people+"/alice").Want(200).WantJSON("is_active", false).WantJSON("full_name", "Alice Liddell")
		if until, err := time.Parse(time.RFC3339Nano, closed.Text("erase_at")); err != nil || time.Until(until) < 47*time.Hour || time.Until(until) > 48*time.Hour {
			t.Errorf("it will be erased at %s, %v", closed.Text("erase_at"), err)
		}
		root.Do(t, "GET", erasures+"/alice").WantError(404, "NOT_FOUND")
		root.Do(t, "DELETE", people+"/alice").Want(204) // it stays closed until the same moment
		root.Do(t, "GET", people+"/alice").Want(200).WantJSON("erase_at", closed.Text("erase_at"))

		if back := root.Do(t, "PATCH", people+"/alice", testkit.Body(`{"is_active": true}`)).Want(200).WantJSON("is_active", true); strings.Contains(string(back.Body), "erase_at") {
			t.Errorf("brought back, it is %s", back.Body)
		}
		alice.Do(t, "GET", me).Want(200).WantJSON("full_name", "Alice Liddell")
		program.Do(t, "GET", me).Want(200)

		root.Do(t, "DELETE", people+"/alice").Want(204) // an administrator's deletion has the grace, too
		alice.Do(t, "GET", me).WantError(403, "FORBIDDEN")
		app.Change(t, "UPDATE users SET erase_at = created_at WHERE id = 'alice'")
		app.Work(t, "users.erase_closed")
		root.Do(t, "GET", erasures+"/alice").Want(200)
		root.Do(t, "GET", people+"/alice").WantError(404, "NOT_FOUND")
		alice.Do(t, "GET", me).WantError(403, "FORBIDDEN")
		program.Do(t, "GET", me).WantError(401, "UNAUTHENTICATED")
	}, "ACCOUNT_DELETION_GRACE=48h")
}

// task is the arguments of a job of the product's that is told nothing.
type task struct{ kind string }

func (t task) Kind() string { return t.kind }

// enqueue enqueues jobs of a kind of the product's in one transaction.
func enqueue(t *testing.T, app *apptest.App, kind string, run func(ctx context.Context, client *jobs.Client) error) {
	t.Helper()
	client, err := jobs.New(app.DB, zap.NewNop())
	if err == nil {
		err = client.Register([]module.Job{{Kind: kind, Run: func(context.Context, []byte) error { return nil }}})
	}
	if err == nil {
		err = app.DB.WithinTx(t.Context(), func(ctx context.Context) error { return run(ctx, client) })
	}
	if err != nil {
		t.Fatal(err)
	}
}

// settle returns when no event and no job waits that is to be handled now.
func settle(t *testing.T, app *apptest.App) {
	t.Helper()
	apptest.Await(t, "all to be handled", func() bool {
		return testkit.Rows(t, app.DB, "river_job", "state IN ('available', 'running', 'retryable') OR state = 'scheduled' AND scheduled_at < ?",
			time.Now().UTC().Add(time.Second)) == 0
	})
}
