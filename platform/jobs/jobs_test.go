package jobs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river/rivertype"
	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/id"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/testkit"
)

// The suite of jobs. It runs on both engines.

// sweep is what most tests enqueue.
type sweep struct {
	ID string `json:"id"`
}

func (sweep) Kind() string { return "tests.sweep" }

// other is another kind.
type other struct {
	ID string `json:"id"`
}

func (other) Kind() string { return "tests.other" }

// suite is a client over an empty database. Its methods fail the test instead of returning an error.
type suite struct {
	*jobs.Client
	t  *testing.T
	db *database.DB
}

// newSuite returns a client that knows the kinds and hurries.
func newSuite(t *testing.T, db *database.DB, kinds ...module.Job) suite {
	t.Helper()
	log, _ := testkit.Logger(t)
	client, err := jobs.New(db, log)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Register(kinds); err != nil {
		t.Fatal(err)
	}
	client.Hasten()
	return suite{client, t, db}
}

// eachEngine runs the test on an empty database of both engines.
func eachEngine(t *testing.T, test func(t *testing.T, db *database.DB)) {
	t.Helper()
	testkit.EachEngine(t, test)
}

// start works jobs until the test ends.
func (s suite) start() {
	s.t.Helper()
	if err := s.Start(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			s.t.Error(err)
		}
	})
}

// enqueue enqueues one job in a transaction of its own.
func (s suite) enqueue(args jobs.Args, options ...jobs.Option) {
	s.t.Helper()
	err := s.db.WithinTx(s.t.Context(), func(ctx context.Context) error { return s.Enqueue(ctx, args, options...) })
	if err != nil {
		s.t.Fatal(err)
	}
}

// jobs returns the jobs there are.
func (s suite) jobs() []*rivertype.JobRow {
	s.t.Helper()
	found, err := s.Jobs(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return found
}

// count fails the test unless there are so many jobs.
func (s suite) count(want int) {
	s.t.Helper()
	if got := len(s.jobs()); got != want {
		s.t.Fatalf("there are %d jobs, want %d", got, want)
	}
}

// await waits until the job at the place has the state, and returns it.
func (s suite) await(place int, state rivertype.JobState) *rivertype.JobRow {
	s.t.Helper()
	var last *rivertype.JobRow
	until(s.t, func() bool {
		found := s.jobs()
		if place >= len(found) {
			return false
		}
		last = found[place]
		return last.State == state
	}, func() string { return fmt.Sprintf("the job isn't %s: %+v", state, last) })
	return last
}

// until asks again and again.
func until(t *testing.T, done func() bool, what func() string) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for tick := time.Tick(20 * time.Millisecond); !done(); {
		select {
		case <-tick:
		case <-deadline:
			t.Fatal(what())
		}
	}
}

// receive waits for a signal.
func receive[T any](t *testing.T, signals <-chan T, what string) T {
	t.Helper()
	select {
	case signal := <-signals:
		return signal
	case <-time.After(30 * time.Second):
		t.Fatalf("%s didn't happen", what)
		panic("unreachable")
	}
}

// telling is a kind whose handler tells the id of each job, and does nothing else.
func telling(about module.Job) (module.Job, <-chan string) {
	worked := make(chan string, 100)
	return jobs.Kind(about, func(_ context.Context, args sweep) error {
		worked <- args.ID
		return nil
	}), worked
}

var errBoom = errors.New("boom")

func TestAJobIsThereIffItsTransactionCommits(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *database.DB) {
		kind, worked := telling(module.Job{})
		s := newSuite(t, db, kind)

		if err := s.Enqueue(t.Context(), sweep{"outside"}); !errors.Is(err, database.ErrNoTransaction) {
			t.Errorf("outside of a transaction: %v, want ErrNoTransaction", err)
		}
		err := db.WithinTx(t.Context(), func(ctx context.Context) error {
			return errors.Join(s.Enqueue(ctx, sweep{"failed"}), errBoom)
		})
		if !errors.Is(err, errBoom) {
			t.Error(err)
		}
		err = db.WithinTx(t.Context(), func(ctx context.Context) error {
			if err := s.Enqueue(ctx, sweep{"with an unknown one"}); err != nil {
				return err
			}
			_ = s.Enqueue(ctx, other{"unknown"}) // whose error breaks the whole, whatever is made of it
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), "no module has the kind tests.other") {
			t.Errorf("an unknown kind: %v", err)
		}
		s.count(0)

		err = db.WithinTx(t.Context(), func(ctx context.Context) error {
			if err := s.Enqueue(ctx, sweep{"committed"}); err != nil {
				return err
			}
			select {
			case id := <-worked:
				t.Errorf("%s is worked before its transaction is committed", id)
			default:
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		s.count(1)
		s.start()
		if id := receive(t, worked, "the work"); id != "committed" {
			t.Errorf("%s was worked", id)
		}
		if job := s.await(0, rivertype.JobStateCompleted); job.Attempt != 1 {
			t.Errorf("it took %d attempts", job.Attempt)
		}
	})
}

// What many enqueue while jobs are worked is worked once each.
func TestJobsAreWorkedOnce(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *database.DB) {
		kind, worked := telling(module.Job{})
		s := newSuite(t, db, kind)
		s.start()
		const writers, each = 8, 10
		failed := make(chan error, writers)
		for writer := range writers {
			go func() {
				var err error
				for i := range each {
					err = errors.Join(err, db.WithinTx(t.Context(), func(ctx context.Context) error {
						return s.Enqueue(ctx, sweep{fmt.Sprintf("%d/%d", writer, i)})
					}))
				}
				failed <- err
			}()
		}
		for range writers {
			if err := <-failed; err != nil {
				t.Error(err)
			}
		}
		seen := map[string]bool{}
		for range writers * each {
			id := receive(t, worked, "the work")
			if seen[id] {
				t.Errorf("%s was worked twice", id)
			}
			seen[id] = true
		}
		until(t, func() bool {
			for _, job := range s.jobs() {
				if job.State != rivertype.JobStateCompleted {
					return false
				}
			}
			return len(worked) == 0
		}, func() string { return "not all are completed" })
	})
}

func TestAnErrorDecidesWhatBecomesOfItsJob(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *database.DB) {
		kinds := errs.Kinds()
		s := newSuite(t, db, jobs.Kind(module.Job{Attempts: 3}, func(_ context.Context, args sweep) error {
			for _, kind := range kinds {
				if kind.Code() == args.ID {
					return fmt.Errorf("wrapped: %w", errs.New(kind, "It went wrong").Because(errors.New("to alice@example.com\x00")))
				}
			}
			return errors.New("unknown")
		}))
		s.RetryAfter(10 * time.Millisecond)
		for _, kind := range kinds {
			s.enqueue(sweep{kind.Code()})
		}
		s.start()
		for i, kind := range kinds {
			state, attempts := rivertype.JobStateCancelled, 1
			if kind.Retryable() {
				state, attempts = rivertype.JobStateDiscarded, 3
			}
			job := s.await(i, state)
			if job.Attempt != attempts || len(job.Errors) != attempts {
				t.Errorf("%s: %d attempts and %d errors, want %d", kind.Code(), job.Attempt, len(job.Errors), attempts)
			}
			for _, failed := range job.Errors {
				if !strings.Contains(failed.Error, "wrapped: "+kind.Code()) || strings.Contains(failed.Error, "alice@") {
					t.Errorf("%s: the error says %q", kind.Code(), failed.Error)
				}
			}
		}
	})
}

func TestALastAttemptKnowsThatItIs(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *database.DB) {
		last := make(chan bool, 10)
		s := newSuite(t, db, jobs.Kind(module.Job{Attempts: 3}, func(ctx context.Context, _ sweep) error {
			last <- jobs.LastAttempt(ctx)
			return errBoom
		}))
		if jobs.LastAttempt(t.Context()) {
			t.Error("what is no attempt is the last")
		}
		s.RetryAfter(10 * time.Millisecond)
		s.enqueue(sweep{"1"})
		s.start()
		s.await(0, rivertype.JobStateDiscarded)
		for attempt, want := range []bool{false, false, true} {
			if got := receive(t, last, "the work"); got != want {
				t.Errorf("attempt %d is the last: %t", attempt+1, got)
			}
		}
	})
}

// What a user's job says of itself is kept, until the user is forgotten.
func TestAJobHasAnOwnerProgressAndAResult(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *database.DB) {
		told, finish := make(chan error, 10), make(chan struct{})
		s := newSuite(t, db, jobs.Kind(module.Job{}, func(ctx context.Context, args sweep) error {
			var ended context.Context
			for step := range int64(3) {
				told <- db.WithinTx(ctx, func(ctx context.Context) error {
					ended = ctx
					jobs.Progress(ctx, step+1, 3) // on SQLite it would wait for itself if it didn't wait for the commit
					return nil
				})
			}
			jobs.Progress(ended, 4, 4)
			select {
			case <-finish:
			case <-ctx.Done():
			}
			return errors.Join(jobs.Result(ctx, "another"), jobs.Result(ctx, map[string]any{"id": args.ID, "count": 3}))
		}))
		var number string
		enqueue := func(owner string, options ...jobs.Option) error {
			return db.WithinTx(t.Context(), func(ctx context.Context) (err error) {
				number, err = s.EnqueueFor(ctx, id.Of(owner), sweep{"1"}, options...)
				return err
			})
		}
		if _, err := s.EnqueueFor(t.Context(), id.Of("alice"), sweep{"1"}); !errors.Is(err, database.ErrNoTransaction) {
			t.Errorf("outside of a transaction: %v, want ErrNoTransaction", err)
		}
		if err := enqueue(""); err == nil {
			t.Error("nobody owns a job")
		}
		for range 2 {
			if err := enqueue("alice", jobs.Unique("one")); err != nil || number != strconv.FormatInt(s.jobs()[0].ID, 10) {
				t.Errorf("the job is %s, %v", number, err)
			}
		}
		if err := enqueue("bob", jobs.Unique("one")); !errs.Is(err, errs.Conflict) {
			t.Errorf("another's unique job: %v, want a conflict", err)
		}
		if err := enqueue("bob", jobs.At(time.Now().Add(time.Hour))); err != nil {
			t.Error(err)
		}
		s.count(2)

		s.start()
		for range 3 {
			if err := receive(t, told, "the step"); err != nil {
				t.Error(err)
			}
		}
		until(t, func() bool { return strings.Contains(metadata(s.jobs()[0]), `"progress":{"done":1,"total":3}`) }, // the first of a second
			func() string { return "its metadata is " + metadata(s.jobs()[0]) })
		close(finish)
		done := metadata(s.await(0, rivertype.JobStateCompleted))
		for _, want := range []string{`"owner":"alice"`, `"progress":{"done":4,"total":4}`, `"id":"1"`, `"count":3`} {
			if !strings.Contains(done, want) {
				t.Errorf("its metadata is %s, want %s", done, want)
			}
		}

		forget := func(ctx context.Context) error {
			_, err := s.Erase(ctx, id.Of("alice"))
			return err
		}
		err := db.WithinTx(t.Context(), func(ctx context.Context) error { return errors.Join(forget(ctx), errBoom) })
		if got := metadata(s.jobs()[0]); !errors.Is(err, errBoom) || got != done {
			t.Errorf("after a rollback its metadata is %s, %v", got, err)
		}
		if err := db.WithinTx(t.Context(), forget); err != nil {
			t.Error(err)
		}
		for _, gone := range []string{"owner", "progress", "output"} {
			if got := metadata(s.jobs()[0]); strings.Contains(got, gone) {
				t.Errorf("when its owner is forgotten its metadata is %s", got)
			}
		}
		if got := metadata(s.jobs()[1]); !strings.Contains(got, `"owner":"bob"`) {
			t.Errorf("the other's metadata is %s", got)
		}
	})
}

// Of an erased user go the jobs that name the user, whether they wait or have ended, and nobody else's.
func TestJobsThatNameAUserAreForgotten(t *testing.T) {
	testkit.EachEngine(t, func(t *testing.T, db *database.DB) {
		raw := func(state, args string) {
			t.Helper()
			finalized := "NULL"
			if state == "completed" || state == "discarded" {
				finalized = "CURRENT_TIMESTAMP"
			}
			jsonb, cast := "jsonb('"+args+"')", ""
			if db.Engine() == database.Postgres {
				jsonb, cast = "'"+args+"'::jsonb", "::river_job_state"
			}
			err := db.WithinTx(t.Context(), func(ctx context.Context) error {
				return db.Tx(ctx).Exec("INSERT INTO river_job (state, kind, max_attempts, args, finalized_at) VALUES ('" + state + "'" + cast + ", 'x', 3, " + jsonb + ", " + finalized + ")").Error
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, state := range []string{"scheduled", "available", "retryable", "completed", "discarded", "running"} {
			raw(state, `{"user_id": "alice"}`)
		}
		raw("scheduled", `{"user_id": "bob"}`)
		raw("scheduled", `{}`)
		client, err := jobs.New(db, zap.NewNop())
		if err == nil {
			err = db.WithinTx(t.Context(), func(ctx context.Context) error { return client.Forget(ctx, id.Of("alice")) })
		}
		if err != nil {
			t.Fatal(err)
		}
		if left := testkit.Rows(t, db, "river_job", ""); left != 3 || testkit.Rows(t, db, "river_job", "state = 'running'") != 1 {
			t.Errorf("%d are left", left)
		}
	})
}

// metadata returns the metadata of a job without the spaces that PostgreSQL puts in.
func metadata(job *rivertype.JobRow) string {
	return strings.ReplaceAll(string(job.Metadata), " ", "")
}

// An owner's jobs are found by an index, however many others there are.
func TestOwnersAreFoundByAnIndex(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *database.DB) {
		err := db.WithinTx(t.Context(), func(ctx context.Context) error {
			tx := db.Tx(ctx)
			explain, plan := "EXPLAIN QUERY PLAN ", func(row database.Row) (line string, err error) {
				err = row.Scan(new(int), new(int), new(int), &line)
				return line, err
			}
			if db.Engine() == database.Postgres {
				explain, plan = "EXPLAIN ", database.Scalar[string]
				if err := tx.Exec("SET LOCAL enable_seqscan = off").Error; err != nil { // which it prefers for an empty table
					return err
				}
			}
			lines, err := database.All(tx.Raw(explain+"SELECT id FROM river_job WHERE "+jobs.Owned, "alice"), plan)
			if text := strings.Join(lines, "\n"); !strings.Contains(text, "jobs_by_owner") {
				t.Errorf("the plan is %s", text)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestResultsHaveBounds(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *database.DB) {
		refused, after := make(chan error, 10), make(chan context.Context, 1)
		values := []any{
			strings.Repeat("x", 64<<10), func() {}, "a\x00", json.RawMessage(`"\ud800"`), map[string]any{"\x00": 1},
		}
		s := newSuite(t, db, jobs.Kind(module.Job{}, func(ctx context.Context, _ sweep) error {
			for _, value := range values {
				refused <- jobs.Result(ctx, value)
			}
			after <- ctx
			return jobs.Result(ctx, "<"+strings.Repeat("x", 64<<10-8)) // whose first is six bytes
		}))
		if err := jobs.Result(t.Context(), 1); err == nil {
			t.Error("what is no job has a result")
		}
		jobs.Progress(t.Context(), 1, 2) // does nothing
		s.enqueue(sweep{"1"})
		s.start()
		for i := range values {
			if err := receive(t, refused, "the result"); err == nil {
				t.Errorf("result %d is taken", i)
			}
		}
		if job := s.await(0, rivertype.JobStateCompleted); len(job.Output()) < 63<<10 {
			t.Errorf("the result has %d bytes", len(job.Output()))
		}
		late := receive(t, after, "the end")
		jobs.Progress(late, 1, 2)
		if err := jobs.Result(late, 1); err == nil {
			t.Error("a job that is over has a result")
		}
	})
}

// Progress that can't be stored holds the work up for a moment, and doesn't fail it.
func TestProgressNeverFailsAJob(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *database.DB) {
		locked, release := make(chan error, 1), make(chan struct{})
		s := newSuite(t, db, jobs.Kind(module.Job{}, func(ctx context.Context, _ sweep) error {
			go func() {
				locked <- db.WithinTx(ctx, func(ctx context.Context) error {
					err := db.Tx(ctx).Exec("UPDATE river_job SET priority = 2").Error
					locked <- err
					<-release
					return err
				})
			}()
			if err := <-locked; err != nil {
				return err
			}
			jobs.Progress(ctx, 1, 2)
			close(release)
			return <-locked
		}))
		s.Impatient()
		s.enqueue(sweep{"1"})
		s.start()
		job := s.await(0, rivertype.JobStateCompleted)
		if got := metadata(job); job.Attempt != 1 || !strings.Contains(got, `"progress":{"done":1,"total":2}`) {
			t.Errorf("after %d attempts its metadata is %s", job.Attempt, got)
		}
	})
}

// A queue of its own keeps a process as busy as the queue allows.
func TestQueuesSayHowManyJobsRunAtOnce(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *database.DB) {
		begun, finish := make(chan string, 100), make(chan struct{})
		work := func(queue string) func(context.Context) error {
			return func(ctx context.Context) error {
				begun <- queue
				select {
				case <-finish:
				case <-ctx.Done():
				}
				return ctx.Err()
			}
		}
		few, many := work("default"), work("events")
		s := newSuite(t, db,
			jobs.Kind(module.Job{}, func(ctx context.Context, _ sweep) error { return few(ctx) }),
			jobs.Kind(module.Job{Queue: "events"}, func(ctx context.Context, _ other) error { return many(ctx) }))
		var all []jobs.Request
		for range 25 {
			all = append(all, jobs.Request{Args: sweep{}}, jobs.Request{Args: other{}})
		}
		if err := db.WithinTx(t.Context(), func(ctx context.Context) error { return s.EnqueueMany(ctx, all...) }); err != nil {
			t.Fatal(err)
		}
		s.start()
		running := map[string]int{}
		for range 30 {
			running[receive(t, begun, "the work")]++
		}
		if running["default"] != 10 || running["events"] != 20 {
			t.Errorf("%v run at once", running)
		}
		close(finish)
		for range 20 {
			receive(t, begun, "the rest")
		}
		s.await(49, rivertype.JobStateCompleted)
	})
}

func TestAPanicIsAnErrorLikeOthers(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *database.DB) {
		s := newSuite(t, db, jobs.Kind(module.Job{Attempts: 2}, func(context.Context, sweep) error {
			panic("for bob@example.com")
		}))
		s.RetryAfter(10 * time.Millisecond)
		s.enqueue(sweep{"1"})
		s.start()
		job := s.await(0, rivertype.JobStateDiscarded)
		if len(job.Errors) != 2 || !strings.HasPrefix(job.Errors[0].Error, "panic: for ****") || job.Errors[0].Trace != "" {
			t.Errorf("its errors are %+v", job.Errors)
		}
	})
}

func TestArgumentsThatCantBeReadMakeTheJobDead(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *database.DB) {
		s := newSuite(t, db, jobs.Kind(module.Job{}, func(context.Context, numbered) error { return nil }))
		s.enqueue(sweep{"not a number"})
		s.start()
		s.await(0, rivertype.JobStateCancelled)
	})
}

// numbered is what a later version made of sweep.
type numbered struct {
	ID int `json:"id"`
}

func (numbered) Kind() string { return "tests.sweep" }

func TestAHungJobEndsAtItsTimeout(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *database.DB) {
		s := newSuite(t, db, jobs.Kind(module.Job{Attempts: 1, Timeout: 50 * time.Millisecond}, func(ctx context.Context, _ sweep) error {
			<-ctx.Done()
			return ctx.Err()
		}))
		s.enqueue(sweep{"1"})
		s.start()
		if job := s.await(0, rivertype.JobStateDiscarded); len(job.Errors) != 1 || !strings.Contains(job.Errors[0].Error, "deadline") {
			t.Errorf("its errors are %+v", job.Errors)
		}
	})
}

func TestCronEnqueuesByItself(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *database.DB) {
		kind, worked := telling(module.Job{Cron: "0 3 * * *", Priority: 3})
		s := newSuite(t, db, kind)
		s.Schedule(func(after time.Time) time.Time { return after.Add(100 * time.Millisecond) })
		s.start()
		if id := receive(t, worked, "the work"); id != "" {
			t.Errorf("it was given the id %q", id)
		}
		if job := s.await(0, rivertype.JobStateCompleted); job.Priority != 3 {
			t.Errorf("its priority is %d", job.Priority)
		}
	})
}

// A time at which nobody worked, because of a deployment say, is made up for: once, not too late, and not in a new database.
func TestMissedCronIsMadeUpFor(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *database.DB) {
		now := time.Now()
		missed := now.Add(-5 * time.Minute)
		kind, worked := telling(module.Job{Cron: "0 9 * * *"})
		witness := make(chan string, 100) // is enqueued by itself too, and after the other if that is
		begin := func() suite {
			s := newSuite(t, db, kind, jobs.Kind(module.Job{Cron: "* * * * *"}, func(context.Context, other) error {
				witness <- "worked"
				return nil
			}))
			s.ScheduleBy(func(text string, after time.Time) time.Time {
				switch {
				case text == "* * * * *":
					return after.Add(100 * time.Millisecond)
				case after.Before(missed):
					return missed
				default:
					return now.Add(24 * time.Hour)
				}
			})
			if _, err := db.SQL().ExecContext(t.Context(), "DELETE FROM river_job WHERE kind = 'tests.other'"); err != nil {
				t.Fatal(err)
			}
			for len(witness) > 0 { // of those that ran before
				<-witness
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			if err := s.Start(ended); err != nil { // goes on when it is told to stop: that comes after
				t.Fatal(err)
			}
			receive(t, witness, "the work of the other one")
			return s
		}
		end := func(s suite, want int) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := s.Stop(ctx); err != nil {
				t.Error(err)
			}
			if got := testkit.Rows(t, db, "river_job", "kind = ?", "tests.sweep"); got != want || len(worked) > 0 {
				t.Errorf("it was enqueued %d times, want %d", got, want)
			}
		}

		end(begin(), 0) // nobody had worked by then
		if _, err := db.SQL().ExecContext(t.Context(), "UPDATE river_queue SET created_at = '2026-01-01 00:00:00'"); err != nil {
			t.Fatal(err)
		}
		missed = now.Add(-time.Hour)
		end(begin(), 0) // too late
		missed = now.Add(-5 * time.Minute)
		first := begin()
		receive(t, worked, "the work")
		end(first, 1)
		end(begin(), 1) // it was made up for
	})
}

func TestSchedulesAreInUTC(t *testing.T) {
	daily, err := jobs.Schedule("0 3 * * *")
	if err != nil {
		t.Fatal(err)
	}
	berlin := time.FixedZone("Berlin", 2*60*60)
	got := daily.Next(time.Date(2026, 7, 1, 4, 59, 0, 0, berlin))
	if want := time.Date(2026, 7, 1, 3, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("next at %s, want %s", got, want)
	}
}

func TestManyAreEnqueuedTogether(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *database.DB) {
		kind, worked := telling(module.Job{})
		s := newSuite(t, db, kind)
		many := []jobs.Request{
			{Args: sweep{"1"}},
			{Args: sweep{"2"}, Options: []jobs.Option{jobs.Unique("a")}},
			{Args: sweep{"3"}, Options: []jobs.Option{jobs.Unique("b"), jobs.Priority(2)}},
		}
		enqueue := func(ctx context.Context) error { return s.EnqueueMany(ctx, many...) }
		if err := enqueue(t.Context()); !errors.Is(err, database.ErrNoTransaction) {
			t.Errorf("outside of a transaction: %v, want ErrNoTransaction", err)
		}
		for range 2 {
			if err := db.WithinTx(t.Context(), enqueue); err != nil {
				t.Fatal(err)
			}
		}
		many = []jobs.Request{
			{Args: sweep{"4"}, Options: []jobs.Option{jobs.Unique("b")}},
			{Args: sweep{"5"}, Options: []jobs.Option{jobs.Unique("c")}},
			{Args: sweep{"6"}, Options: []jobs.Option{jobs.Unique("c")}},
		}
		if err := db.WithinTx(t.Context(), enqueue); err != nil {
			t.Errorf("the same id twice: %v", err)
		}
		if err := db.WithinTx(t.Context(), func(ctx context.Context) error { return s.EnqueueMany(ctx) }); err != nil {
			t.Errorf("none at all: %v", err)
		}
		s.start()
		seen := map[string]int{}
		for range 5 {
			seen[receive(t, worked, "the work")]++
		}
		if want := map[string]int{"1": 2, "2": 1, "3": 1, "5": 1}; !maps.Equal(seen, want) {
			t.Errorf("worked were %v, want %v", seen, want)
		}
		s.count(5) // the unique ones were there already
	})
}

func TestAUniqueJobIsEnqueuedOnceWhileItIsUnfinished(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *database.DB) {
		kind, worked := telling(module.Job{})
		s := newSuite(t, db, kind, jobs.Kind(module.Job{}, func(context.Context, other) error { return nil }))
		s.enqueue(sweep{"1"}, jobs.Unique("alice"))
		s.enqueue(sweep{"2"}, jobs.Unique("alice"))
		s.count(1)
		s.enqueue(sweep{"3"}, jobs.Unique("bob"))
		s.enqueue(other{"4"}, jobs.Unique("alice"))
		s.enqueue(sweep{"5"})
		s.count(4)
		s.start()
		seen := map[string]bool{}
		for range 3 {
			seen[receive(t, worked, "the work")] = true
		}
		if !seen["1"] || !seen["3"] || !seen["5"] {
			t.Errorf("worked were %v", seen)
		}
		s.await(0, rivertype.JobStateCompleted)
		s.enqueue(sweep{"6"}, jobs.Unique("alice"))
		if id := receive(t, worked, "the work after it"); id != "6" {
			t.Errorf("%s was worked", id)
		}
	})
}

func TestADeferredJobWaits(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *database.DB) {
		kind, worked := telling(module.Job{})
		s := newSuite(t, db, kind)
		soon := time.Now().Add(300 * time.Millisecond)
		s.enqueue(sweep{"tomorrow"}, jobs.At(time.Now().Add(24*time.Hour)))
		s.enqueue(sweep{"soon"}, jobs.At(soon))
		s.start()
		if id := receive(t, worked, "the work"); id != "soon" || time.Now().Before(soon) {
			t.Errorf("%s was worked at %s, want soon at %s", id, time.Now(), soon)
		}
		if job := s.jobs()[0]; job.State != rivertype.JobStateScheduled {
			t.Errorf("tomorrow's is %s", job.State)
		}
	})
}

func TestKindsAndOptionsSayWhereAJobWaits(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *database.DB) {
		kind, worked := telling(module.Job{Queue: "mail", Priority: 2, Attempts: 7})
		s := newSuite(t, db, kind)
		s.enqueue(sweep{"1"})
		s.enqueue(sweep{"2"}, jobs.Priority(4))
		found := s.jobs()
		if found[0].Queue != "mail" || found[0].Priority != 2 || found[0].MaxAttempts != 7 || found[1].Priority != 4 {
			t.Errorf("%+v\n%+v", found[0], found[1])
		}
		if got := string(found[0].EncodedArgs); strings.ReplaceAll(got, " ", "") != `{"id":"1"}` {
			t.Errorf("the arguments are %s", got)
		}
		s.start()
		receive(t, worked, "the work")
	})
}

// A process that stops gives a running job time, then ends its context and puts it back, as if it hadn't been tried.
func TestAStopGivesRunningJobsBack(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *database.DB) {
		running, finish := make(chan string, 2), make(chan struct{})
		s := newSuite(t, db, jobs.Kind(module.Job{}, func(ctx context.Context, args sweep) error {
			running <- args.ID
			if args.ID == "quick" {
				<-finish
				return nil
			}
			<-ctx.Done()
			return fmt.Errorf("it was interrupted: %w", ctx.Err())
		}))
		s.SoftStop(500 * time.Millisecond)
		s.enqueue(sweep{"quick"})
		s.enqueue(sweep{"slow"})
		s.start()
		receive(t, running, "the first")
		receive(t, running, "the second")
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
		stopped := make(chan error, 1)
		go func() { stopped <- s.Stop(context.WithoutCancel(t.Context())) }()
		close(finish)
		if err := receive(t, stopped, "the stop"); err != nil {
			t.Error(err)
		}
		s.await(0, rivertype.JobStateCompleted)
		if job := s.await(1, rivertype.JobStateAvailable); job.Attempt != 0 || len(job.Errors) != 0 {
			t.Errorf("it has %d attempts and the errors %v", job.Attempt, job.Errors)
		}
		if err := s.Check(t.Context()); err == nil {
			t.Error("it says that jobs are worked")
		}
	})
}

// A caller with less patience than River's gets the jobs back into the queue too.
func TestAHastyStopGivesRunningJobsBack(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *database.DB) {
		running := make(chan struct{}, 1)
		s := newSuite(t, db, jobs.Kind(module.Job{}, func(ctx context.Context, _ sweep) error {
			running <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}))
		s.enqueue(sweep{"1"})
		s.start()
		receive(t, running, "the work")
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
		if job := s.await(0, rivertype.JobStateAvailable); job.Attempt != 0 || len(job.Errors) != 0 {
			t.Errorf("it has %d attempts and the errors %v", job.Attempt, job.Errors)
		}
	})
}

// A job that doesn't listen to its context holds up the stop only as long as the caller has patience.
func TestAStopHasAnEnd(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *database.DB) {
		running, finish := make(chan struct{}, 1), make(chan struct{})
		s := newSuite(t, db, jobs.Kind(module.Job{}, func(context.Context, sweep) error {
			running <- struct{}{}
			<-finish
			return nil
		}))
		s.SoftStop(50 * time.Millisecond)
		s.enqueue(sweep{"1"})
		s.start()
		receive(t, running, "the work")
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if err := s.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the stop ends with %v", err)
		}
		close(finish)
		s.await(0, rivertype.JobStateCompleted)
	})
}

// Whoever isn't started enqueues for others and works nothing.
func TestWhoIsNotStartedWorksNothing(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *database.DB) {
		kind, worked := telling(module.Job{})
		mine, others := telling(module.Job{})
		api := newSuite(t, db, kind)
		api.enqueue(sweep{"1"})
		if err := errors.Join(api.Check(t.Context()), api.Stop(t.Context())); err != nil {
			t.Error(err)
		}
		background := newSuite(t, db, mine)
		background.start()
		receive(t, others, "the work")
		api.enqueue(sweep{"2"}) // is announced to the other one
		receive(t, others, "the work after it")
		background.await(1, rivertype.JobStateCompleted)
		if len(worked) > 0 {
			t.Error("who wasn't started worked")
		}
	})
}

// While two versions run side by side, the old one leaves to the new one what it doesn't know.
func TestUnknownKindsAreLeftToOthers(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *database.DB) {
		kind, worked := telling(module.Job{})
		newer := newSuite(t, db, jobs.Kind(module.Job{}, func(context.Context, other) error { return nil }))
		newer.enqueue(other{"1"})
		older := newSuite(t, db, kind)
		older.enqueue(sweep{"2"})
		older.start()
		receive(t, worked, "the work")
		older.await(1, rivertype.JobStateCompleted)
		if job := older.jobs()[0]; job.State != rivertype.JobStateAvailable || job.Attempt != 0 {
			t.Errorf("the other's job is %s after %d attempts", job.State, job.Attempt)
		}
	})
}

// Behind a transaction pooler there is no LISTEN, and the driver writes the values into the SQL.
func TestJobsWorkBehindAPooler(t *testing.T) {
	t.Parallel()
	opts := testkit.DatabaseOptions(t, database.Postgres)
	opts.Pooled = true
	db := openDatabase(t, opts)
	var attempts atomic.Int32
	worked := make(chan string, 1)
	s := newSuite(t, db, jobs.Kind(module.Job{}, func(_ context.Context, args sweep) error {
		if attempts.Add(1) == 1 {
			return errBoom
		}
		worked <- args.ID
		return nil
	}))
	s.RetryAfter(10 * time.Millisecond)
	s.start()
	s.enqueue(sweep{"it's\\'1"}, jobs.Unique("1"))
	if id := receive(t, worked, "the work"); id != "it's\\'1" {
		t.Errorf("%s was worked", id)
	}
	s.await(0, rivertype.JobStateCompleted)
}

func TestRegisterRefusesWhatMakesNoSense(t *testing.T) {
	t.Parallel()
	work := func(context.Context, sweep) error { return nil }
	for name, kinds := range map[string][]module.Job{
		"twice":             {jobs.Kind(module.Job{}, work), jobs.Kind(module.Job{}, work)},
		"nothing works it":  {{Kind: "tests.sweep"}},
		"priority":          {jobs.Kind(module.Job{Priority: 5}, work)},
		"negative attempts": {jobs.Kind(module.Job{Attempts: -1}, work)},
		"negative timeout":  {jobs.Kind(module.Job{Timeout: -1}, work)},
		"schedule":          {jobs.Kind(module.Job{Cron: "at three"}, work)},
	} {
		client, err := jobs.New(testkit.SQLite(t), zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Register(kinds); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestBackoffGrowsUpToItsBound(t *testing.T) {
	for attempt, want := range map[int]time.Duration{1: time.Second, 2: 16 * time.Second, 3: 81 * time.Second, 8: time.Hour, 1_000_000: time.Hour} {
		for range 100 {
			if got := jobs.Backoff(attempt, time.Hour); got < want*94/100 || got > want*106/100 {
				t.Errorf("after attempt %d: %s, want about %s", attempt, got, want)
			}
		}
	}
}

func TestUsualSettings(t *testing.T) {
	for engine, want := range map[database.Engine]time.Duration{database.SQLite: 250 * time.Millisecond, database.Postgres: 500 * time.Millisecond} {
		poll, rescue, soft := jobs.Usual(engine)
		if poll != want || rescue != time.Minute || soft != 15*time.Second || soft > jobs.Patience {
			t.Errorf("%s: polls after %s, rescues after %s, stops within %s", engine, poll, rescue, soft)
		}
	}
}

// A job that another version's leader gave up, because it didn't know the kind, is brought back; one that was tried as often as
// may be, or that nobody here works, isn't.
func TestWhatAnotherVersionGaveUpIsBroughtBack(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *database.DB) {
		kind, worked := telling(module.Job{})
		s := newSuite(t, db, kind, jobs.Kind(module.Job{}, func(context.Context, other) error { return nil }))
		s.enqueue(sweep{"early"})
		s.enqueue(sweep{"late"})
		s.enqueue(other{"unknown"})
		for _, statement := range []string{
			"UPDATE river_job SET state = 'discarded', attempt = 1, finalized_at = created_at",
			"UPDATE river_job SET attempt = max_attempts WHERE id = (SELECT min(id) + 1 FROM river_job)",
			"UPDATE river_job SET kind = 'tests.gone' WHERE kind = 'tests.other'",
		} {
			if _, err := db.SQL().Exec(statement); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Upkeep()[0].Run(t.Context(), []byte("{}")); err != nil {
			t.Fatal(err)
		}
		s.start()
		if id := receive(t, worked, "the work"); id != "early" {
			t.Errorf("%s was brought back", id)
		}
		s.await(0, rivertype.JobStateCompleted)
		s.await(1, rivertype.JobStateDiscarded)
		s.await(2, rivertype.JobStateDiscarded)
	})
}
