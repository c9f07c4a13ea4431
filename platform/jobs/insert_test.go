package jobs_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/riverqueue/river/rivertype"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
)

// A job that is enqueued alone is the row that River makes of one that is enqueued with others.
func TestOurInsertIsRivers(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *database.DB) {
		kind, _ := telling(module.Job{Queue: "mail", Priority: 3, Attempts: 7})
		s := newSuite(t, db, kind)
		odd := sweep{`"\ü<'? $1`}
		s.enqueue(odd)
		err := db.WithinTx(t.Context(), func(ctx context.Context) error {
			return s.EnqueueMany(ctx, jobs.Request{Args: odd}, jobs.Request{Args: odd})
		})
		if err != nil {
			t.Fatal(err)
		}
		query, exact := "SELECT name FROM pragma_table_info('river_job')", "typeof(%[1]s) || quote(%[1]s)"
		if db.Engine() == database.Postgres {
			query = "SELECT column_name FROM information_schema.columns WHERE table_name = 'river_job'"
			exact = "coalesce(CAST(%[1]s AS text), 'NULL')"
		}
		columns, err := database.All(db.Read(t.Context()).Raw(query), database.Scalar[string])
		if err != nil || len(columns) != 18 {
			t.Fatalf("%d columns, %v", len(columns), err)
		}
		for _, column := range columns {
			shown := exact
			switch column {
			case "id":
				continue
			case "created_at", "scheduled_at": // of one form, the same, and now
				shown = "(created_at = scheduled_at) || ' ' || length(%[1]s) || typeof(%[1]s) || (abs(julianday('now') - julianday(%[1]s)) * 86400 < 60)"
				if db.Engine() == database.Postgres {
					shown = "CAST(created_at = scheduled_at AND %[1]s BETWEEN now() - interval '1 minute' AND now() + interval '1 minute' AS text)"
				}
			}
			values, err := database.All(db.Read(t.Context()).Raw("SELECT "+fmt.Sprintf(shown, column)+" FROM river_job ORDER BY id"), database.Scalar[string])
			if err != nil || len(values) != 3 || values[1] != values[2] {
				t.Fatalf("%s: %q, %v", column, values, err)
			}
			if values[0] != values[1] {
				t.Errorf("%s: ours is %s, River's is %s", column, values[0], values[1])
			}
		}
	})
}

// Whoever works is told of a job, alone or not, and needn't look for it.
func TestJobsAreAnnounced(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *database.DB) {
		kind, worked := telling(module.Job{})
		s := newSuite(t, db, kind)
		s.Poll(time.Hour)
		s.start()
		for place := range 4 { // the first may be found by the first look
			s.enqueue(sweep{"alone"})
			receive(t, worked, "the work of one alone")
			s.await(place, rivertype.JobStateCompleted) // by when another is announced again
		}
		err := db.WithinTx(t.Context(), func(ctx context.Context) error {
			return s.EnqueueMany(ctx, jobs.Request{Args: sweep{"1"}}, jobs.Request{Args: sweep{"2"}})
		})
		if err != nil {
			t.Fatal(err)
		}
		receive(t, worked, "the work of two")
		receive(t, worked, "the work of two")
	})
}
