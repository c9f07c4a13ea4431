//scaffold:needs billing projects

package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWhatIsNoPieceIsRefused(t *testing.T) {
	const deleted, erase = "users.user_deleted.v1", "projects.PurgeDeleted(ctx)"
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
		"a consumer that exists":         {[]string{"consumer", "note_plan", "--module", "projects", "--event", deleted, "--do", erase}, "projects.note_plan already"},
		"a consumer that the house has":  {[]string{"consumer", "erase_user", "--module", "projects", "--event", deleted, "--do", erase}, "projects.erase_user already"},
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

// TestTheFirstConsumer proves that a module without consumers gets the file for them, and a Descriptor that has it.
func TestTheFirstConsumer(t *testing.T) {
	root := t.TempDir()
	if err := os.CopyFS(filepath.Join(root, "modules"), os.DirFS(filepath.Join(top, "modules"))); err != nil {
		t.Fatal(err)
	}
	write(t, root, map[string]string{"test/contract/testdata/consumers.txt": ""})
	goMod, err := os.ReadFile(filepath.Join(top, "go.mod"))
	if err == nil {
		err = os.WriteFile(filepath.Join(root, "go.mod"), goMod, 0o600)
	}
	mod := filepath.Join(root, "modules", "projects", "projectsmod", "projectsmod.go")
	text, read := os.ReadFile(mod)
	err = errors.Join(err, read, os.RemoveAll(filepath.Join(root, "modules", "projects", "internal", "adapters", "consumers")),
		os.WriteFile(mod, []byte(strings.ReplaceAll(string(text), "		Consumes:  consumers.All(m.app),\n", "")), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	p := piece{root: root, module: "projects", do: "projects.PurgeDeleted(ctx)"}
	pages, err := p.consumer("thank", "users.user_deleted.v1")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"consumers.go": `events.Consumer{Name: "projects.thank"`, "consumers.txt": "projects.thank users.user_deleted.v1",
		"projectsmod.go": "Consumes: consumers.All(m.app)",
	} {
		if !slices.ContainsFunc(pages, func(p page) bool {
			return filepath.Base(p.path) == name && strings.Contains(string(p.text), want)
		}) {
			t.Errorf("no %s has %q", name, want)
		}
	}
}
