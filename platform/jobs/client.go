package jobs

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivertype"
	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/module"
)

// Client enqueues jobs, and works them once it is started. It is safe for concurrent use when Register has been called.
type Client struct {
	db        *database.DB
	log       *zap.Logger
	settings  settings
	kinds     map[string]module.Job
	inserter  *river.Client[*sql.Tx]
	announced announced // of what insert inserts
	working   *worker   // nil while this process works nothing
}

// New returns a client that knows no kinds yet. It opens nothing.
func New(db *database.DB, log *zap.Logger) (*Client, error) {
	log = log.Named("jobs")
	c := &Client{db: db, log: log, settings: usual(db.Engine()), kinds: map[string]module.Job{}}
	c.announced.last = map[string]time.Time{}
	inserter, err := river.NewClient(c.driver(), &river.Config{
		FetchCooldown: c.settings.cooldown, // which here is how often an insert is announced
		Hooks:         []rivertype.Hook{river.HookInsertBeginFunc(setUnique)},
		Logger:        riverLog(log),
	})
	c.inserter = inserter
	return c, err
}

// driver returns River's way to the writing pool.
func (c *Client) driver() riverdriver.Driver[*sql.Tx] {
	if c.db.Engine() == database.SQLite {
		return riversqlite.New(c.db.SQL())
	}
	return riverdatabasesql.New(c.db.SQL())
}

// Register makes kinds known. It is called once, after the modules are put together and before anything is enqueued. A kind
// that is there twice or makes no sense is an error.
func (c *Client) Register(kinds []module.Job) error {
	for _, kind := range kinds {
		if _, known := c.kinds[kind.Kind]; known {
			return fmt.Errorf("jobs: there are two kinds %s", kind.Kind)
		}
		whole, err := complete(kind)
		if err != nil {
			return fmt.Errorf("jobs: the kind %s: %w", kind.Kind, err)
		}
		c.kinds[kind.Kind] = whole
	}
	return nil
}

// Option says how one job differs from others of its kind.
type Option func(*request)

// At makes the job wait until the time.
func At(when time.Time) Option { return func(r *request) { r.options.ScheduledAt = when } }

// Priority puts the job before or behind others of its queue: 1 is worked first, 4 last.
func Priority(priority int) Option { return func(r *request) { r.options.Priority = priority } }

// Unique enqueues the job only if no other one of the kind with this id waits or is being worked. Once that has ended, well
// or not, the id is free. It is no good for "bring it up to date": what changes while the other one runs would be missed.
func Unique(id string) Option {
	return func(r *request) {
		r.args.unique = id
		r.options.UniqueOpts = river.UniqueOpts{ByQueue: true, ByState: unfinished} // the key is set by setUnique
	}
}

// unfinished are the states of a job that will still be worked.
var unfinished = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning,
	rivertype.JobStateScheduled,
}

// Request is a job to enqueue.
type Request struct {
	Args    Args
	Options []Option
}

// request is a job to enqueue, as River takes it.
type request struct {
	args    payload
	options river.InsertOpts
}

// payload is the arguments of a job of any kind, as River carries them.
type payload struct {
	kind   string
	unique string
	text   []byte // JSON
}

// Kind returns the kind.
func (p payload) Kind() string { return p.kind }

// MarshalJSON returns the arguments.
func (p payload) MarshalJSON() ([]byte, error) { return p.text, nil }

// UnmarshalJSON keeps the arguments.
func (p *payload) UnmarshalJSON(text []byte) error {
	p.text = append([]byte(nil), text...)
	return nil
}

// setUnique replaces the key that River computes by one of the kind and the id.
func setUnique(_ context.Context, params *rivertype.JobInsertParams) error {
	if args, ok := params.Args.(payload); ok && args.unique != "" {
		key := sha256.Sum256([]byte(args.kind + "\x00" + args.unique))
		params.UniqueKey = key[:]
	}
	return nil
}

// Enqueue adds a job to the transaction that ctx carries: it is there if and only if that commits. Outside of
// database.WithinTx it is database.ErrNoTransaction. A kind that no module has registered is an error, and like every error
// it rolls the whole transaction back.
func (c *Client) Enqueue(ctx context.Context, args Args, options ...Option) error {
	return c.EnqueueMany(ctx, Request{args, options})
}

// EnqueueMany is Enqueue for several jobs, which together cost little more than one: all of them are there, or none.
func (c *Client) EnqueueMany(ctx context.Context, jobs ...Request) error {
	tx, err := c.db.SQLTx(ctx)
	if err != nil {
		return err
	}
	// Joined, because after an error of River's only a rollback is safe.
	return c.db.WithinTx(ctx, func(ctx context.Context) error {
		many := make([]river.InsertManyParams, len(jobs))
		for i, job := range jobs {
			wanted, err := c.request(job.Args, job.Options)
			if err != nil {
				return err
			}
			if len(jobs) == 1 && wanted.simple() {
				return database.Classify(c.insert(ctx, tx, wanted))
			}
			many[i] = river.InsertManyParams{Args: wanted.args, InsertOpts: &wanted.options}
		}
		if len(many) == 0 {
			return nil
		}
		_, err := c.inserter.InsertManyFastTx(ctx, tx, many)
		return database.Classify(err)
	})
}

func (c *Client) request(args Args, options []Option) (request, error) {
	kind, known := c.kinds[args.Kind()]
	if !known {
		return request{}, fmt.Errorf("jobs: no module has the kind %s", args.Kind())
	}
	text, err := json.Marshal(args)
	if err != nil {
		return request{}, fmt.Errorf("jobs: the arguments of %s: %w", kind.Kind, err)
	}
	wanted := request{args: payload{kind: kind.Kind, text: text}, options: defaults(kind)}
	for _, option := range options {
		option(&wanted)
	}
	return wanted, nil
}

// defaults are how a job of the kind is inserted.
func defaults(kind module.Job) river.InsertOpts {
	return river.InsertOpts{MaxAttempts: kind.Attempts, Priority: kind.Priority, Queue: kind.Queue}
}
