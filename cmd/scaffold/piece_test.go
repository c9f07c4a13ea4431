//scaffold:needs billing projects

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatIsNoPieceIsRefused(t *testing.T) {
	const deleted, erase = "users.user_deleted.v1", "projects.Erase(ctx, id.Of(event.UserID))"
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"an event of nobody":             {[]string{"event", "invoice_paid"}, `no module ""`},
		"an event of a module elsewhere": {[]string{"event", "invoice_paid", "--module", "../modules/billing"}, "no module"},
		"an event in one word":           {[]string{"event", "paid", "--module", "billing"}, "no name of it"},
		"an event in capitals":           {[]string{"event", "InvoicePaid", "--module", "billing"}, "no name of it"},
		"an event that exists":           {[]string{"event", "project_created", "--module", "projects"}, "has an event project_created already"},
		"an event of nothing":            {[]string{"event", "invoice_paid", "--module", "billing", "--fields", "amount:int"}, "the first field is the id"},
		"an event with a version":        {[]string{"event", "invoice_paid", "--module", "billing", "--fields", "invoice_id:string version:int"}, "the name is taken"},
		"a consumer of nothing":          {[]string{"consumer", "thank", "--module", "projects", "--do", erase}, `no event ""`},
		"a consumer of what isn't said":  {[]string{"consumer", "thank", "--module", "projects", "--event", "users.user_sung.v1", "--do", erase}, `no event "users.user_sung.v1"`},
		"a consumer of a path":           {[]string{"consumer", "thank", "--module", "projects", "--event", "../users.x.v1", "--do", erase}, "no event"},
		"a consumer that does nothing":   {[]string{"consumer", "thank", "--module", "projects", "--event", deleted}, "say what to do"},
		"a consumer that does no Go":     {[]string{"consumer", "thank", "--module", "projects", "--event", deleted, "--do", "if x {"}, "say what to do"},
		"a consumer that exists":         {[]string{"consumer", "erase_user", "--module", "projects", "--event", deleted, "--do", erase}, "projects.erase_user already"},
		"a job that does nothing":        {[]string{"job", "tidy", "--module", "projects"}, "say what to do"},
		"a job that exists":              {[]string{"job", "purge_deleted", "--module", "projects", "--do", "projects.PurgeDeleted(ctx)"}, "projects.purge_deleted already"},
		"a job at no time":               {[]string{"job", "tidy", "--module", "projects", "--cron", "daily", "--do", "projects.PurgeDeleted(ctx)"}, "five fields of cron"},
		"a job at a time that is told":   {[]string{"job", "tidy", "--module", "projects", "--cron", "0 0 * * *", "--fields", "a:int", "--do", "projects.PurgeDeleted(ctx)"}, "five fields of cron"},
	} {
		t.Run(name, func(t *testing.T) {
			before := contents(t, top)
			if _, err := scaffold(t, append(test.args, "--root", top)...); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if contents(t, top) != before {
				t.Fatal("something was written")
			}
		})
	}
}

// TestAConsumerWithoutRoom proves that a module without consumers isn't given a first one, which nothing would call.
func TestAConsumerWithoutRoom(t *testing.T) {
	root := t.TempDir()
	if err := os.CopyFS(filepath.Join(root, "modules"), os.DirFS(filepath.Join(top, "modules"))); err != nil {
		t.Fatal(err)
	}
	goMod, err := os.ReadFile(filepath.Join(top, "go.mod"))
	if err == nil {
		err = os.WriteFile(filepath.Join(root, "go.mod"), goMod, 0o600)
	}
	if err == nil {
		err = os.RemoveAll(filepath.Join(root, "modules", "projects", "internal", "adapters", "consumers"))
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = scaffold(t, "consumer", "thank", "--module", "projects", "--event", "users.user_deleted.v1",
		"--do", "projects.Erase(ctx, id.Of(event.UserID))", "--root", root)
	if err == nil || !strings.Contains(err.Error(), "projects has no consumers yet") {
		t.Errorf("got %v", err)
	}
}
