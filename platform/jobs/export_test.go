package jobs

import (
	"context"
	"database/sql"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"

	"github.com/omnistack/omnistack/platform/database"
)

// What the suite shortens.

func (c *Client) Hasten() { c.settings.quick = true }

func (c *Client) RetryAfter(wait time.Duration) {
	c.settings.backoff = func(int, time.Duration) time.Duration { return wait }
}

func (c *Client) Schedule(next func(time.Time) time.Time) {
	c.ScheduleBy(func(_ string, after time.Time) time.Time { return next(after) })
}

func (c *Client) ScheduleBy(next func(text string, after time.Time) time.Time) {
	c.settings.schedule = func(text string) (river.PeriodicSchedule, error) {
		return scheduleFunc(func(after time.Time) time.Time { return next(text, after) }), nil
	}
}

type scheduleFunc func(time.Time) time.Time

func (f scheduleFunc) Next(after time.Time) time.Time { return f(after) }

func (c *Client) RescueAfter(after time.Duration) { c.settings.rescue = after }

func (c *Client) SoftStop(within time.Duration) { c.settings.soft = within }

func (c *Client) Impatient() { c.settings.patience = 50 * time.Millisecond }

func (c *Client) Poll(after time.Duration) { c.settings.poll = after }

func (c *Client) Follow() { c.settings.follower = true }

// Jobs returns the jobs there are, in the order of their ids.
func (c *Client) Jobs(ctx context.Context) ([]*rivertype.JobRow, error) {
	found, err := c.inserter.JobList(ctx, river.NewJobListParams().First(100).OrderBy(river.JobListOrderByID, river.SortOrderAsc))
	if err != nil {
		return nil, err
	}
	return found.Jobs, nil
}

var (
	Backoff  = backoff
	Schedule = schedule
	Owned    = owned
)

func Usual(engine database.Engine) (poll, rescue, soft time.Duration) {
	s := usual(engine)
	return s.poll, s.rescue, s.soft
}

// Driver returns River's way to the client's database.
func (c *Client) Driver() riverdriver.Driver[*sql.Tx] { return c.driver() }
