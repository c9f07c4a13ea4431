package idempotency_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/idempotency"
	"github.com/omnistack/omnistack/platform/testkit"
)

// bank is a service outside that takes money once for a key, and says of how much that is.
type bank struct {
	url   string
	asked chan string // the key of each request, once the money is taken

	mu     sync.Mutex
	taken  map[string]int                               // how often, by key
	answer func(w http.ResponseWriter, r *http.Request) // what it does when the money is taken
	refuse bool                                         // it takes nothing
}

func openBank(t *testing.T) *bank {
	b := &bank{asked: make(chan string, 100), taken: map[string]int{}}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

// ServeHTTP takes money.
func (b *bank) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Idempotency-Key")
	b.mu.Lock()
	answer := b.answer
	switch {
	case b.refuse:
		answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusPaymentRequired) }
	case b.taken[key] == 0:
		b.taken[key]++
	}
	b.mu.Unlock()
	b.asked <- key
	if answer != nil {
		answer(w, r)
	}
}

// then says what the bank does from now on.
func (b *bank) then(refuse bool, answer func(w http.ResponseWriter, r *http.Request)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refuse, b.answer = refuse, answer
}

// wantOne fails the test unless money was taken once, under this key.
func (b *bank) wantOne(t *testing.T, key string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if taken := slices.Collect(maps.Keys(b.taken)); !slices.Equal(taken, []string{key}) || b.taken[key] != 1 || !id.Valid(key) {
		t.Errorf("money is taken %v, want once under %q", b.taken, key)
	}
}

// hangUp drops the connection without an answer.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

type everybody struct{}

func (everybody) Authenticate(context.Context, []string) (auth.Principal, error) {
	return auth.Principal{UserID: "ann", Role: auth.RoleUser}, nil
}

// shop sells things that the bank is asked to take the money for.
type shop struct {
	*testkit.API
	url  string
	fail func() error // of the transaction; nil is none
}

// sell is a call to the shop.
const sell = "/sales"

// timeout is how long a call to a shop may take. The lease is ten seconds longer.
const timeout = 10 * time.Second

// open opens a shop. Shops in one database are processes that know nothing of each other.
func open(t *testing.T, db *database.DB, now clock.Clock, bankURL string) *shop {
	t.Helper()
	log, _ := testkit.Logger(t)
	server := httpserver.New(httpserver.Options{
		HTTP: config.HTTP{BodyLimit: 1 << 20, RequestTimeout: timeout}, Auth: everybody{}, Tx: db, Idempotency: idempotency.New(db, now, ttl),
	}, log)
	s := &shop{fail: func() error { return nil }}
	httpserver.Mutation(server.Router("shop"), httpserver.Route{
		Method: http.MethodPost, Path: sell, Guard: httpserver.User, Outside: true, Status: http.StatusCreated,
	}, func(ctx context.Context, _ *struct{}) (httpserver.Commit[httpserver.Object[string]], error) {
		key := httpserver.IdempotencyKey(ctx)
		if err := pay(ctx, bankURL, key); err != nil {
			return nil, err
		}
		return func(ctx context.Context) (*httpserver.Object[string], error) {
			err := db.Tx(ctx).Exec("INSERT INTO projects (id, owner_id, name, name_folded, version, created_at, updated_at) VALUES (?, 'ann', ?, ?, 1, ?, ?)",
				id.New(), key, key, now.Now(), now.Now()).Error
			return &httpserver.Object[string]{Body: key}, errors.Join(err, s.fail())
		}, nil
	})
	listening := httptest.NewServer(server.Handler())
	t.Cleanup(listening.Close)
	s.API, s.url = testkit.NewAPI(t, listening.URL), listening.URL
	return s
}

// pay asks the bank for money.
func pay(ctx context.Context, bankURL, key string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, bankURL, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Idempotency-Key", key)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return errs.New(errs.External, "The bank doesn't answer").Because(errors.Join(errs.ErrUnanswered, err))
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errs.New(errs.PaymentRequired, "The bank refuses")
	}
	return nil
}

func (s *shop) sell(t *testing.T, key string) *testkit.Response {
	t.Helper()
	return s.Do(t, "POST", sell, testkit.Header("Idempotency-Key", key))
}

func wantSales(t *testing.T, db *database.DB, want int) {
	t.Helper()
	if sales := testkit.Rows(t, db, "projects", ""); sales != want {
		t.Errorf("there are %d sales, want %d", sales, want)
	}
}

func TestACallOutsideIsMadeOnce(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		bank := openBank(t)
		here, there := open(t, db, clock.System{}, bank.url), open(t, db, clock.System{}, bank.url)
		answered := make(chan struct{})
		bank.then(false, func(http.ResponseWriter, *http.Request) { <-answered })
		first := make(chan *testkit.Response)
		go func() { first <- here.sell(t, "k") }()
		key := <-bank.asked
		there.sell(t, "k").WantError(409, "CONFLICT").WantHeader("Retry-After", "1")
		close(answered)
		(<-first).Want(201).WantJSON("", key)
		for _, shop := range []*shop{here, there} {
			shop.sell(t, "k").Want(201).WantJSON("", key).WantHeader("Idempotent-Replayed", "true")
		}
		bank.wantOne(t, key)
		wantSales(t, db, 1)

		here.Do(t, "POST", sell).Want(201)
		if other := <-bank.asked; other == key || !id.Valid(other) {
			t.Errorf("without a key of the client's it goes out under %q", other)
		}
	})
}

// When it is sure that the bank did nothing the next call is a new one there, or it would be refused again for a day.
func TestACallThatIsRefusedOutsideIsForgotten(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		bank := openBank(t)
		shop := open(t, db, clock.System{}, bank.url)
		bank.then(true, nil)
		shop.sell(t, "k").WantError(402, "PAYMENT_REQUIRED")
		if rows := testkit.Rows(t, db, "idempotency_keys", ""); rows != 0 {
			t.Errorf("%d keys are kept", rows)
		}
		bank.then(false, nil)
		shop.sell(t, "k").Want(201)
		refused, taken := <-bank.asked, <-bank.asked
		if refused == taken {
			t.Error("it is the same call to the bank")
		}
		bank.wantOne(t, taken)
		wantSales(t, db, 1)
	})
}

// When nobody knows, or when it was done and what came after failed, the next call asks for the same.
func TestACallThatBreaksOffIsMadeAgainUnderTheSameKey(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		for what, breakOff := range map[string]func(bank *bank, shop *shop){
			"the bank hangs up": func(bank *bank, shop *shop) {
				bank.then(false, hangUp)
				shop.sell(t, "k").WantError(502, "EXTERNAL_SERVICE_ERROR")
				bank.then(false, nil)
			},
			"the bank hangs up, and then refuses": func(bank *bank, shop *shop) {
				bank.then(false, hangUp)
				shop.sell(t, "k").WantError(502, "EXTERNAL_SERVICE_ERROR")
				bank.then(true, nil)
				shop.sell(t, "k").WantError(402, "PAYMENT_REQUIRED")
				bank.then(false, nil)
			},
			"the client hangs up": func(bank *bank, shop *shop) {
				gone := make(chan struct{})
				bank.then(false, func(_ http.ResponseWriter, r *http.Request) {
					<-r.Context().Done() // of the shop's request
					close(gone)
				})
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					bank.asked <- <-bank.asked
					cancel()
				}()
				request, err := http.NewRequestWithContext(ctx, http.MethodPost, shop.url+sell, nil)
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set("Idempotency-Key", "k")
				if answer, err := http.DefaultClient.Do(request); !errors.Is(err, context.Canceled) {
					t.Errorf("it is answered %v, %v", answer, err)
				}
				<-gone
				bank.then(false, nil)
			},
			"the transaction fails": func(_ *bank, shop *shop) {
				shop.fail = func() error { return errs.New(errs.Invalid, "No") }
				shop.sell(t, "k").WantError(422, "VALIDATION_ERROR")
				shop.fail = func() error { return nil }
			},
		} {
			t.Run(what, func(t *testing.T) {
				bank := openBank(t)
				shop := open(t, db, clock.System{}, bank.url)
				breakOff(bank, shop)
				answer := shop.sell(t, "k").Want(201).WantHeader("Idempotent-Replayed", "")
				for range len(bank.asked) {
					if key := <-bank.asked; key != answer.Text("") {
						t.Errorf("it went out under %q, and was done under %q", key, answer.Text(""))
					}
				}
				bank.wantOne(t, answer.Text(""))
				wantSales(t, db, 1)
				err := db.WithinTx(t.Context(), func(ctx context.Context) error {
					return errors.Join(db.Tx(ctx).Exec("DELETE FROM projects").Error, db.Tx(ctx).Exec("DELETE FROM idempotency_keys").Error)
				})
				if err != nil {
					t.Fatal(err)
				}
			})
		}
	})
}

// A call that is held up for longer than its lease finds, when it comes back, that another one has done it.
func TestACallThatComesBackTooLateChangesNothing(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		bank, now := openBank(t), clock.NewManual(time.Now())
		here, there := open(t, db, now, bank.url), open(t, db, now, bank.url)
		answered := make(chan struct{})
		bank.then(false, func(http.ResponseWriter, *http.Request) { <-answered })
		first := make(chan *testkit.Response)
		go func() { first <- here.sell(t, "k") }()
		key := <-bank.asked
		now.Advance(timeout + 10*time.Second)
		bank.then(false, nil)
		second := there.sell(t, "k").Want(201).WantJSON("", key)
		close(answered)
		(<-first).WantError(409, "CONFLICT")
		here.sell(t, "k").Want(201).WantJSON("", second.JSON("")).WantHeader("Idempotent-Replayed", "true")
		bank.wantOne(t, key)
		wantSales(t, db, 1)
	})
}

// The call of a process that was killed is made again, under the same key, when its lease has ended.
func TestTheCallOfAKilledProcessIsTakenOver(t *testing.T) {
	for _, engine := range []database.Engine{database.SQLite, database.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			options := testkit.DatabaseOptions(t, engine)
			db := testkit.OpenDatabase(t, options)
			bank, now := openBank(t), clock.NewManual(time.Now())
			here := open(t, db, now, bank.url)
			bank.then(false, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
			key := kill(t, options, bank)
			bank.then(false, nil)

			here.sell(t, "k").WantError(409, "CONFLICT").WantHeader("Retry-After", "1")
			now.Advance(timeout + 20*time.Second)
			here.sell(t, "k").Want(201).WantJSON("", key).WantHeader("Idempotent-Replayed", "")
			here.sell(t, "k").Want(201).WantJSON("", key).WantHeader("Idempotent-Replayed", "true")
			bank.wantOne(t, key)
			wantSales(t, db, 1)
		})
	}
}

// errand is the variable that makes this binary the process that is killed: the options of its database and the bank.
const errand = "OMNISTACK_TEST_SHOP"

type place struct {
	Options database.Options
	Bank    string
}

// kill lets another process take a call, kills it when the bank has taken the money, and returns the key that the bank was
// told.
func kill(t *testing.T, options database.Options, bank *bank) string {
	t.Helper()
	where, err := json.Marshal(place{options, bank.url})
	if err != nil {
		t.Fatal(err)
	}
	process := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSellAsProcess$")
	process.Env = append(os.Environ(), errand+"="+string(where))
	output, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	url, err := bufio.NewReader(output).ReadString('\n')
	if err != nil || !strings.HasPrefix(url, "http://") {
		t.Fatalf("the other process says %q, %v", url, err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, strings.TrimSpace(url)+sell, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Idempotency-Key", "k")
	ended := make(chan error)
	go func() {
		_, err := http.DefaultClient.Do(request)
		ended <- err
	}()
	key := <-bank.asked
	_ = process.Process.Kill()
	_ = process.Wait() // says that it was killed
	if err := <-ended; err == nil {
		t.Error("a killed process answers")
	}
	return key
}

// TestSellAsProcess is not a test: it is the process that is killed.
func TestSellAsProcess(t *testing.T) {
	where := os.Getenv(errand)
	if where == "" {
		return
	}
	var at place
	if err := json.Unmarshal([]byte(where), &at); err != nil {
		t.Fatal(err)
	}
	fmt.Println(open(t, testkit.OpenDatabase(t, at.Options), clock.System{}, at.Bank).url)
	select {}
}
