package idempotency_test

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/database/storetest"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/idempotency"
	"github.com/omnistack/omnistack/platform/testkit"
)

const ttl = 24 * time.Hour

// suite is the keys in one database, at a time of its own.
type suite struct {
	*testing.T
	*idempotency.Store
	db    *database.DB
	clock *clock.Manual
}

func eachEngine(t *testing.T, test func(s suite)) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		now := clock.NewManual(time.Date(2026, 11, 26, 2, 0, 0, 123_456_000, time.UTC))
		test(suite{t, idempotency.New(db, now, ttl), db, now})
	})
}

// call returns a call of ann's that asks for something.
func call(key, request string) *httpserver.KeyedCall {
	return &httpserver.KeyedCall{ID: key, UserID: "ann", Fingerprint: request, Patience: 10 * time.Second, Outside: id.New()}
}

// leased returns one that has its key for a minute without a transaction.
func leased(key, request string) *httpserver.KeyedCall {
	c := call(key, request)
	c.Lease = time.Minute
	return c
}

var created = httpserver.Answer{
	Status: 201, Headers: map[string]string{"Etag": `"1"`, "Location": "/ü"}, Body: []byte("{\"a\":\"\x00\xff\"}"),
}

func (s suite) find(c *httpserver.KeyedCall) *httpserver.KeyHolder {
	s.Helper()
	holder, err := s.Find(s.Context(), c)
	if err != nil {
		s.Fatal(err)
	}
	return holder
}

// take takes the key in a transaction that is committed.
func (s suite) take(c *httpserver.KeyedCall) (holder *httpserver.KeyHolder) {
	s.Helper()
	storetest.Commit(s.T, s.db, func(ctx context.Context) (err error) {
		holder, err = s.Take(ctx, c)
		return err
	})
	return holder
}

func (s suite) keep(c *httpserver.KeyedCall, answer httpserver.Answer) error {
	return s.db.WithinTx(s.Context(), func(ctx context.Context) error { return s.Keep(ctx, c, answer) })
}

func (s suite) release(c *httpserver.KeyedCall, forget bool) {
	s.Helper()
	storetest.Commit(s.T, s.db, func(ctx context.Context) error { return s.Release(ctx, c, forget) })
}

// do takes the key and keeps the answer, in one transaction.
func (s suite) do(c *httpserver.KeyedCall, answer httpserver.Answer) {
	s.Helper()
	storetest.Commit(s.T, s.db, func(ctx context.Context) error {
		if holder, err := s.Take(ctx, c); holder != nil || err != nil {
			s.Fatalf("the key isn't free: %+v, %v", holder, err)
		}
		return s.Keep(ctx, c, answer)
	})
}

func (s suite) wantHolder(got *httpserver.KeyHolder, fingerprint string, running bool, answer httpserver.Answer) {
	s.Helper()
	want := &httpserver.KeyHolder{Fingerprint: fingerprint, Running: running, Answer: answer}
	if got != nil && len(got.Answer.Headers) == 0 {
		got.Answer.Headers = nil
	}
	if !reflect.DeepEqual(got, want) {
		s.Errorf("the key is held by %+v, want %+v", got, want)
	}
}

func TestAnAnswerIsKept(t *testing.T) {
	eachEngine(t, func(s suite) {
		if holder := s.find(call("k", "a")); holder != nil {
			s.Errorf("a key that nobody used is held by %+v", holder)
		}
		s.do(call("k", "a"), created)
		for _, other := range []*httpserver.KeyedCall{call("k", "a"), call("k", "b")} {
			s.wantHolder(s.find(other), "a", false, created)
			s.wantHolder(s.take(other), "a", false, created)
		}
		s.do(call("secret", "a"), httpserver.Answer{})
		s.wantHolder(s.take(call("secret", "a")), "a", false, httpserver.Answer{})
		s.do(call("empty", "a"), httpserver.Answer{Status: 204})
		s.wantHolder(s.find(call("empty", "a")), "a", false, httpserver.Answer{Status: 204})
	})
}

// Behind a transaction pooler the driver writes the values into the statements.
func TestAnAnswerIsKeptBehindAPooler(t *testing.T) {
	options := testkit.DatabaseOptions(t, database.Postgres)
	options.Pooled = true
	db, now := testkit.OpenDatabase(t, options), clock.NewManual(time.Now())
	s := suite{t, idempotency.New(db, now, ttl), db, now}
	s.do(call("k", "a"), created)
	s.wantHolder(s.take(call("k", "b")), "a", false, created)
	first := leased("leased", "a")
	s.take(first)
	if err := s.keep(first, created); err != nil {
		t.Error(err)
	}
	s.wantHolder(s.find(leased("leased", "a")), "a", false, created)
}

func TestAKeyIsTakenInTheTransactionOfItsCall(t *testing.T) {
	eachEngine(t, func(s suite) {
		storetest.Transactional(s.T, s.db, func(ctx context.Context, name string) error {
			if holder, err := s.Take(ctx, call(name, "a")); holder != nil || err != nil {
				return errors.Join(err, errors.New("it isn't free"))
			}
			return s.Keep(ctx, call(name, "a"), created)
		}, func(ctx context.Context, name string) bool {
			holder, err := s.Find(ctx, call(name, "a"))
			if err != nil {
				t.Fatal(err)
			}
			return holder != nil
		})
		if err := s.keep(call("nobody's", "a"), created); !errs.Is(err, errs.Conflict) {
			s.Errorf("an answer under a key that wasn't taken: %v", err)
		}
	})
}

// Who wants a key that a transaction has taken waits for its end, and finds what it left.
func TestTwinsMeetAtTheKey(t *testing.T) {
	failed := errors.New("failed")
	for _, ends := range []error{nil, failed} {
		eachEngine(t, func(s suite) {
			taken, told := make(chan struct{}), make(chan *httpserver.KeyHolder)
			go func() {
				<-taken
				var holder *httpserver.KeyHolder
				err := s.db.WithinTx(s.Context(), func(ctx context.Context) (err error) {
					holder, err = s.Take(ctx, call("k", "a"))
					return err
				})
				if err != nil {
					s.Error(err)
				}
				told <- holder
			}()
			err := s.db.WithinTx(s.Context(), func(ctx context.Context) error {
				if holder, err := s.Take(ctx, call("k", "a")); holder != nil || err != nil {
					s.Fatal(holder, err)
				}
				close(taken)
				s.awaitTwin()
				return errors.Join(s.Keep(ctx, call("k", "a"), created), ends)
			})
			if !errors.Is(err, ends) {
				s.Fatal(err)
			}
			switch holder := <-told; {
			case ends == nil:
				s.wantHolder(holder, "a", false, created)
			case holder != nil:
				s.Errorf("the call failed, and its key is held by %+v", holder)
			}
		})
	}
}

// awaitTwin returns when somebody waits for a lock, where that can be seen: on SQLite the transactions just come one after
// the other.
func (s suite) awaitTwin() {
	s.Helper()
	deadline := time.After(20 * time.Second)
	for s.db.Engine() == database.Postgres {
		waiting, err := database.One(s.db.Read(s.Context()).Raw(
			"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"), database.Scalar[int64])
		if err != nil {
			s.Fatal(err)
		}
		if waiting > 0 {
			return
		}
		select {
		case <-deadline:
			s.Fatal("nobody waits")
		case <-time.After(time.Millisecond):
		}
	}
}

// On PostgreSQL the wait for a twin has an end, the connection is good afterwards, and no other wait is any shorter.
func TestTheWaitForATwinIsBounded(t *testing.T) {
	db := testkit.Postgres(t)
	s := suite{t, idempotency.New(db, clock.System{}, ttl), db, nil}
	setting := func(ctx context.Context) string {
		t.Helper()
		value, err := database.One(db.Read(ctx).Raw("SHOW lock_timeout"), database.Scalar[string])
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	storetest.Commit(t, db, func(ctx context.Context) error {
		if holder, err := s.Take(ctx, call("k", "a")); holder != nil || err != nil {
			t.Fatal(holder, err)
		}
		if left := setting(ctx); left != "0" {
			t.Errorf("for the rest of the transaction lock_timeout is %s", left)
		}
		giveUp := errors.New("it gives up")
		storetest.Concurrent(t, 1, func(int) error {
			twin := call("k", "b")
			twin.Patience = 20 * time.Millisecond
			err := db.WithinTx(t.Context(), func(ctx context.Context) error {
				holder, err := s.Take(ctx, twin)
				s.wantHolder(holder, "b", true, httpserver.Answer{})
				return errors.Join(err, giveUp)
			})
			if errors.Is(err, giveUp) {
				return nil
			}
			return err
		})
		return s.Keep(ctx, call("k", "a"), created)
	})
	storetest.Commit(t, db, func(ctx context.Context) error {
		if err := db.Tx(ctx).Exec("SET LOCAL lock_timeout = '7s'").Error; err != nil {
			return err
		}
		if holder, err := s.Take(ctx, call("other", "a")); holder != nil || err != nil {
			t.Fatal(holder, err)
		}
		if left := setting(ctx); left != "7s" {
			t.Errorf("for the rest of the transaction lock_timeout is %s, and was 7s", left)
		}
		return nil
	})
	if left := setting(t.Context()); left != "0" {
		t.Errorf("afterwards lock_timeout is %s", left)
	}
}

func TestAKeyIsGoodForItsTime(t *testing.T) {
	eachEngine(t, func(s suite) {
		s.do(call("k", "a"), created)
		s.clock.Advance(ttl - time.Microsecond)
		s.wantHolder(s.take(call("k", "b")), "a", false, created)
		s.clock.Advance(time.Microsecond)
		if holder := s.find(call("k", "b")); holder != nil {
			s.Errorf("when its time is over it is held by %+v", holder)
		}
		s.do(call("k", "b"), httpserver.Answer{Status: 204})
		s.wantHolder(s.find(call("k", "b")), "b", false, httpserver.Answer{Status: 204})

		// What leaves the process has another key outside then.
		first, second := leased("leased", "a"), leased("leased", "a")
		s.take(first)
		s.clock.Advance(ttl + time.Minute)
		want := second.Outside
		if holder := s.take(second); holder != nil || second.Outside != want {
			s.Errorf("it is held by %+v, and the key outside is %s, want %s", holder, second.Outside, want)
		}
	})
}

func TestALeaseIsTakenOverWhenItEnds(t *testing.T) {
	eachEngine(t, func(s suite) {
		first := leased("k", "a")
		outside := first.Outside
		if holder := s.take(first); holder != nil || first.Outside != outside {
			s.Fatalf("a free key is held by %+v", holder)
		}
		s.clock.Advance(time.Minute - time.Microsecond)
		for _, other := range []*httpserver.KeyedCall{leased("k", "a"), leased("k", "b")} {
			s.wantHolder(s.find(other), "a", true, httpserver.Answer{})
			s.wantHolder(s.take(other), "a", true, httpserver.Answer{})
		}
		s.clock.Advance(time.Microsecond)
		s.wantHolder(s.take(leased("k", "b")), "a", true, httpserver.Answer{}) // another request is never the same call
		second := leased("k", "a")
		if found, taken := s.find(second), s.take(second); found != nil || taken != nil || second.Outside != outside {
			s.Errorf("it is held by %+v and %+v, and the key outside is %s, want %s", found, taken, second.Outside, outside)
		}

		// Who comes back too late changes nothing.
		if err := s.keep(first, created); !errs.Is(err, errs.Conflict) {
			s.Errorf("the first holder kept an answer: %v", err)
		}
		s.release(first, true)
		s.release(first, false)
		s.wantHolder(s.find(leased("k", "a")), "a", true, httpserver.Answer{})

		// Of two that take over at once one does.
		s.release(second, false)
		won := make(chan *httpserver.KeyedCall, 16)
		storetest.Concurrent(s.T, 1, func(int) error {
			next := leased("k", "a")
			return s.db.WithinTx(s.Context(), func(ctx context.Context) error {
				holder, err := s.Take(ctx, next)
				if holder == nil && err == nil {
					won <- next
				}
				return err
			})
		})
		third := <-won
		if len(won) != 0 || third.Outside != outside {
			s.Errorf("%d more have taken it over, and the key outside is %s, want %s", len(won), third.Outside, outside)
		}
		if err := s.keep(third, created); err != nil {
			s.Fatal(err)
		}
		s.clock.Advance(time.Hour)
		s.wantHolder(s.take(leased("k", "a")), "a", false, created)
		s.release(third, true)
		s.wantHolder(s.find(leased("k", "a")), "a", false, created)

		// Nothing is left of what is forgotten.
		forgotten := leased("new", "a")
		s.take(forgotten)
		s.release(forgotten, true)
		next := leased("new", "b")
		outside = next.Outside
		if holder := s.take(next); holder != nil || next.Outside != outside {
			s.Errorf("it is held by %+v, and the key outside is %s", holder, next.Outside)
		}
	})
}

func TestWhatGoes(t *testing.T) {
	eachEngine(t, func(s suite) {
		about := call("admin's", "a")
		about.UserID, about.About = "root", "ann"
		deletion := call("deletion", "a")
		deletion.UserID, deletion.About = "root", "ann"
		others := call("other's", "a")
		others.UserID = "bob"
		for _, c := range []*httpserver.KeyedCall{call("k", "a"), about, others} {
			s.do(c, created)
		}
		s.do(deletion, httpserver.Answer{Status: http.StatusNoContent})
		if _, err := s.Erase(s.Context(), id.Of("ann")); err != nil {
			s.Fatal(err)
		}
		if testkit.Rows(s.T, s.db, "idempotency_keys", "") != 2 || s.find(others) == nil || s.find(deletion) == nil {
			s.Error("of the user something is left, or what says nothing of him is gone")
		}

		for range 1100 {
			s.do(call(id.New(), "a"), created)
		}
		s.clock.Advance(ttl - time.Second)
		s.do(call("young", "a"), created)
		s.clock.Advance(time.Second)
		if err := s.Describe().Jobs[0].Run(s.Context(), []byte("{}")); err != nil {
			s.Fatal(err)
		}
		if testkit.Rows(s.T, s.db, "idempotency_keys", "") != 1 || s.find(call("young", "a")) == nil {
			s.Error("old keys are left, or young ones gone")
		}
	})
}
