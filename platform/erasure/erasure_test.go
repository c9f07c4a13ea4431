package erasure_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/erasure"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/errs/errstest"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/testkit"
)

// gone is the event that somebody is gone.
type gone struct{}

func (gone) EventName() string                     { return "people.gone.v1" }
func (gone) Aggregate() (id string, version int64) { return "ann", 1 }

// shelf is an Eraser of some rows that it says it has.
type shelf struct {
	left   map[string]int64 // by user
	asked  []string
	failed error
}

func (s *shelf) Erase(_ context.Context, scope id.Scope) (module.Erased, error) {
	s.asked = append(s.asked, scope.User)
	rows := s.left[scope.User]
	s.left[scope.User] = 0
	return module.Erased{"orders": rows}, s.failed
}

// queue is an erasure.Queue that keeps what is to be done later.
type queue struct{ waits []jobs.Args }

func (q *queue) Enqueue(_ context.Context, args jobs.Args, _ ...jobs.Option) error {
	q.waits = append(q.waits, args)
	return nil
}

// everybody is an administrator by the name in the token.
type everybody struct{}

func (everybody) Authenticate(_ context.Context, authorization []string) (auth.Principal, error) {
	return auth.Principal{UserID: strings.TrimPrefix(strings.Join(authorization, ""), "Bearer "), Role: auth.RoleAdmin}, nil
}

// town is an erasure over a module that erases when it hears of it, the one that publishes it, and the platform.
type town struct {
	*erasure.Erasure
	db             *database.DB
	now            *clock.Manual
	queue          *queue
	orders, inside *shelf
	consumers      map[string]events.Consumer
	later          []module.Job // the second pass, and the end
	forgotten      []string
}

func newTown(db *database.DB, keys *keyring.Keyring) *town {
	t := &town{
		db: db, now: clock.NewManual(time.Date(2026, 11, 27, 1, 2, 3, 4000, time.UTC)), queue: &queue{}, consumers: map[string]events.Consumer{},
		orders: &shelf{left: map[string]int64{"ann": 3, "bob": 2}}, inside: &shelf{left: map[string]int64{"ann": 1}},
	}
	t.Erasure = erasure.New(db, keys, t.now, t.queue, time.Minute)
	modules := t.Join([]module.Descriptor{
		{Name: "people", Publishes: []events.Event{gone{}}, Eraser: &shelf{left: map[string]int64{}}},
		{Name: "orders", Consumes: []events.Consumer{{Name: "orders.welcome"}}, Eraser: t.orders},
		{Name: "weather"},
	}, gone{}.EventName())
	last, later := t.Finish(modules, []module.Descriptor{{Name: "idempotency", Eraser: t.inside}, {Name: "events"}}, gone{}.EventName(),
		func(_ context.Context, user id.Scope, person string) error {
			t.forgotten = append(t.forgotten, user.User+" "+person)
			return nil
		})
	t.later = later
	for _, m := range append(modules, module.Descriptor{Consumes: []events.Consumer{last}}) {
		for _, consumer := range m.Consumes {
			t.consumers[consumer.Name] = consumer
		}
	}
	return t
}

// hear has a consumer handle that somebody is gone, as the bus does.
func (t *town) hear(ctx context.Context, consumer, who string) error {
	return t.db.WithinTx(ctx, func(ctx context.Context) error {
		return t.consumers[consumer].Handle(ctx, events.Envelope{Name: gone{}.EventName(), Aggregate: who})
	})
}

// work does the job of that number.
func (t *town) work(test *testing.T, number int) {
	test.Helper()
	for _, wanted := range t.queue.waits {
		if wanted.Kind() != t.later[number].Kind {
			continue
		}
		args, err := json.Marshal(wanted)
		if err == nil {
			err = t.later[number].Run(test.Context(), args)
		}
		if err != nil {
			test.Fatal(err)
		}
	}
}

// serve serves the receipts to an administrator.
func (t *town) serve(test *testing.T) *testkit.API {
	test.Helper()
	log, _ := testkit.Logger(test)
	server := httpserver.New(httpserver.Options{
		Auth: everybody{}, Tx: t.db, HTTP: config.HTTP{APIPrefix: "/api/v1", BodyLimit: 1 << 20, RequestTimeout: 10 * time.Second},
	}, log)
	t.Routes(server.Router("erasure"))
	listening := httptest.NewServer(server.Handler())
	test.Cleanup(listening.Close)
	return testkit.NewAPI(test, listening.URL).As("root")
}

const receipts = "/api/v1/admin/erasures/"

var secret = strings.Repeat("k", 32)

// Whoever has an Eraser erases when somebody is gone, and the receipt says what; it names nobody.
func TestAnErasureHasAReceipt(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		town := newTown(db, keyring.New(secret, ""))
		var names []string
		for name := range town.consumers {
			names = append(names, name)
		}
		slices.Sort(names)
		if want := []string{"jobs.erase_user", "orders.erase_user", "orders.welcome"}; !slices.Equal(names, want) {
			t.Fatalf("the consumers are %v", names)
		}
		api := town.serve(t)
		api.Do(t, "GET", receipts+"ann").WantError(404, "NOT_FOUND").WantJSON("error.details.resource", "Erasure")

		// Who publishes it hands in the receipt.
		if err := db.WithinTx(t.Context(), func(ctx context.Context) error {
			return town.Record(ctx, "people", id.Of("ann"), map[string]int64{"people": 1, "people_names": 2})
		}); err != nil {
			t.Fatal(err)
		}
		at := town.now.Now()
		first := api.Do(t, "GET", receipts+"ann").Want(200).WantJSON("user_id", "ann").WantJSON("unfinished", []string{"orders", "idempotency"})
		first.WantJSON("receipts", []any{map[string]any{
			"module": "people", "pass": "first", "erased_at": at,
			"tables": []any{map[string]any{"table": "people", "rows": 1}, map[string]any{"table": "people_names", "rows": 2}},
		}})
		town.now.Advance(time.Second)
		for _, consumer := range []string{"orders.erase_user", "jobs.erase_user"} {
			if err := town.hear(t.Context(), consumer, "ann"); err != nil {
				t.Fatal(err)
			}
		}
		api.Do(t, "GET", receipts+"ann").Want(200).WantJSON("unfinished", []string{}).WantJSON("receipts.0.module", "idempotency").
			WantJSON("receipts.1.tables.0", map[string]any{"table": "orders", "rows": 3}).WantJSON("receipts.2.module", "people")
		api.Do(t, "GET", receipts+"bob").WantError(404, "NOT_FOUND")
		if !slices.Equal(town.orders.asked, []string{"ann"}) || len(town.queue.waits) != 2 {
			t.Errorf("asked for %v, and %v wait", town.orders.asked, town.queue.waits)
		}

		// The second pass finds what came after the first, however often it is tried.
		for _, late := range []int64{2, 1} {
			town.orders.left["ann"] = late
			town.work(t, 0)
		}
		all := api.Do(t, "GET", receipts+"ann").Want(200)
		all.WantJSON("receipts.3.pass", "second").WantJSON("receipts.3.tables.0.rows", 3).WantJSON("receipts.2.pass", "first").WantJSON("receipts.2.tables.0.rows", 3)
		if testkit.Rows(t, db, "erasure_receipts", "person = 'ann' OR length(person) <> 64") != 0 {
			t.Error("a receipt names somebody")
		}

		// In the end the id is replaced by what the receipts say, where it has to stay.
		town.work(t, 1)
		if len(town.forgotten) != 1 || !strings.HasPrefix(town.forgotten[0], "ann ") ||
			testkit.Rows(t, db, "erasure_receipts", "person = ?", strings.TrimPrefix(town.forgotten[0], "ann ")) != 6 {
			t.Errorf("forgotten is %v", town.forgotten)
		}

		// Years later there is none; a module that joined meanwhile has nothing to erase.
		town.now.Advance(40 * 24 * time.Hour)
		api.Do(t, "GET", receipts+"ann").Want(200).WantJSON("unfinished", []string{})
		town.now.Advance(3*365*24*time.Hour - 41*24*time.Hour)
		if err := town.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		api.Do(t, "GET", receipts+"ann").Want(200)
		town.now.Advance(2 * 24 * time.Hour)
		if err := town.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		api.Do(t, "GET", receipts+"ann").WantError(404, "NOT_FOUND")
	})
}

// An erasure that fails has no receipt, and one whose receipt can't be written isn't done.
func TestAnErasureAndItsReceiptAreOne(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		town := newTown(db, keyring.New(secret, ""))
		town.orders.failed = errstest.ErrBoom
		if err := town.hear(t.Context(), "orders.erase_user", "ann"); !errors.Is(err, errstest.ErrBoom) {
			t.Errorf("a failure: %v", err)
		}
		town.inside.failed = errstest.ErrBoom
		if err := town.hear(t.Context(), "jobs.erase_user", "ann"); !errors.Is(err, errstest.ErrBoom) || len(town.queue.waits) != 0 {
			t.Errorf("a failure: %v, and %v wait", err, town.queue.waits)
		}
		if err := town.hear(t.Context(), "orders.erase_user", ""); !errs.Is(err, errs.Invalid) {
			t.Errorf("an event that names nobody: %v", err)
		}
		if left := testkit.Rows(t, db, "erasure_receipts", ""); left != 0 {
			t.Errorf("there are %d receipts", left)
		}
		if err := town.Record(t.Context(), "people", id.Of("ann"), nil); !errors.Is(err, database.ErrNoTransaction) {
			t.Errorf("a receipt outside of a transaction: %v", err)
		}
	})
}

// A receipt is found after the secret was rotated, as long as the one before is there.
func TestReceiptsSurviveARotation(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		if err := newTown(db, keyring.New(secret, "")).hear(t.Context(), "orders.erase_user", "ann"); err != nil {
			t.Fatal(err)
		}
		next := strings.Repeat("n", 32)
		rotating := newTown(db, keyring.New(next, secret))
		rotating.serve(t).Do(t, "GET", receipts+"ann").Want(200).WantJSON("receipts.0.tables.0.rows", 3)
		newTown(db, keyring.New(next, "")).serve(t).Do(t, "GET", receipts+"ann").WantError(404, "NOT_FOUND")
		rotating.orders.left["ann"] = 1
		if err := rotating.hear(t.Context(), "orders.erase_user", "ann"); err != nil {
			t.Fatal(err)
		}
		newTown(db, keyring.New(next, "")).serve(t).Do(t, "GET", receipts+"ann").Want(200).WantJSON("receipts.0.tables.0.rows", 4)
		if rows := testkit.Rows(t, db, "erasure_receipts", ""); rows != 1 {
			t.Errorf("there are %d receipts", rows)
		}
	})
}
