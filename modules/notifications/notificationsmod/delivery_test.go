package notificationsmod_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/modules/notifications"
	jobsadapter "github.com/omnistack/omnistack/modules/notifications/internal/adapters/jobs"
	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/store"
	"github.com/omnistack/omnistack/modules/notifications/internal/adapters/templates"
	"github.com/omnistack/omnistack/modules/notifications/internal/app"
	"github.com/omnistack/omnistack/modules/notifications/internal/domain"
	"github.com/omnistack/omnistack/modules/notifications/notificationsmod"
	"github.com/omnistack/omnistack/modules/projects"
	"github.com/omnistack/omnistack/modules/users"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/database/storetest"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/page"
	"github.com/omnistack/omnistack/platform/testkit"
)

var now = time.Date(2026, 1, 2, 9, 0, 0, 6000, time.UTC)

// people is a directory and a catalog.
type people map[string]users.User

func (p people) Find(_ context.Context, userID string) (users.User, error) {
	if user, ok := p[userID]; ok {
		return user, nil
	}
	return users.User{}, errs.Missing("User", userID)
}

func (p people) Administrators(context.Context) ([]users.User, error) {
	return []users.User{{Email: "root-canary@example.com"}}, nil
}

type catalog struct{ projects.Catalog } // nothing else of which is asked

func (catalog) Find(context.Context, id.Scope, string) (projects.Project, error) {
	return projects.Project{ID: "apollo", Name: "Apollo"}, nil
}

var directory = people{"alice": {ID: "alice", Email: "alice-canary@example.com", FullName: "Alice"}}

// settings are those of a desk, changed as the lines say.
func settings(t *testing.T, environ ...string) *notificationsmod.Settings {
	t.Helper()
	loaded, _, err := load(t, environ...)
	if err != nil {
		t.Fatal(err)
	}
	return &loaded
}

// deps are what a module is put together of in a test, with a client that knows its jobs only after Register, and what was
// logged.
func deps(t *testing.T, db *database.DB) (with notificationsmod.Deps, client *jobs.Client, logged func() string) {
	t.Helper()
	log, logs := testkit.Logger(t)
	client, err := jobs.New(db, log)
	if err != nil {
		t.Fatal(err)
	}
	keys := keyring.New(strings.Repeat("k", 32), "")
	return notificationsmod.Deps{
			DB: db, Jobs: client, Cursors: page.NewCursors(keys), Keyring: keys, Clock: clock.NewManual(now), Directory: directory,
			Catalog: catalog{}, Settings: settings(t), Product: "Product", PublicURL: "http://localhost:8000", APIPrefix: "/api/v1",
			FrontendURL: "http://localhost:3000", Environment: config.Test,
		}, client, func() string {
			var lines strings.Builder
			for _, entry := range logs.All() {
				fmt.Fprintf(&lines, "%s %v\n", entry.Message, entry.ContextMap())
			}
			return lines.String()
		}
}

// newModule returns a module whose jobs are enqueued and not worked.
func newModule(t *testing.T, db *database.DB) *notificationsmod.Module {
	t.Helper()
	with, client, _ := deps(t, db)
	m, err := notificationsmod.New(with)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Register(m.Describe().Jobs); err != nil {
		t.Fatal(err)
	}
	return m
}

// happened returns an event as a consumer gets it.
func happened(t *testing.T, event events.Event) events.Envelope {
	t.Helper()
	payload, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	aggregate, version := event.Aggregate()
	return events.Envelope{ID: id.New(), Name: event.EventName(), Aggregate: aggregate, Version: version, Time: now, Payload: payload}
}

// tell lets every consumer of the event handle it in a transaction, and returns how many there are.
func tell(ctx context.Context, db *database.DB, consumers []events.Consumer, envelope events.Envelope) (handled int, err error) {
	for _, consumer := range consumers {
		if consumer.Event != envelope.Name {
			continue
		}
		handled++
		if err := db.WithinTx(ctx, func(ctx context.Context) error { return consumer.Handle(ctx, envelope) }); err != nil {
			return handled, err
		}
	}
	return handled, nil
}

// counts are the rows that handlers leave.
func counts(t *testing.T, db *database.DB) [3]int {
	t.Helper()
	return [3]int{
		testkit.Rows(t, db, "notifications", ""), testkit.Rows(t, db, "notifications_mails", ""),
		testkit.Rows(t, db, "river_job", "kind = ?", "notifications.send_mail"),
	}
}

// Whatever is delivered twice, or sixteen times at once, happens once.
func TestEveryHandlerActsOncePerEvent(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		module := newModule(t, db).Describe()
		consumers := module.Consumes
		names := map[string]bool{}
		for _, consumer := range consumers {
			names[consumer.Name] = true
		}
		golden, err := os.ReadFile("../../../test/contract/testdata/consumers.txt") // what was handled is remembered under them
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(golden)) {
			name, _, _ := strings.Cut(line, " ")
			if !strings.HasPrefix(name, "notifications.") || name == "notifications.erase_user" { // which the house makes
				continue
			}
			if !names[name] {
				t.Errorf("there is no consumer %s", name)
			}
			delete(names, name)
		}
		if len(names) > 0 {
			t.Errorf("these aren't known: %v", names)
		}

		want := counts(t, db)
		for _, event := range []events.Event{
			users.UserRegistered{UserID: "alice", Version: 1}, users.UserSuspended{UserID: "alice", Version: 2},
			users.UserReactivated{UserID: "alice", Version: 3}, users.UserRoleChanged{UserID: "alice", Role: "admin", Version: 4},
			users.UserIdentityLinked{UserID: "alice", Issuer: "https://clerk.example.com", Version: 4},
			projects.ProjectDeleted{ProjectID: "apollo", OwnerID: "alice", Version: 2},
			billing.SubscriptionChanged{UserID: "alice", Status: "active", Plan: "pro", Notable: true, Version: 2},
			billing.PaymentFailed{UserID: "alice", InvoiceID: "in_1", Amount: 2000, Currency: "usd", Attempt: 1, Version: 3},
			billing.TrialEnding{UserID: "alice", Plan: "pro", TrialEnd: now, Version: 4},
		} {
			for range 2 { // two events of the name
				envelope := happened(t, event)
				storetest.Concurrent(t, 2, func(int) error {
					handled, err := tell(t.Context(), db, consumers, envelope)
					if handled != 1 {
						return fmt.Errorf("%s is handled by %d consumers", envelope.Name, handled)
					}
					return err
				})
				want[0], want[1], want[2] = want[0]+1, want[1]+1, want[2]+1
				if got := counts(t, db); got != want {
					t.Fatalf("%s: notifications, mails and jobs are %v, want %v", envelope.Name, got, want)
				}
			}
		}
		for range 2 {
			if _, err := module.Eraser.Erase(t.Context(), id.Of("alice")); err != nil {
				t.Fatal(err)
			}
			if got := counts(t, db); got != [3]int{0, 0, want[2]} {
				t.Fatalf("after the erasure there are %v", got)
			}
		}
	})
}

// A handler whose transaction fails leaves nothing, its job least of all.
func TestAHandlerIsPartOfItsTransaction(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		consumers := newModule(t, db).Describe().Consumes
		err := db.WithinTx(t.Context(), func(ctx context.Context) error {
			if _, err := tell(ctx, db, consumers, happened(t, users.UserRegistered{UserID: "alice"})); err != nil {
				t.Error(err)
			}
			return context.Canceled
		})
		if got := counts(t, db); err == nil || got != [3]int{} {
			t.Errorf("%v, and there are %v", err, got)
		}
	})
}

// carried is a carrier that keeps what it gets by key, as those with idempotency keys do.
type carried struct {
	mu    sync.Mutex
	calls []domain.Mail
	hold  chan struct{} // what Send waits for; nil for nothing
	fail  int           // how many calls fail before one succeeds
	taken chan string   // gets the key of each mail that was taken
}

func (*carried) Remembers() time.Duration { return 0 }

func (c *carried) Send(ctx context.Context, mail domain.Mail) (string, error) {
	c.mu.Lock()
	c.calls = append(c.calls, mail)
	failing := c.fail > 0
	c.fail--
	c.mu.Unlock()
	if c.hold != nil {
		select {
		case <-c.hold:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	if failing {
		return "", errs.New(errs.External, "The carrier doesn't answer")
	}
	if c.taken != nil {
		c.taken <- mail.Key
	}
	return "r", nil
}

// newApp returns the use cases over the real store, with a carrier of the test's.
func newApp(t *testing.T, with notificationsmod.Deps, carrier app.Mailer) *app.App {
	t.Helper()
	renderer, err := templates.New()
	if err != nil {
		t.Fatal(err)
	}
	return app.New(app.Ports{
		Store: store.New(with.DB), Tx: with.DB, Queue: jobsadapter.NewQueue(with.Jobs), Directory: with.Directory, Catalog: with.Catalog,
		Mailer: carrier, Renderer: renderer, Sealer: with.Keyring.Sealer("mail"), Signer: with.Keyring.Signer("unsubscribe"),
		Cursors: with.Cursors, Clock: with.Clock,
	}, app.Identity{
		Product: "Product", Home: "http://localhost:3000", Unsubscribe: "http://localhost:8000/u/", From: domain.Address{Email: "hello@example.com"},
	})
}

// Sixteen attempts at once to send one mail call the carrier once.
func TestConcurrentAttemptsSendOnce(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		with, client, _ := deps(t, db)
		carrier := &carried{hold: make(chan struct{})}
		notifications := newApp(t, with, carrier)
		if err := client.Register(jobsadapter.Kinds(notifications)); err != nil {
			t.Fatal(err)
		}
		notice := app.Notice{User: "alice", Kind: domain.KindWelcome, Topic: "welcome", Event: "e"}
		if err := notifications.Notify(t.Context(), notice); err != nil {
			t.Fatal(err)
		}
		letterID, err := database.One(db.Read(t.Context()).Raw("SELECT id FROM notifications_mails"), database.Scalar[string])
		if err != nil {
			t.Fatal(err)
		}

		answers := make(chan error, 16)
		for range cap(answers) {
			go func() { answers <- notifications.SendMail(t.Context(), letterID) }()
		}
		for range cap(answers) - 1 { // all but the one that holds the letter
			if err := <-answers; !errs.Is(err, errs.Unavailable) {
				t.Errorf("an attempt beside another one: %v", err)
			}
		}
		close(carrier.hold)
		if err := <-answers; err != nil {
			t.Errorf("the one that sends: %v", err)
		}
		if err := notifications.SendMail(t.Context(), letterID); err != nil || len(carrier.calls) != 1 || carrier.calls[0].Key != letterID {
			t.Errorf("%d calls, %v", len(carrier.calls), err)
		}
		if rows := testkit.Rows(t, db, "notifications_mails", "state = 'sent' AND claimed_until IS NULL AND receipt = 'r'"); rows != 1 {
			t.Error("it isn't noted as sent")
		}
	})
}

// SQLite's writer may be busy when a mail has been sent. It is noted all the same, or it would be sent again.
func TestASentMailIsNotedWhenTheWriterIsBusy(t *testing.T) {
	t.Parallel()
	db := testkit.SQLite(t)
	with, client, _ := deps(t, db)
	carrier := &busy{db: db}
	notifications := newApp(t, with, carrier)
	if err := client.Register(jobsadapter.Kinds(notifications)); err != nil {
		t.Fatal(err)
	}
	if err := notifications.Notify(t.Context(), app.Notice{User: "alice", Kind: domain.KindWelcome, Topic: "welcome", Event: "e"}); err != nil {
		t.Fatal(err)
	}
	letterID, err := database.One(db.Read(t.Context()).Raw("SELECT id FROM notifications_mails"), database.Scalar[string])
	if err != nil {
		t.Fatal(err)
	}
	err = notifications.SendMail(t.Context(), letterID)
	carrier.others.Wait()
	if rows := testkit.Rows(t, db, "notifications_mails", "state = 'sent'"); err != nil || rows != 1 {
		t.Errorf("it was sent, and isn't noted: %v", err)
	}
}

// busy is a carrier during whose answer somebody else begins to write for three seconds.
type busy struct {
	carried
	db     *database.DB
	others sync.WaitGroup
}

func (b *busy) Send(context.Context, domain.Mail) (string, error) {
	writing := make(chan struct{})
	b.others.Go(func() {
		_ = b.db.WithinTx(context.Background(), func(context.Context) error {
			close(writing)
			<-time.After(3 * time.Second)
			return nil
		})
	})
	<-writing
	return "r", nil
}

// Carriers post the same addresses at once, each time in another order. Nobody waits for whom he keeps waiting.
func TestConcurrentFeedbackOnTheSameAddresses(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		with, _, _ := deps(t, db)
		notifications := newApp(t, with, &carried{})
		var heard []domain.Feedback
		for i := range 300 {
			heard = append(heard, domain.Feedback{Address: fmt.Sprintf("%d@example.com", i), Reason: domain.Complained})
		}
		storetest.Concurrent(t, 2, func(worker int) error {
			mine := slices.Clone(heard)
			rand.New(rand.NewPCG(uint64(worker), 1)).Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
			return notifications.HandleFeedback(t.Context(), mine)
		})
		if rows := testkit.Rows(t, db, "notifications_suppressions", ""); rows != 300 {
			t.Errorf("%d addresses are suppressed", rows)
		}
	})
}

// Sixteen things that happen at once to one account write no more mails than one after the other.
func TestConcurrentNoticesDoNotFlood(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		with, client, _ := deps(t, db)
		notifications := newApp(t, with, &carried{})
		if err := client.Register(jobsadapter.Kinds(notifications)); err != nil {
			t.Fatal(err)
		}
		storetest.Concurrent(t, 2, func(int) error {
			return notifications.Notify(t.Context(), app.Notice{User: "alice", Kind: domain.KindWelcome, Topic: "welcome", Event: id.New()})
		})
		if got := counts(t, db); got != [3]int{32, domain.MaxPerDay, domain.MaxPerDay} {
			t.Errorf("notifications, mails and jobs are %v", got)
		}
	})
}

// Mails have a queue of their own, and a job that lasts as long as a mail server may take. A letter whose job is dead is
// closed, so that it doesn't look as if it waited.
func TestTheJobOfAMail(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		with, client, _ := deps(t, db)
		notifications := newApp(t, with, &carried{fail: 1 << 30})
		kinds := jobsadapter.Kinds(notifications)
		for i, kind := range kinds {
			if mail := kind.Kind == "notifications.send_mail"; mail != (kind.Queue == "mail") || mail && kind.Timeout != 300*time.Second {
				t.Errorf("%s has the queue %q and %s", kind.Kind, kind.Queue, kind.Timeout)
			}
			kinds[i].Attempts = 2
		}
		if err := client.Register(kinds); err != nil {
			t.Fatal(err)
		}
		if err := client.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := client.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		})
		if err := notifications.Notify(t.Context(), app.Notice{User: "alice", Kind: domain.KindWelcome, Topic: "welcome", Event: "e"}); err != nil {
			t.Fatal(err)
		}
		deadline := time.After(30 * time.Second)
		for tick := time.Tick(10 * time.Millisecond); testkit.Rows(t, db, "river_job", "state = 'discarded'") < 1; {
			select {
			case <-tick:
			case <-deadline:
				t.Fatal("the job doesn't die")
			}
		}
		if rows := testkit.Rows(t, db, "notifications_mails", "state = 'failed' AND reason = 'abandoned'"); rows != 1 {
			t.Error("its letter still waits")
		}
	})
}

// The job tries again by itself when the carrier is back, with the same key.
func TestAMailArrivesWhenTheCarrierIsBack(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		with, client, _ := deps(t, db)
		carrier := &carried{fail: 1, taken: make(chan string, 10)}
		notifications := newApp(t, with, carrier)
		if err := client.Register(jobsadapter.Kinds(notifications)); err != nil {
			t.Fatal(err)
		}
		if err := client.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := client.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		})
		if err := notifications.Notify(t.Context(), app.Notice{User: "alice", Kind: domain.KindWelcome, Topic: "welcome", Event: "e"}); err != nil {
			t.Fatal(err)
		}
		select {
		case key := <-carrier.taken:
			if len(carrier.calls) != 2 || carrier.calls[0].Key != key || carrier.calls[1].Key != key {
				t.Errorf("%d calls for %s", len(carrier.calls), key)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("the mail doesn't arrive")
		}
	})
}

// reporter says how many users there are.
type reporter struct{}

func (reporter) Report(_ context.Context, from, to time.Time) ([]module.Figure, error) {
	return []module.Figure{{Name: "Hours", Value: to.Sub(from).String()}}, nil
}

// What people wrote, their addresses and their links are in no job, no log and no error, and unread in the database, while
// their mails can't be sent; and not there at all when they are.
func TestNothingGivesPeopleAway(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		with, client, logged := deps(t, db)
		with.Settings = settings(t, "EMAIL_PROVIDER=smtp", "SMTP_HOST=127.0.0.1", "SMTP_PORT=1", "SMTP_TLS=none")
		m, err := notificationsmod.New(with)
		if err != nil {
			t.Fatal(err)
		}
		m.Describe().Meet(func() []module.Descriptor {
			return []module.Descriptor{{Name: "users", Reporter: reporter{}}, m.Describe()}
		})
		described := m.Describe()
		if err := client.Register(described.Jobs); err != nil {
			t.Fatal(err)
		}
		if err := client.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		stop := sync.OnceFunc(func() {
			if err := client.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		})
		t.Cleanup(stop)

		if _, err := tell(t.Context(), db, described.Consumes, happened(t, users.UserRegistered{UserID: "alice"})); err != nil {
			t.Fatal(err)
		}
		eve := []notifications.Address{{Email: "eve-canary@example.com", Name: "Eve Canary"}}
		reset := notifications.PasswordReset{To: eve[0], Link: "https://app.example.com/canary", Expires: now.Add(time.Hour)}
		if err := m.Mail().SendPasswordReset(t.Context(), "reset", reset); err != nil {
			t.Fatal(err)
		}
		if err := m.Mail().SendRaw(t.Context(), "raw", notifications.RawMessage{To: eve, Subject: "canary", Text: "canary"}); err != nil {
			t.Fatal(err)
		}
		if err := runJob(t, described.Jobs, "notifications.generate_daily_report"); err != nil {
			t.Fatal(err)
		}

		const failed = "kind = 'notifications.send_mail' AND errors IS NOT NULL AND attempt > 0"
		deadline := time.After(30 * time.Second)
		for tick := time.Tick(10 * time.Millisecond); testkit.Rows(t, db, "river_job", failed) < 4; {
			select {
			case <-tick:
			case <-deadline:
				t.Fatal("the mails weren't tried")
			}
		}
		stop()
		var shown bytes.Buffer
		for _, query := range []string{
			"SELECT CAST(args AS text) || ' ' || CAST(errors AS text) FROM river_job WHERE errors IS NOT NULL",
			"SELECT key || ' ' || kind || ' ' || COALESCE(data, '') || ' ' || template || ' ' || reason FROM notifications_mails",
			"SELECT key || ' ' || data FROM notifications",
		} {
			lines, err := database.All(db.Read(t.Context()).Raw(query), database.Scalar[string])
			if err != nil || len(lines) == 0 {
				t.Fatalf("%s: %d lines, %v", query, len(lines), err)
			}
			shown.WriteString(strings.Join(lines, "\n"))
		}
		sealed, err := database.All(db.Read(t.Context()).Raw("SELECT sealed FROM notifications_mails WHERE sealed IS NOT NULL"), database.Scalar[[]byte])
		if err != nil || len(sealed) != 3 {
			t.Fatalf("%d sealed mails, %v", len(sealed), err)
		}
		shown.Write(bytes.Join(sealed, []byte("\n")))
		shown.WriteString(logged())
		if text := strings.ToLower(shown.String()); strings.Contains(text, "canary") {
			t.Errorf("somebody is given away:\n%s", text)
		}
	})
}

// runJob works the job of a kind once, without arguments.
func runJob(t *testing.T, kinds []module.Job, name string) error {
	t.Helper()
	for _, kind := range kinds {
		if kind.Kind == name {
			return kind.Run(t.Context(), []byte("{}"))
		}
	}
	return fmt.Errorf("there is no job %s", name)
}

// The daily report has a section for every module that has something to say, in their order.
func TestTheDailyReportAsksEveryModule(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		with, client, _ := deps(t, db)
		var out bytes.Buffer
		with.Output = &out
		m, err := notificationsmod.New(with)
		if err != nil {
			t.Fatal(err)
		}
		described := m.Describe()
		if err := client.Register(described.Jobs); err != nil {
			t.Fatal(err)
		}
		if err := runJob(t, described.Jobs, "notifications.generate_daily_report"); err != nil {
			t.Fatalf("before it knows of modules: %v", err)
		}
		with.Clock.(*clock.Manual).Advance(24 * time.Hour)
		m.Describe().Meet(func() []module.Descriptor {
			return []module.Descriptor{{Name: "users", Reporter: reporter{}}, {Name: "silent"}, {Name: "projects", Reporter: reporter{}}}
		})
		for range 2 {
			if err := runJob(t, described.Jobs, "notifications.generate_daily_report"); err != nil {
				t.Fatal(err)
			}
		}
		ids, err := database.All(db.Read(t.Context()).Raw("SELECT id FROM notifications_mails ORDER BY created_at"), database.Scalar[string])
		if err != nil || len(ids) != 2 {
			t.Fatalf("%d mails, %v", len(ids), err)
		}
		out.Reset()
		for _, kind := range described.Jobs {
			if kind.Kind == "notifications.send_mail" {
				if err := kind.Run(t.Context(), fmt.Appendf(nil, `{"mail_id": %q}`, ids[1])); err != nil {
					t.Fatal(err)
				}
			}
		}
		text := out.String()
		first, second := strings.Index(text, "Users"), strings.Index(text, "Projects")
		if first < 0 || second < first || strings.Contains(text, "Silent") || !strings.Contains(text, "24h0m0s") || !strings.Contains(text, "root-canary@example.com") {
			t.Errorf("the report is\n%s", text)
		}
	})
}
