package contract_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/platform/webhook/webhooktest"
	"github.com/omnistack/omnistack/test/apptest"
	wiregen "github.com/omnistack/omnistack/wire_gen"
)

// requests returns how many the fuzzer makes at least, on both databases together.
func requests(t *testing.T) int {
	t.Helper()
	wanted := os.Getenv("FUZZ_REQUESTS")
	if wanted == "" {
		return usualRequests
	}
	number, err := strconv.Atoi(wanted)
	if err != nil {
		t.Fatal(err)
	}
	return number
}

// The product keeps to its API document, whatever it is sent and by whom. For more of the same: FUZZ_REQUESTS=1000000. For the
// same again: -rapid.seed, as a failure says.
func TestTheAPIKeepsToItsDocument(t *testing.T) {
	t.Parallel()
	wanted := requests(t) / len(testkit.Engines())
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		w := newWorld(t, app)
		for _, o := range w.operations {
			t.Run(o.String(), func(t *testing.T) {
				w.t = t
				w.explore(o, wanted/len(w.operations))
				app.Logs.TakeAll() // nobody asks for them any more
			})
		}
		t.Run("all of it", func(t *testing.T) {
			for _, gap := range w.gaps() {
				t.Error(gap)
			}
			t.Logf("%d requests to %d operations as %d roles", w.requests, len(w.operations), len(roles))
		})
	}, settings...)
}

// settings switch on what the product serves only where it is wanted.
var settings = []string{
	"RATE_LIMIT_ENABLED=true", "RATE_LIMIT_DEFAULT=1000000/second", "RATE_LIMIT_AI=1000000/second", "RATE_LIMIT_AUTH=1000000/second", "CONTACT_TO_ADDRESS=team@example.com", "RESEND_WEBHOOK_SECRET=" + webhooktest.Secret,
}

// explore sends an operation about as many requests as wanted: a good one as everybody, then all sorts.
func (w *world) explore(o *operation, wanted int) {
	w.t.Helper()
	for i, who := range roles {
		r := example(o, as{w, who}, i)
		got := w.send(o, who, r)
		if wrong := o.judge(r, got); wrong != nil {
			w.t.Fatalf("%s\nas %s: %s\n%s", strings.Join(wrong, "\n"), who, r, got)
		}
	}
	const checks = 100 // as many as rapid does
	rapid.Check(w.t, func(t *rapid.T) {
		for range rapid.IntRange(wanted/checks, (wanted+checks-1)/checks).Draw(t, "requests") {
			who := rapid.SampledFrom(roles).Draw(t, "role")
			r := generate(t, o, as{w, who})
			if rapid.Bool().Draw(t, "mutated") {
				mutate(t, o, r, w.columns)
			}
			got := w.send(o, who, r)
			if wrong := o.judge(r, got); wrong != nil {
				t.Fatalf("%s\nas %s: %s\n%s", strings.Join(wrong, "\n"), who, r, got)
			}
		}
	})
}

// example returns a request that the document allows, always the same for a seed.
func example(o *operation, around surroundings, seed int) *request {
	return rapid.Custom(func(t *rapid.T) *request {
		rapid.Bool().Draw(t, "anything") // rapid insists, and some operations leave nothing to choose
		return generate(t, o, around)
	}).Example(seed)
}

// unproved are the operations that never succeed here, and why.
var unproved = map[string]string{
	"POST /api/v1/app/projects/{id}/files/{file_id}/complete": "needs a file that was uploaded",

	"POST /api/v1/public/webhooks/clerk":    "needs the signature of Clerk",
	"POST /api/v1/public/webhooks/supabase": "needs the signature of Supabase",
	"POST /api/v1/public/webhooks/resend":   "needs the signature of Resend",
	"POST /api/v1/public/webhooks/sendgrid": "needs the signature of SendGrid",
	"POST /api/v1/public/webhooks/stripe":   "needs the signature of Stripe",
}

// gaps returns what was not tried: operations that some role never called, that never did what
// they are for, or that never came with what is documented of them.
func (w *world) gaps() []string {
	var gaps []string
	for _, o := range w.operations {
		name := o.String()
		for _, who := range roles {
			if w.hit[name][who] == 0 {
				gaps = append(gaps, fmt.Sprintf("%s was never called as %s", name, who))
			}
		}
		seen, done := w.done[name]
		if why, excused := unproved[name]; done == excused {
			gaps = append(gaps, fmt.Sprintf("%s has succeeded: %t; the reason not to is %q", name, done, why))
		}
		for status, documented := range o.answers {
			for _, header := range documented.others {
				if done && status < 300 && seen.Get(header) == "" {
					gaps = append(gaps, fmt.Sprintf("%s never came with the header %s, which is documented", name, header))
				}
			}
		}
	}
	return gaps
}

// Nobody writes what isn't a field: every name of a column, in any spelling, is refused in every body, and no row changes.
func TestNoHiddenFieldIsWritten(t *testing.T) {
	t.Parallel()
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		w := newWorld(t, app)
		type attempt struct {
			o *operation
			r *request
		}
		var attempts []attempt
		for _, o := range w.operations {
			if o.body == nil {
				continue
			}
			good := example(o, as{w, superadmin}, 1)
			for _, name := range spellings(w.columns) {
				if o.body.Properties[name] != nil {
					continue
				}
				r := *good
				r.header = good.header.Clone()
				fields := maps.Clone(good.value.(map[string]any))
				fields[name] = "superadmin"
				r.setValue(fields)
				attempts = append(attempts, attempt{o, &r})
			}
		}
		w.quiet()
		before := w.rows()
		for _, a := range attempts {
			if got := w.send(a.o, superadmin, a.r); got.status != 422 {
				t.Errorf("%s\n%s", a.r, got)
			}
		}
		w.quiet()
		for table, rows := range w.rows() {
			if rows != before[table] {
				t.Errorf("%s was\n%s\nand is\n%s", table, before[table], rows)
			}
		}
		t.Logf("%d attempts", len(attempts))
	}, settings...)
}

// spellings returns the names as clients might write them: owner_id, OWNER_ID, ownerId.
func spellings(names []string) []string {
	var all []string
	for _, name := range names {
		words := strings.Split(name, "_")
		for i, word := range words[1:] {
			words[i+1] = strings.ToUpper(word[:1]) + word[1:]
		}
		all = append(all, name, strings.ToUpper(name), strings.Join(words, ""))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// tables returns the tables of the modules and of the platform.
func tables(t *testing.T) []string {
	t.Helper()
	catalog, err := wiregen.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, described := range catalog {
		for _, table := range described.Tables {
			names = append(names, table.Name)
		}
	}
	for _, described := range wiregen.Platform() {
		for _, table := range described.Tables {
			names = append(names, table.Name)
		}
	}
	return names
}

// rows returns what the tables hold, but for the queue's, which changes by itself.
func (w *world) rows() map[string]string {
	w.t.Helper()
	held := map[string]string{}
	for _, table := range tables(w.t) {
		if strings.HasPrefix(table, "river_") {
			continue
		}
		rows := w.app.Rows(w.t, table, "1")
		for _, row := range rows { // that somebody signed in may be noted some time after the request
			delete(row, "last_login_at")
			delete(row, "login_count")
			delete(row, "last_used_at")
		}
		held[table] = fmt.Sprint(rows)
	}
	return held
}

// quiet waits until nothing goes on behind the requests.
func (w *world) quiet() {
	w.t.Helper()
	apptest.Await(w.t, "the jobs to end", func() bool {
		return testkit.Rows(w.t, w.app.DB, "river_job", "state IN ('available', 'running', 'retryable')") == 0
	})
}
