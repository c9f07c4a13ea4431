package audit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/audit"
	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/database/storetest"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/page"
	"github.com/omnistack/omnistack/platform/testkit"
)

func newLog(db *database.DB, now clock.Clock) *audit.Log {
	return audit.New(db, page.NewCursors(keyring.New(strings.Repeat("k", 32), "")), now)
}

// everybody is an administrator by the name in the token.
type everybody struct{}

func (everybody) Authenticate(_ context.Context, authorization []string) (auth.Principal, error) {
	return auth.Principal{UserID: strings.TrimPrefix(strings.Join(authorization, ""), "Bearer "), Role: auth.RoleAdmin}, nil
}

// serve serves the log to ann, who may see it.
func serve(t *testing.T, db *database.DB, trail *audit.Log) *testkit.API {
	t.Helper()
	log, _ := testkit.Logger(t)
	server := httpserver.New(httpserver.Options{
		Auth: everybody{}, Tx: db, Audit: trail,
		HTTP: config.HTTP{APIPrefix: "/api/v1", BodyLimit: 1 << 20, RequestTimeout: 10 * time.Second},
	}, log)
	trail.Routes(server.Router("audit"))
	listening := httptest.NewServer(server.Handler())
	t.Cleanup(listening.Close)
	return testkit.NewAPI(t, listening.URL).As("ann")
}

const logged = "/api/v1/admin/audit"

func TestWhatIsRecordedIsListed(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		began := time.Date(2026, 11, 26, 2, 0, 0, 123_456_000, time.UTC)
		now := clock.NewManual(began)
		trail := newLog(db, now)
		for i, act := range []httpserver.Act{
			{Actor: "ann", Role: auth.RoleAdmin, Action: "PATCH /admin/users/{id}", Target: "alice", Status: 200, RequestID: "r1",
				Input: []byte(`{"is_active":false,"count":12345678901234567890}`)},
			{Actor: "ann", Role: auth.RoleAdmin, Action: "DELETE /admin/users/{id}", Target: "bob", Status: 204, RequestID: "r2"},
			{Actor: "root", Role: auth.RoleSuperadmin, Action: "PATCH /admin/users/{id}", Target: "bob", Status: 403, RequestID: "r3",
				Input: []byte(`[{"note":"write to ada@example.com","apiKey":"x","nested":{"new_password":["a","b"]}}]`)},
		} {
			storetest.Commit(t, db, func(ctx context.Context) error { return trail.Record(ctx, act) })
			now.Advance(time.Duration(i+1) * time.Hour)
		}
		api := serve(t, db, trail)
		all := api.Do(t, "GET", logged).Want(200).WantJSON("total", 3).WantJSON("skip", 0).WantJSON("limit", 20)
		for i := range 3 {
			if !id.Valid(all.Text(fmt.Sprintf("items.%d.id", i))) || all.Text(fmt.Sprintf("items.%d.id", i))[14] != '7' {
				t.Errorf("the ids are no UUIDv7: %s", all.Body)
			}
		}
		all.WantJSON("items.0", map[string]any{
			"id": all.Text("items.0.id"), "time": began.Add(3 * time.Hour), "actor": "root", "role": "superadmin",
			"action": "PATCH /admin/users/{id}", "target": "bob", "status": 403, "request_id": "r3",
			"input": []any{map[string]any{"note": "write to ****@****", "apiKey": "****", "nested": map[string]any{"new_password": "****"}}},
		})
		all.WantJSON("items.1.input", nil).WantJSON("items.2.input.is_active", false)
		if !strings.Contains(string(all.Body), "12345678901234567890") {
			t.Errorf("a number was rounded: %s", all.Body)
		}

		at := func(when time.Time) string { return url.QueryEscape(when.Format(time.RFC3339Nano)) }
		for query, want := range map[string][]string{
			"?actor=ann":                        {"r2", "r1"},
			"?target=bob":                       {"r3", "r2"},
			"?target=bob&actor=ann":             {"r2"},
			"?actor=nobody":                     {},
			"?from=" + at(began.Add(time.Hour)): {"r3", "r2"},
			"?to=" + at(began.Add(time.Hour)):   {"r1"},
			"?from=" + at(began) + "&to=" + at(began.Add(time.Microsecond)):      {"r1"},
			"?action=" + url.QueryEscape("PATCH /admin/users/{id}"):              {"r3", "r1"},
			"?action=" + url.QueryEscape("PATCH /admin/users/{id}") + "&limit=1": {"r3"},
			"?skip=1&limit=1": {"r2"},
			"?limit=2&cursor=" + api.Do(t, "GET", logged+"?limit=2").Text("next_cursor"): {"r1"},
		} {
			answer, got := api.Do(t, "GET", logged+query).Want(200), []string{}
			for i := range answer.JSON("items").([]any) {
				got = append(got, answer.Text(fmt.Sprintf("items.%d.request_id", i)))
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s lists %v, want %v", query, got, want)
			}
		}
		next := api.Do(t, "GET", logged+"?limit=1&target=bob").Text("next_cursor")
		for _, query := range []string{"?target=alice&cursor=" + next, "?cursor=" + next, "?cursor=x", "?from=yesterday", "?limit=101", "?who=ann"} {
			api.Do(t, "GET", logged+query).WantError(422, "VALIDATION_ERROR")
		}
	})
}

func TestAnActIsThereIffItsTransactionCommits(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		trail := newLog(db, clock.System{})
		storetest.Transactional(t, db,
			func(ctx context.Context, name string) error { return trail.Record(ctx, httpserver.Act{Actor: name}) },
			func(ctx context.Context, name string) bool {
				found, err := database.One(db.Read(ctx).Raw("SELECT count(*) FROM audit_log WHERE actor = ?", name), database.Scalar[int64])
				if err != nil {
					t.Fatal(err)
				}
				return found > 0
			})
	})
}

func TestOperate(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		trail, boom := newLog(db, clock.System{}), errors.New("boom")
		err := trail.Operate(t.Context(), func(context.Context) (httpserver.Act, error) { return httpserver.Act{Action: "fail"}, boom })
		if !errors.Is(err, boom) || testkit.Rows(t, db, "audit_log", "") != 0 {
			t.Errorf("what failed is recorded, or the error is another: %v", err)
		}
		err = trail.Operate(t.Context(), func(ctx context.Context) (httpserver.Act, error) {
			if _, err := db.SQLTx(ctx); err != nil {
				t.Error("it runs outside of the transaction of its act")
			}
			return httpserver.Act{Action: "admin grant", Target: "alice", Actor: "forged", Role: auth.RoleUser}, nil
		})
		if err != nil || testkit.Rows(t, db, "audit_log", "actor = 'cli' AND role = 'operator' AND target = 'alice' AND status = 200") != 1 {
			t.Errorf("what was done isn't recorded: %v", err)
		}
		err = trail.Operate(t.Context(), func(context.Context) (httpserver.Act, error) { return httpserver.Act{Input: []byte("{")}, nil })
		if err == nil || testkit.Rows(t, db, "audit_log", "") != 1 {
			t.Errorf("an input that is no JSON: %v", err)
		}
	})
}

// The databases themselves refuse to change the log, whoever asks.
func TestNothingChangesTheLog(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		trail := newLog(db, clock.NewManual(time.Now().Add(-398*24*time.Hour)))
		storetest.Commit(t, db, func(ctx context.Context) error { return trail.Record(ctx, httpserver.Act{Actor: "ann"}) })
		statements := []string{
			"UPDATE audit_log SET actor = 'eve'", "UPDATE audit_log SET actor = actor", "DELETE FROM audit_log", "DELETE FROM audit_log WHERE actor = 'ann'",
		}
		if db.Engine() == database.Postgres {
			statements = append(statements, "TRUNCATE audit_log", "TRUNCATE audit_log CASCADE")
		}
		for _, statement := range statements {
			err := db.WithinTx(t.Context(), func(ctx context.Context) error { return db.Tx(ctx).Exec(statement).Error })
			if err == nil || !strings.Contains(err.Error(), "append-only") {
				t.Errorf("%s: %v", statement, err)
			}
		}
		if testkit.Rows(t, db, "audit_log", "actor = 'ann'") != 1 {
			t.Error("the act is gone")
		}
	})
}

// Of whom was erased four weeks ago the id becomes the hash in the receipts, and nothing else can be changed on that way.
func TestTheErasedAreForgotten(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		trail := newLog(db, clock.System{})
		old, young := strings.Repeat("a", 64), strings.Repeat("b", 64)
		storetest.Commit(t, db, func(ctx context.Context) error {
			for _, act := range []httpserver.Act{{Actor: "ann", Target: "bob"}, {Actor: "bob", Target: "ann"}, {Actor: "ann", Target: "ann"}, {Actor: "kim", Target: "sue"}} {
				if err := trail.Record(ctx, act); err != nil {
					return err
				}
			}
			for person, age := range map[string]time.Duration{old: 29 * 24 * time.Hour, young: 27 * 24 * time.Hour} {
				err := db.Tx(ctx).Exec("INSERT INTO erasure_receipts (id, person, module, pass, counts, erased_at) VALUES (?, ?, 'users', 'first', '{}', ?)",
					id.New(), person, time.Now().UTC().Add(-age)).Error
				if err != nil {
					return err
				}
			}
			return nil
		})
		for _, statement := range []string{
			"UPDATE audit_log SET actor = 'erased:" + young + "' WHERE actor = 'ann'", // too early
			"UPDATE audit_log SET actor = 'erased:" + strings.Repeat("c", 64) + "' WHERE actor = 'ann'",
			"UPDATE audit_log SET actor = '" + old + "' WHERE actor = 'ann'",
			"UPDATE audit_log SET actor = 'erased:" + old + "', action = 'nothing' WHERE actor = 'ann'",
			"UPDATE audit_log SET target = 'erased:" + old + "', actor = 'eve' WHERE target = 'ann'",
			"UPDATE audit_log SET actor = actor WHERE actor = 'ann'",
		} {
			err := db.WithinTx(t.Context(), func(ctx context.Context) error { return db.Tx(ctx).Exec(statement).Error })
			if err == nil || !strings.Contains(err.Error(), "append-only") {
				t.Errorf("%s: %v", statement, err)
			}
		}
		for range 2 {
			storetest.Commit(t, db, func(ctx context.Context) error { return trail.Forget(ctx, id.Of("ann"), old) })
		}
		if testkit.Rows(t, db, "audit_log", "actor = 'ann' OR target = 'ann'") != 0 || testkit.Rows(t, db, "audit_log", "actor = ?", "erased:"+old) != 2 ||
			testkit.Rows(t, db, "audit_log", "target = ?", "erased:"+old) != 2 || testkit.Rows(t, db, "audit_log", "actor = 'kim'") != 1 {
			t.Error("the wrong ones were forgotten")
		}
	})
}

func TestOldActsAreRemoved(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		record := func(times int, age time.Duration) {
			trail := newLog(db, clock.NewManual(time.Now().Add(-age)))
			storetest.Commit(t, db, func(ctx context.Context) error {
				for range times {
					if err := trail.Record(ctx, httpserver.Act{Actor: "ann"}); err != nil {
						return err
					}
				}
				return nil
			})
		}
		const day = 24 * time.Hour
		record(1100, 400*day+time.Minute)
		record(1, 400*day-time.Minute)
		record(1, 0)
		prune := newLog(db, clock.System{}).Jobs()[0]
		if err := prune.Run(t.Context(), []byte("{}")); err != nil {
			t.Fatal(err)
		}
		if rows := testkit.Rows(t, db, "audit_log", ""); rows != 2 {
			t.Errorf("%d acts are left, want 2", rows)
		}
	})
}
