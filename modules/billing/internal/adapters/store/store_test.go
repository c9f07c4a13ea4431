package store_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/billing/internal/adapters/store"
	"github.com/omnistack/omnistack/modules/billing/internal/app"
	"github.com/omnistack/omnistack/modules/billing/internal/domain"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/database/storetest"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/page"
	"github.com/omnistack/omnistack/platform/testkit"
)

// The conformance suite of app.Store. It runs on both engines.

var (
	alice = id.Of("alice")
	bob   = id.Of("bob")
	birth = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	later = birth.Add(time.Hour)
)

// statuses are all that Stripe has, and one that it may have one day.
var statuses = []domain.Status{
	domain.Active, domain.Trialing, domain.PastDue, domain.Incomplete, domain.Canceled, domain.IncompleteExpired,
	"unpaid", "paused", "something new",
}

// eachStore runs the test on an empty store of both engines.
func eachStore(t *testing.T, test func(t *testing.T, s suite)) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) { test(t, suite{db, store.New(db)}) })
}

// suite is a store under test. Its methods fail the test instead of returning an error.
type suite struct {
	db *database.DB
	*store.Store
}

func (s suite) commit(t testing.TB, fn func(ctx context.Context) error) {
	t.Helper()
	storetest.Commit(t, s.db, fn)
}

// refused runs fn in a transaction, which has to fail with an error of the kind.
func (s suite) refused(t testing.TB, what string, kind errs.Kind, fn func(ctx context.Context) error) {
	t.Helper()
	if err := s.db.WithinTx(t.Context(), fn); !errs.Is(err, kind) {
		t.Errorf("%s: got %v, want %s", what, err, kind.Code())
	}
}

// add stores the accounts.
func (s suite) add(t testing.TB, accounts ...domain.Account) {
	t.Helper()
	s.commit(t, func(ctx context.Context) error {
		for _, account := range accounts {
			if err := s.AddAccount(ctx, account); err != nil {
				return err
			}
		}
		return nil
	})
}

// save stores the invoices.
func (s suite) save(t testing.TB, user id.Scope, invoices ...domain.Invoice) {
	t.Helper()
	s.commit(t, func(ctx context.Context) error { return s.SaveInvoices(ctx, user, invoices) })
}

// post stores the webhooks, which have to be new.
func (s suite) post(t testing.TB, webhooks ...app.Webhook) {
	t.Helper()
	s.commit(t, func(ctx context.Context) error {
		for _, webhook := range webhooks {
			if added, err := s.AddWebhook(ctx, webhook); err != nil || !added {
				return fmt.Errorf("%s: added is %t, %w", webhook.ID, added, err)
			}
		}
		return nil
	})
}

// has fails the test unless the account is found as it is here, by its user and by its customer, and as null what is empty.
func (s suite) has(t testing.TB, want domain.Account) {
	t.Helper()
	if found, err := s.FindAccount(t.Context(), want.User); err != nil || !reflect.DeepEqual(found, want) {
		t.Fatalf("found %s, %v\nwant  %s", said(found), err, said(want))
	}
	s.commit(t, func(ctx context.Context) error {
		locked, err := s.LockAccount(ctx, want.User)
		if !reflect.DeepEqual(locked, want) {
			t.Errorf("locked %s\nwant   %s", said(locked), said(want))
		}
		return err
	})
	if want.CustomerID != "" {
		if found, err := s.FindCustomer(t.Context(), want.CustomerID); err != nil || !reflect.DeepEqual(found, want) {
			t.Fatalf("found %s by customer, %v\nwant  %s", said(found), err, said(want))
		}
	}
}

// said writes an account with its subscription, not where that is.
func said(account domain.Account) string {
	subscription := account.Subscription
	account.Subscription = nil
	return fmt.Sprintf("%+v with %+v", account, subscription)
}

func account(user id.Scope, customerID string) domain.Account {
	account := domain.NewAccount(user, birth)
	account.CustomerID = customerID
	return account
}

// subscribed is the account of a user with a subscription of that status, at 900 a month.
func subscribed(user id.Scope, status domain.Status) domain.Account {
	account := account(user, "cus_"+user.User)
	account.Plan, account.Interval = "pro", domain.Monthly
	account.Subscription = &domain.Subscription{
		ID: "sub_" + user.User, Status: status, PriceID: "price_pro", Amount: 900, Currency: "eur",
		PeriodStart: birth, PeriodEnd: later, CreatedAt: birth,
	}
	return account
}

func invoice(invoiceID string, at time.Time) domain.Invoice {
	return domain.Invoice{ID: invoiceID, Status: domain.Paid, Due: 900, Paid: 900, Currency: "eur", Number: "N-" + invoiceID, CreatedAt: at}
}

func webhook(webhookID string, at time.Time) app.Webhook {
	return app.Webhook{Post: app.Post{ID: webhookID, Type: "invoice.paid", CustomerID: "cus_alice"}, ReceivedAt: at}
}

// maybeText returns no text, or one.
func maybeText(r *rand.Rand, longest int) string {
	if r.IntN(3) == 0 {
		return ""
	}
	return storetest.Text(r, longest)
}

// maybeTime returns no time, or one.
func maybeTime(r *rand.Rand) time.Time {
	if r.IntN(3) == 0 {
		return time.Time{}
	}
	return storetest.Time(r)
}

func randomAccount(r *rand.Rand, user id.Scope) domain.Account {
	account := domain.Account{
		User: user, Customers: r.Int64N(1 << 40), Plan: storetest.Text(r, 20), Interval: domain.Interval(maybeText(r, 10)),
		Extra: r.Int64N(1 << 40), DueSince: maybeTime(r), HadTrial: r.IntN(2) == 0, TrialTold: maybeTime(r),
		Asked: r.Int64N(1 << 40), Applied: r.Int64N(1 << 40), Version: 1 + r.Int64N(1<<40),
		CreatedAt: storetest.Time(r), UpdatedAt: storetest.Time(r),
	}
	if r.IntN(3) > 0 {
		account.CustomerID = "cus_" + id.New() + storetest.Text(r, 20)
	}
	if r.IntN(3) > 0 {
		account.Subscription = &domain.Subscription{
			ID: storetest.Text(r, 40), Status: statuses[r.IntN(len(statuses))], PriceID: storetest.Text(r, 40),
			Amount: r.Int64() - r.Int64(), Currency: storetest.Text(r, 3), PeriodStart: maybeTime(r), PeriodEnd: maybeTime(r),
			CancelAtPeriodEnd: r.IntN(2) == 0, TrialEnd: maybeTime(r), CreatedAt: maybeTime(r),
		}
	}
	return account
}

func randomInvoice(r *rand.Rand, invoiceID string) domain.Invoice {
	return domain.Invoice{
		ID: invoiceID, SubscriptionID: maybeText(r, 40), Number: maybeText(r, 40), Status: domain.InvoiceStatus(storetest.Text(r, 20)),
		Due: r.Int64() - r.Int64(), Paid: r.Int64(), Refunded: r.Int64(), Currency: storetest.Text(r, 3), Attempts: r.Int64(),
		NextAttemptAt: maybeTime(r), URL: maybeText(r, 500), CreatedAt: storetest.Time(r), Told: r.Int64(),
	}
}

func TestAccountsComeBackAsTheyWere(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		r := storetest.Random(t)
		for range 100 {
			added := randomAccount(r, id.Of(storetest.Text(r, 40)+id.New()))
			s.add(t, added)
			s.has(t, added)
			for range 3 { // with and without a subscription, a customer, and every time
				changed := randomAccount(r, added.User)
				s.commit(t, func(ctx context.Context) error { return s.SaveAccount(ctx, changed) })
				s.has(t, changed)
			}
		}
	})
}

// What is empty is null, so that a column says whether there is something; and an account that loses its subscription keeps
// nothing of it.
func TestWhatIsEmptyIsNull(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		columns := []string{
			"customer_id", "subscription_id", "status", "price_id", "amount", "currency", "period_start", "period_end",
			"cancel_at_period_end", "trial_end", "subscription_created_at", "interval", "due_since", "trial_told",
		}
		nulls := func(want string) {
			t.Helper()
			for _, column := range columns {
				if testkit.Rows(t, s.db, "billing_accounts", column+" IS "+want) != 1 {
					t.Errorf("%s isn't %s", column, want)
				}
			}
		}
		s.add(t, account(alice, ""))
		nulls("NULL")

		full := subscribed(alice, domain.Active)
		full.DueSince, full.TrialTold, full.Subscription.TrialEnd = birth, birth, birth
		s.commit(t, func(ctx context.Context) error { return s.SaveAccount(ctx, full) })
		nulls("NOT NULL")

		s.commit(t, func(ctx context.Context) error { return s.SaveAccount(ctx, account(alice, "")) })
		nulls("NULL")
		s.has(t, account(alice, ""))

		draft := domain.Invoice{ID: "in_1", Status: domain.Draft, Currency: "eur", CreatedAt: birth}
		s.save(t, alice, draft)
		for _, column := range []string{"subscription_id", "number", "next_attempt_at", "url"} {
			if testkit.Rows(t, s.db, "billing_invoices", column+" IS NULL") != 1 {
				t.Errorf("%s of an invoice isn't null", column)
			}
		}
		s.post(t, app.Webhook{Post: app.Post{ID: "evt_1", Type: "balance.available"}, ReceivedAt: birth})
		if testkit.Rows(t, s.db, "billing_webhooks", "customer_id IS NULL AND processed_at IS NULL") != 1 {
			t.Error("the customer or the time of a webhook isn't null")
		}
	})
}

// Times come back in UTC wherever they were told, and are sorted as they were.
func TestTimesAreInUTC(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		east := time.FixedZone("east", 9*3600)
		elsewhere, want := subscribed(alice, domain.Trialing), subscribed(alice, domain.Trialing)
		want.DueSince, want.TrialTold, want.Subscription.TrialEnd = birth, later, later
		elsewhere.DueSince, elsewhere.TrialTold, elsewhere.Subscription.TrialEnd = birth.In(east), later.In(east), later.In(east)
		elsewhere.Subscription.PeriodStart, elsewhere.Subscription.PeriodEnd = birth.In(east), later.In(east)
		elsewhere.CreatedAt, elsewhere.UpdatedAt, elsewhere.Subscription.CreatedAt = birth.In(east), birth.In(east), birth.In(east)
		s.add(t, elsewhere)
		s.has(t, want)

		s.save(t, alice, invoice("older", birth.In(east)), invoice("newer", later))
		items, _, err := s.ListInvoices(t.Context(), alice, page.Window{Limit: 10})
		if err != nil || !reflect.DeepEqual(items, []domain.Invoice{invoice("newer", later), invoice("older", birth)}) {
			t.Errorf("listed %+v, %v", items, err)
		}
		s.post(t, webhook("older", birth.In(east)), webhook("newer", later))
		closed := webhook("older", birth)
		closed.ProcessedAt = later.In(east)
		s.commit(t, func(ctx context.Context) error { return s.SaveWebhook(ctx, closed) })
		closed.ProcessedAt = later
		posted, _, err := s.ListWebhooks(t.Context(), page.Window{Limit: 10})
		if err != nil || !reflect.DeepEqual(posted, []app.Webhook{webhook("newer", later), closed}) {
			t.Errorf("listed %+v, %v", posted, err)
		}
	})
}

func TestTheStoreIsTransactional(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		there := func(err error) bool {
			if err != nil && !errs.Is(err, errs.NotFound) {
				t.Error(err)
			}
			return err == nil
		}
		storetest.Transactional(t, s.db,
			func(ctx context.Context, name string) error {
				return s.AddAccount(ctx, account(id.Of(name), "cus_"+name))
			},
			func(ctx context.Context, name string) bool {
				_, err := s.FindAccount(ctx, id.Of(name))
				return there(err)
			})
		storetest.Transactional(t, s.db,
			func(ctx context.Context, name string) error {
				return s.SaveInvoices(ctx, alice, []domain.Invoice{invoice(name, birth)})
			},
			func(ctx context.Context, name string) bool {
				found, err := s.FindInvoices(ctx, alice, []string{name})
				return there(err) && len(found) == 1
			})
		storetest.Transactional(t, s.db,
			func(ctx context.Context, name string) error {
				_, err := s.AddWebhook(ctx, webhook(name, birth))
				return err
			},
			func(ctx context.Context, name string) bool { _, err := s.FindWebhook(ctx, name); return there(err) })

		for name, write := range map[string]func(ctx context.Context) error{
			"lock":  func(ctx context.Context) error { _, err := s.LockAccount(ctx, id.Of("committed")); return err },
			"save":  func(ctx context.Context) error { return s.SaveAccount(ctx, account(id.Of("committed"), "")) },
			"erase": func(ctx context.Context) error { _, err := s.Erase(ctx, id.Of("committed")); return err },
			"note":  func(ctx context.Context) error { return s.SaveWebhook(ctx, webhook("committed", later)) },
			"purge": func(ctx context.Context) error { _, err := s.PurgeWebhooks(ctx, later, 1); return err },
		} {
			if err := write(t.Context()); !errors.Is(err, database.ErrNoTransaction) {
				t.Errorf("%s outside of a transaction: got %v, want ErrNoTransaction", name, err)
			}
		}
	})
}

func TestReadsInATransactionSeeItsWrites(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.commit(t, func(ctx context.Context) error {
			_, err := s.AddWebhook(ctx, webhook("evt_1", birth))
			if err := errors.Join(err, s.AddAccount(ctx, subscribed(alice, domain.Active)),
				s.SaveInvoices(ctx, alice, []domain.Invoice{invoice("in_1", birth)})); err != nil {
				return err
			}
			if _, err := s.FindCustomer(ctx, "cus_alice"); err != nil {
				t.Errorf("customer: %v", err)
			}
			if live, err := s.LiveAccounts(ctx, "", 10); err != nil || len(live) != 1 {
				t.Errorf("live: %v, %v", live, err)
			}
			if _, total, err := s.ListInvoices(ctx, alice, page.Window{Limit: 10}); err != nil || total != 1 {
				t.Errorf("invoices: %d, %v", total, err)
			}
			if _, total, err := s.ListWebhooks(ctx, page.Window{Limit: 10}); err != nil || total != 1 {
				t.Errorf("webhooks: %d, %v", total, err)
			}
			if tally, err := s.Tally(ctx, later); err != nil || tally.Active != 1 || tally.Waiting != 1 || len(tally.Prices) != 1 {
				t.Errorf("tally: %+v, %v", tally, err)
			}
			return nil
		})
	})
}

func TestAUserHasOneAccount(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		first := subscribed(alice, domain.Active)
		s.add(t, first, account(alice, "cus_2"), account(alice, "cus_alice"), account(alice, ""))
		s.has(t, first)
		if _, err := s.FindCustomer(t.Context(), "cus_2"); !errs.Is(err, errs.NotFound) {
			t.Errorf("got %v, want the customer of the second account not found", err)
		}

		storetest.Concurrent(t, 5, func(int) error {
			return s.db.WithinTx(t.Context(), func(ctx context.Context) error {
				if err := s.AddAccount(ctx, account(bob, "")); err != nil {
					return err
				}
				_, err := s.LockAccount(ctx, bob) // that of another writer, too
				return err
			})
		})
		if got := testkit.Rows(t, s.db, "billing_accounts", ""); got != 2 {
			t.Errorf("there are %d accounts, want 2", got)
		}
	})
}

func TestACustomerIsOfOneAccount(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.add(t, account(alice, "cus_1"), account(bob, ""), account(id.Of("carol"), "")) // any number have none
		s.refused(t, "save", errs.Conflict, func(ctx context.Context) error { return s.SaveAccount(ctx, account(bob, "cus_1")) })
		s.refused(t, "add", errs.Conflict, func(ctx context.Context) error { return s.AddAccount(ctx, account(id.Of("dave"), "cus_1")) })
		s.has(t, account(alice, "cus_1"))
		s.has(t, account(bob, ""))
		if _, err := s.FindAccount(t.Context(), id.Of("dave")); !errs.Is(err, errs.NotFound) {
			t.Errorf("got %v, want the refused account not found", err)
		}

		s.commit(t, func(ctx context.Context) error { // one that is free can be had
			return errors.Join(s.SaveAccount(ctx, account(alice, "")), s.SaveAccount(ctx, account(bob, "cus_1")))
		})
		s.has(t, account(bob, "cus_1"))
	})
}

func TestWhoHasNoAccountIsNotFound(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.add(t, account(alice, "cus_alice"), account(bob, ""))
		for _, nobody := range []string{"", "ALICE", "alice ", "%", "' OR '1'='1", "cus_alice"} {
			if found, err := s.FindAccount(t.Context(), id.Of(nobody)); !errs.Is(err, errs.NotFound) {
				t.Errorf("find %q: %s, %v", nobody, said(found), err)
			}
			s.refused(t, "lock "+nobody, errs.NotFound, func(ctx context.Context) error { _, err := s.LockAccount(ctx, id.Of(nobody)); return err })
			s.refused(t, "save "+nobody, errs.NotFound, func(ctx context.Context) error { return s.SaveAccount(ctx, account(id.Of(nobody), "")) })
		}
		for _, nobody := range []string{"", "CUS_ALICE", "cus_alice ", "%", "alice"} { // an account without customer isn't that of ""
			if found, err := s.FindCustomer(t.Context(), nobody); !errs.Is(err, errs.NotFound) {
				t.Errorf("customer %q: %s, %v", nobody, said(found), err)
			}
		}
		s.has(t, account(alice, "cus_alice"))
	})
}

// A change of one account leaves every other as it was.
func TestSavingIsOfOneAccount(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.add(t, subscribed(alice, domain.Active), subscribed(bob, domain.Trialing))
		s.commit(t, func(ctx context.Context) error { return s.SaveAccount(ctx, account(alice, "")) })
		s.has(t, account(alice, ""))
		s.has(t, subscribed(bob, domain.Trialing))
	})
}

// Sixteen writers that lock first all succeed, one after the other.
func TestLockedWritersLoseNothing(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.add(t, account(alice, ""), account(bob, ""))
		const rounds = 10
		var inside atomic.Int64
		storetest.Concurrent(t, rounds, func(int) error {
			return s.db.WithinTx(t.Context(), func(ctx context.Context) error {
				account, err := s.LockAccount(ctx, alice)
				if err != nil {
					return err
				}
				if now := inside.Add(1); now != 1 {
					t.Errorf("%d writers hold the account", now)
				}
				defer inside.Add(-1)
				account.Ask()
				account.Version++
				return s.SaveAccount(ctx, account)
			})
		})
		if found, err := s.FindAccount(t.Context(), alice); err != nil || found.Asked != 16*rounds || found.Version != 1+16*rounds {
			t.Errorf("%s after %d changes, %v", said(found), 16*rounds, err)
		}
		s.has(t, account(bob, ""))
	})
}

// Which accounts are live is domain.Status.Over, for every status.
func TestLiveAccountsAreThoseWhoseSubscriptionIsNotOver(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.add(t, account(id.Of("without one"), "cus_without"))
		var want []id.Scope
		for _, status := range statuses {
			user := id.Of("with one " + string(status))
			s.add(t, subscribed(user, status))
			if !status.Over() {
				want = append(want, user)
			}
		}
		slices.SortFunc(want, func(a, b id.Scope) int { return strings.Compare(a.User, b.User) })
		if got, err := s.LiveAccounts(t.Context(), "", 100); err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v, %v\nwant %v", got, err, want)
		}
	})
}

// Whoever walks through the live accounts meets each once, in the order of the ids' bytes on both engines.
func TestLiveAccountsComeInBatches(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		r := storetest.Random(t)
		var want []string
		for i := range 60 {
			user := id.Of(storetest.Text(r, 8) + fmt.Sprint(i))
			s.add(t, subscribed(user, domain.Active))
			want = append(want, user.User)
		}
		s.add(t, subscribed(id.Of("over"), domain.Canceled))
		slices.Sort(want)
		var got []string
		for last := ""; ; {
			batch, err := s.LiveAccounts(t.Context(), last, 7)
			if err != nil || len(batch) > 7 {
				t.Fatalf("%d in a batch, %v", len(batch), err)
			}
			for _, user := range batch {
				got = append(got, user.User)
			}
			if len(batch) < 7 {
				break
			}
			last = batch[6].User
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q\nwant %q", got, want)
		}
	})
}

// Among many accounts whose subscription is over both engines find the live ones by their index, however its condition is
// written.
func TestLiveAccountsHaveAnIndex(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		var all []domain.Account
		for i := range 500 {
			all = append(all, subscribed(id.Of(fmt.Sprint("over ", i)), domain.Canceled))
		}
		s.add(t, append(all, subscribed(alice, domain.Active), subscribed(bob, domain.PastDue))...)
		if _, err := s.db.SQL().Exec("ANALYZE"); err != nil {
			t.Fatal(err)
		}
		explain, plan := "EXPLAIN QUERY PLAN ", func(row database.Row) (line string, err error) {
			var number int
			err = row.Scan(&number, &number, &number, &line)
			return line, err
		}
		if s.db.Engine() == database.Postgres {
			explain, plan = "EXPLAIN ", database.Scalar[string]
		}
		lines, err := database.All(s.db.Read(t.Context()).Raw(explain+store.LiveStatement, "", 500), plan)
		if text := strings.Join(lines, "\n"); err != nil || !strings.Contains(text, "billing_accounts_live") {
			t.Errorf("live accounts aren't read by their index: %v\n%s", err, text)
		}
	})
}

func TestInvoicesComeBackAsTheyWere(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		r := storetest.Random(t)
		for range 50 {
			user := id.Of(storetest.Text(r, 40) + id.New())
			first, second := randomInvoice(r, "in_"+id.New()), randomInvoice(r, storetest.Text(r, 40)+id.New())
			s.save(t, user, first, second)
			expect := func(want ...domain.Invoice) {
				t.Helper()
				found, err := s.FindInvoices(t.Context(), user, []string{first.ID, "in_nothing", second.ID})
				if err != nil || len(found) != len(want) {
					t.Fatalf("found %+v, %v", found, err)
				}
				listed, total, err := s.ListInvoices(t.Context(), user, page.Window{Limit: 10})
				if err != nil || total != int64(len(want)) {
					t.Fatalf("listed %+v of %d, %v", listed, total, err)
				}
				for _, invoice := range want {
					if found[invoice.ID] != invoice || !slices.Contains(listed, invoice) {
						t.Fatalf("want   %+v\nfound  %+v\nlisted %+v", invoice, found[invoice.ID], listed)
					}
				}
			}
			expect(first, second)
			first = randomInvoice(r, first.ID) // is known, and changes in everything
			s.save(t, user, first)
			expect(first, second)
			first, second = randomInvoice(r, first.ID), randomInvoice(r, second.ID)
			s.save(t, user, second, first)
			expect(first, second)
		}
	})
}

func TestInvoicesAreSavedAnyNumberOfTimes(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.save(t, alice)
		if found, err := s.FindInvoices(t.Context(), alice, nil); err != nil || len(found) != 0 {
			t.Errorf("without ids: %v, %v", found, err)
		}
		changed := invoice("in_1", birth)
		changed.Refunded = 100
		s.save(t, alice, invoice("in_1", birth), changed) // the last one counts
		s.save(t, alice, changed)
		if found, err := s.FindInvoices(t.Context(), alice, []string{"in_1"}); err != nil || found["in_1"] != changed {
			t.Errorf("found %+v, %v", found, err)
		}
		if got := testkit.Rows(t, s.db, "billing_invoices", ""); got != 1 {
			t.Errorf("there are %d rows, want 1", got)
		}

		storetest.Concurrent(t, 5, func(int) error {
			return s.db.WithinTx(t.Context(), func(ctx context.Context) error {
				return s.SaveInvoices(ctx, alice, []domain.Invoice{invoice("in_2", birth), invoice("in_3", birth)})
			})
		})
		if got := testkit.Rows(t, s.db, "billing_invoices", ""); got != 3 {
			t.Errorf("there are %d rows, want 3", got)
		}
	})
}

// Every method sees the rows of its user only, whatever it is asked for.
func TestNobodySeesAnothersInvoices(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		hers, his := invoice("hers", birth), invoice("his", birth)
		s.save(t, alice, hers)
		s.save(t, bob, his)
		stolen := invoice("hers", later)
		stolen.Due = 1
		s.refused(t, "taking over", errs.Conflict, func(ctx context.Context) error {
			return s.SaveInvoices(ctx, bob, []domain.Invoice{invoice("new", birth), stolen})
		})
		for _, nosy := range []id.Scope{bob, id.Of(""), id.Of("ALICE"), id.Of("%"), id.Of("' OR '1'='1")} {
			if found, err := s.FindInvoices(t.Context(), nosy, []string{"hers"}); err != nil || len(found) != 0 {
				t.Errorf("%q finds %v, %v", nosy.User, found, err)
			}
			items, total, err := s.ListInvoices(t.Context(), nosy, page.Window{Limit: 10, After: new(page.At(later, "z"))})
			if err != nil || slices.Contains(items, hers) || nosy != bob && total != 0 {
				t.Errorf("%q lists %v of %d, %v", nosy.User, items, total, err)
			}
		}
		if items, total, err := s.ListInvoices(t.Context(), bob, page.Window{Limit: 10}); err != nil || !slices.Equal(items, []domain.Invoice{his}) || total != 1 {
			t.Errorf("bob lists %v of %d, %v", items, total, err) // "new" went with what was refused
		}
		if found, err := s.FindInvoices(t.Context(), alice, []string{"hers", "his"}); err != nil || !reflect.DeepEqual(found, map[string]domain.Invoice{"hers": hers}) {
			t.Errorf("alice finds %v, %v", found, err)
		}
	})
}

func TestDraftsAreKeptAndNotListed(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		draft := invoice("draft", later)
		draft.Status = domain.Draft
		void := invoice("void", birth)
		void.Status = "void"
		s.save(t, alice, draft, void)
		if items, total, err := s.ListInvoices(t.Context(), alice, page.Window{Limit: 10}); err != nil || !slices.Equal(items, []domain.Invoice{void}) || total != 1 {
			t.Errorf("listed %v of %d, %v", items, total, err)
		}
		if found, err := s.FindInvoices(t.Context(), alice, []string{"draft"}); err != nil || found["draft"] != draft {
			t.Errorf("found %v, %v", found, err)
		}
		draft.Status = domain.Open
		s.save(t, alice, draft)
		if items, total, err := s.ListInvoices(t.Context(), alice, page.Window{Limit: 10}); err != nil || !slices.Equal(items, []domain.Invoice{draft, void}) || total != 2 {
			t.Errorf("after it was opened: %v of %d, %v", items, total, err)
		}
	})
}

// pages proves that a list is of these items, in this order, by skip and by cursor, with and without its index.
func pages[T comparable](t *testing.T, s suite, index string, want []T, place func(T) page.Key, read func(page.Window) ([]T, int64, error)) {
	t.Helper()
	check := func(window page.Window, want []T, all int) []T {
		t.Helper()
		got, total, err := read(window)
		if err != nil || !slices.Equal(got, want) || total != int64(all) {
			t.Fatalf("%+v: %d items of %d, %v\ngot  %v\nwant %v", window, len(got), total, err, got, want)
		}
		return got
	}
	walk := func() {
		t.Helper()
		for _, skip := range []int{0, 1, 7, len(want) - 1, len(want), 10_000} {
			from := min(skip, len(want))
			check(page.Window{Skip: skip, Limit: 8}, want[from:min(from+8, len(want))], len(want))
		}
		var after *page.Key
		for from := 0; from < len(want); from += 8 {
			got := check(page.Window{Limit: 8, After: after}, want[from:min(from+8, len(want))], len(want))
			after = new(place(got[len(got)-1]))
		}
		check(page.Window{Limit: 8, After: after}, nil, len(want))
	}
	walk()
	if _, err := s.db.SQL().Exec("DROP INDEX " + index); err != nil { // one in the right order must not hide what the query forgets
		t.Fatal(err)
	}
	walk()
	if _, _, err := read(page.Window{Limit: 8, After: &page.Key{Value: "a name", ID: "x"}}); err == nil {
		t.Error("a place that is no time is taken for one")
	}
}

func TestInvoicesAreListedTheNewestFirst(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		r := storetest.Random(t)
		var all []domain.Invoice
		for range 60 {
			all = append(all, invoice(storetest.Text(r, 3)+id.New(), birth.Add(time.Duration(r.IntN(20))*time.Microsecond)))
		}
		draft := invoice("draft", birth)
		draft.Status = domain.Draft
		s.save(t, alice, append([]domain.Invoice{draft}, all...)...)
		s.save(t, bob, invoice("his", birth))
		slices.SortFunc(all, func(a, b domain.Invoice) int {
			return -cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID, b.ID))
		})
		pages(t, s, "billing_invoices_by_user", all,
			func(invoice domain.Invoice) page.Key { return page.At(invoice.CreatedAt, invoice.ID) },
			func(window page.Window) ([]domain.Invoice, int64, error) {
				return s.ListInvoices(t.Context(), alice, window)
			})
	})
}

func TestWebhooksAreListedTheNewestFirst(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		r := storetest.Random(t)
		var all []app.Webhook
		for range 60 {
			posted := webhook(storetest.Text(r, 3)+id.New(), birth.Add(time.Duration(r.IntN(20))*time.Microsecond))
			posted.CustomerID, posted.ProcessedAt = maybeText(r, 20), maybeTime(r)
			all = append(all, posted)
		}
		s.post(t, all...)
		slices.SortFunc(all, func(a, b app.Webhook) int {
			return -cmp.Or(a.ReceivedAt.Compare(b.ReceivedAt), strings.Compare(a.ID, b.ID))
		})
		pages(t, s, "billing_webhooks_by_age", all,
			func(webhook app.Webhook) page.Key { return page.At(webhook.ReceivedAt, webhook.ID) },
			func(window page.Window) ([]app.Webhook, int64, error) { return s.ListWebhooks(t.Context(), window) })
	})
}

func TestWebhooksComeBackAsTheyWere(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		r := storetest.Random(t)
		for range 100 {
			posted := app.Webhook{
				Post: app.Post{ID: storetest.Text(r, 40) + id.New(), Type: storetest.Text(r, 60), CustomerID: maybeText(r, 40)},
				Seen: r.Int64(), ReceivedAt: storetest.Time(r), ProcessedAt: maybeTime(r),
			}
			s.post(t, posted)
			if found, err := s.FindWebhook(t.Context(), posted.ID); err != nil || found != posted {
				t.Fatalf("added %+v\nfound %+v, %v", posted, found, err)
			}
		}
		if _, err := s.FindWebhook(t.Context(), "evt_nothing"); !errs.Is(err, errs.NotFound) {
			t.Errorf("got %v, want it not found", err)
		}
	})
}

func TestAWebhookIsAddedOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.post(t, webhook("evt_1", birth))
		again := webhook("evt_1", later)
		again.CustomerID, again.Seen = "cus_other", 7
		s.commit(t, func(ctx context.Context) error {
			if added, err := s.AddWebhook(ctx, again); err != nil || added {
				t.Errorf("the second time: added is %t, %v", added, err)
			}
			return nil
		})
		if found, err := s.FindWebhook(t.Context(), "evt_1"); err != nil || found != webhook("evt_1", birth) {
			t.Errorf("found %+v, %v", found, err)
		}

		var added atomic.Int64
		storetest.Concurrent(t, 1, func(int) error {
			return s.db.WithinTx(t.Context(), func(ctx context.Context) error {
				done, err := s.AddWebhook(ctx, webhook("evt_2", birth))
				if done {
					added.Add(1)
				}
				return err
			})
		})
		if added.Load() != 1 {
			t.Errorf("it was added %d times", added.Load())
		}
	})
}

func TestAWebhookIsClosedAndReopened(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		s.post(t, webhook("evt_1", birth), webhook("evt_2", birth))
		want := webhook("evt_1", birth)
		for _, step := range []struct {
			what      string
			seen      int64
			processed time.Time
		}{
			{"closed", 0, later}, {"reopened", 7, time.Time{}}, {"closed once more", 7, later},
		} {
			want.Seen, want.ProcessedAt = step.seen, step.processed
			s.commit(t, func(ctx context.Context) error { return s.SaveWebhook(ctx, want) })
			if found, err := s.FindWebhook(t.Context(), "evt_1"); err != nil || found != want {
				t.Errorf("%s: %+v, %v\nwant %+v", step.what, found, err, want)
			}
		}
		if found, err := s.FindWebhook(t.Context(), "evt_2"); err != nil || found != webhook("evt_2", birth) {
			t.Errorf("the other one: %+v, %v", found, err)
		}
		s.refused(t, "noting nothing", errs.NotFound, func(ctx context.Context) error { return s.SaveWebhook(ctx, webhook("evt_nothing", later)) })
		if got := testkit.Rows(t, s.db, "billing_webhooks", ""); got != 2 {
			t.Errorf("there are %d rows, want 2", got)
		}
	})
}

func TestPurgeRemovesWhatCameLongAgo(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		for i := range 5 {
			posted := webhook(fmt.Sprint("evt_", i), birth.Add(time.Duration(i)*time.Microsecond))
			if i%2 == 0 {
				posted.ProcessedAt = later
			}
			s.post(t, posted)
		}
		purge := func(before time.Time, limit int, want int64, left ...string) {
			t.Helper()
			s.commit(t, func(ctx context.Context) error {
				purged, err := s.PurgeWebhooks(ctx, before, limit)
				if purged != want {
					t.Errorf("%d are purged, want %d", purged, want)
				}
				return err
			})
			items, _, err := s.ListWebhooks(t.Context(), page.Window{Limit: 10})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, item := range items {
				got = append(got, item.ID)
			}
			if !slices.Equal(got, left) {
				t.Errorf("%v are left, want %v", got, left)
			}
		}
		purge(birth, 10, 0, "evt_4", "evt_3", "evt_2", "evt_1", "evt_0")
		purge(birth.Add(4*time.Microsecond), 3, 3, "evt_4", "evt_3") // the oldest
		purge(birth.Add(4*time.Microsecond), 3, 1, "evt_4")          // not what came at the time itself
		purge(later, 3, 1)
		purge(later, 3, 0)
	})
}

func TestEraseRemovesAllOfOneUser(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		draft := invoice("draft", birth)
		draft.Status = domain.Draft
		s.add(t, subscribed(alice, domain.Active), subscribed(bob, domain.Active))
		s.save(t, alice, draft, invoice("hers", birth))
		s.save(t, bob, invoice("his", birth))
		for range 2 { // doing it twice is the same as doing it once
			s.commit(t, func(ctx context.Context) error { _, err := s.Erase(ctx, alice); return err })
			for _, table := range []string{"billing_accounts", "billing_invoices"} {
				if got := testkit.Rows(t, s.db, table, "user_id = ?", "alice"); got != 0 {
					t.Errorf("%d rows of alice's are left in %s", got, table)
				}
				if got := testkit.Rows(t, s.db, table, "user_id = ?", "bob"); got != 1 {
					t.Errorf("bob has %d rows in %s, want 1", got, table)
				}
			}
		}
		if _, err := s.FindCustomer(t.Context(), "cus_alice"); !errs.Is(err, errs.NotFound) {
			t.Errorf("got %v, want her customer not found", err)
		}
		s.refused(t, "saving what was erased", errs.NotFound, func(ctx context.Context) error { return s.SaveAccount(ctx, subscribed(alice, domain.Active)) })
		s.add(t, account(alice, "cus_alice")) // who comes again begins anew
		s.has(t, account(alice, "cus_alice"))
	})
}

func TestTally(t *testing.T) {
	eachStore(t, func(t *testing.T, s suite) {
		if got, err := s.Tally(t.Context(), later); err != nil || !reflect.DeepEqual(got, app.Tally{}) {
			t.Errorf("of nothing: %+v, %v", got, err)
		}

		number := 0
		add := func(status domain.Status, priceID, currency string, amount, extra int64, cancels bool) {
			t.Helper()
			number++
			account := subscribed(id.Of(fmt.Sprint("user ", number)), status)
			account.Extra, account.Subscription.CancelAtPeriodEnd = extra, cancels
			if status.Over() {
				account.Subscription.EndedAt = later
			}
			account.Subscription.PriceID, account.Subscription.Currency, account.Subscription.Amount = priceID, currency, amount
			s.add(t, account)
		}
		const huge = 1 << 61 // of which three make more than 32 bits and floats can hold exactly
		add(domain.Active, "price_b", "eur", 900, 0, false)
		add(domain.Active, "price_b", "eur", 450, 2, true) // one that cancels is active until it ends
		add(domain.Active, "price_b", "usd", 1000, 0, false)
		add(domain.Active, "price_a", "eur", huge+1, 0, false)
		add(domain.Active, "price_a", "eur", huge+1, 0, false)
		add(domain.Active, "price_a", "eur", huge+1, 0, false)
		add(domain.Trialing, "price_a", "eur", 5, 1, false)
		add(domain.PastDue, "price_a", "eur", 7, 0, false)
		add(domain.PastDue, "price_c", "eur", 7, 0, false)
		add(domain.Canceled, "price_a", "eur", 11, 4, false)
		add("unpaid", "price_a", "eur", 13, 0, false)
		s.add(t, account(alice, "cus_alice"))
		past := subscribed(bob, domain.Canceled)
		past.Subscription.EndedAt = later.Add(-time.Microsecond)
		s.add(t, past)
		processed := webhook("evt_1", birth)
		processed.ProcessedAt = later
		s.post(t, processed, webhook("evt_2", birth), webhook("evt_3", birth))

		want := app.Tally{Active: 6, Trial: 1, PastDue: 2, Ended: 1, Extra: 7, Waiting: 2, Prices: []app.Sold{
			{PriceID: "price_a", Currency: "eur", Amount: 3*huge + 3, Count: 3},
			{PriceID: "price_b", Currency: "eur", Amount: 1350, Count: 2},
			{PriceID: "price_b", Currency: "usd", Amount: 1000, Count: 1},
		}}
		if got, err := s.Tally(t.Context(), later); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
		}
	})
}

// The store works behind a transaction pooler, where the driver writes the values into the SQL.
func TestTheStoreWorksBehindAPooler(t *testing.T) {
	t.Parallel()
	opts := testkit.DatabaseOptions(t, database.Postgres)
	opts.Pooled = true
	db := testkit.OpenDatabase(t, opts)
	s := suite{db, store.New(db)}
	r := storetest.Random(t)
	for range 20 {
		added := randomAccount(r, id.Of(storetest.Text(r, 20)+id.New()))
		s.add(t, added)
		s.has(t, added)
		changed := randomAccount(r, added.User)
		s.commit(t, func(ctx context.Context) error { return s.SaveAccount(ctx, changed) })
		s.has(t, changed)

		saved := randomInvoice(r, "in_"+id.New())
		s.save(t, added.User, saved)
		if found, err := s.FindInvoices(t.Context(), added.User, []string{saved.ID, "in_nothing"}); err != nil || found[saved.ID] != saved {
			t.Fatalf("saved %+v\nfound %+v, %v", saved, found, err)
		}
		window := page.Window{Limit: 5, After: new(page.At(saved.CreatedAt, saved.ID))}
		if _, total, err := s.ListInvoices(t.Context(), added.User, window); err != nil || total != 1 {
			t.Fatalf("%d invoices, %v", total, err)
		}
		if _, err := s.Tally(t.Context(), later); err != nil {
			t.Fatal(err)
		}
		if _, err := s.LiveAccounts(t.Context(), storetest.Text(r, 5), 5); err != nil {
			t.Fatal(err)
		}
		posted := webhook(storetest.Text(r, 5)+id.New(), birth)
		s.post(t, posted)
		s.commit(t, func(ctx context.Context) error {
			_, err := s.PurgeWebhooks(ctx, birth, 5)
			_, failed := s.Erase(ctx, added.User)
			return errors.Join(err, failed, s.SaveWebhook(ctx, posted))
		})
	}
	if got := testkit.Rows(t, db, "billing_accounts", ""); got != 0 {
		t.Errorf("%d accounts are left", got)
	}
}
