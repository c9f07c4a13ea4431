package bus

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/events"
)

// outboxRow is the table events_outbox: what happened. Its ids are UUIDv7, so their order is that of time.
type outboxRow struct {
	ID          database.Key `gorm:"primaryKey"`
	Name        string       `gorm:"type:text;not null"`
	Aggregate   database.Key `gorm:"not null;index:events_outbox_by_aggregate"`
	Version     int64        `gorm:"not null"`
	Payload     string       `gorm:"type:text;not null"`
	Correlation string       `gorm:"type:text;not null"`
	Actor       string       `gorm:"type:text;not null"`
	Trace       string       `gorm:"type:text;not null"`
	CreatedAt   time.Time    `gorm:"not null"`
}

// TableName returns the name of the table.
func (outboxRow) TableName() string { return "events_outbox" }

// inboxRow is the table events_inbox: which consumer is done with which event.
type inboxRow struct {
	EventID   database.Key `gorm:"primaryKey;index:events_inbox_dead,where:state = 'dead'"`
	Consumer  database.Key `gorm:"primaryKey"`
	State     string       `gorm:"type:text;not null"` // stateDone or stateDead
	Error     string       `gorm:"type:text;not null"` // why it is dead, masked
	SettledAt time.Time    `gorm:"not null"`
}

// TableName returns the name of the table.
func (inboxRow) TableName() string { return "events_inbox" }

// consumerRow is the table events_consumers: since when there is a consumer, and up to which event all are settled. What
// happened before it was there isn't for it.
type consumerRow struct {
	Name    database.Key `gorm:"primaryKey"`
	Since   time.Time    `gorm:"not null"`
	Checked database.Key `gorm:"not null"` // as an id
}

// TableName returns the name of the table.
func (consumerRow) TableName() string { return "events_consumers" }

// Models returns the rows of this package, for the schema tooling.
func Models() []any { return []any{&outboxRow{}, &inboxRow{}, &consumerRow{}} }

// The states of an event for a consumer. It waits when there is no row in the inbox, and is strange when there is none in the
// ledger.
const (
	stateWaiting = "waiting"
	stateDone    = "done"
	stateDead    = "dead"
	stateStrange = "strange"
)

// ledger is what is written of events, and of what became of them.
type ledger struct{ db *database.DB }

// columns are what an envelope is read from, in the order in which scan takes them.
const columns = "id, name, aggregate, version, payload, correlation, actor, trace, created_at"

func scan(row database.Row) (events.Envelope, error) {
	var e events.Envelope
	var payload string
	err := row.Scan(&e.ID, &e.Name, &e.Aggregate, &e.Version, &payload, &e.Correlation, &e.Actor, &e.Trace, &e.Time)
	e.Payload, e.Time = []byte(payload), e.Time.UTC()
	return e, err
}

// insert adds what happened, in the transaction that ctx carries, with one statement.
func (l ledger) insert(ctx context.Context, happened []events.Envelope) error {
	const row = "(?, ?, ?, ?, ?, ?, ?, ?, ?)"
	args := make([]any, 0, 9*len(happened))
	for _, e := range happened {
		args = append(args, e.ID, e.Name, e.Aggregate, e.Version, string(e.Payload), e.Correlation, e.Actor, e.Trace, e.Time)
	}
	statement := "INSERT INTO events_outbox (" + columns + ") VALUES " + row + strings.Repeat(", "+row, len(happened)-1)
	return database.Classify(l.db.Tx(ctx).Exec(statement, args...).Error)
}

// find returns one event, or errs.NotFound.
func (l ledger) find(ctx context.Context, eventID string) (events.Envelope, error) {
	found, err := database.All(l.db.Read(ctx).Raw("SELECT "+columns+" FROM events_outbox WHERE id = ?", eventID), scan)
	if err != nil {
		return events.Envelope{}, err
	}
	if len(found) == 0 {
		return events.Envelope{}, errs.Missing("Event", eventID)
	}
	return found[0], nil
}

// settle notes, in the transaction that ctx carries, that a consumer is done with an event of the ledger, and returns the state
// it was in before. Only when that is stateWaiting anything changed. When another transaction is doing the same, the call waits
// for it to end.
func (l ledger) settle(ctx context.Context, consumer, eventID, state, reason string, at time.Time) (before string, err error) {
	moment := "?"
	if l.db.Engine() == database.Postgres {
		moment = "CAST(? AS timestamptz)"
	}
	done := l.db.Tx(ctx).Exec("INSERT INTO events_inbox (event_id, consumer, state, error, settled_at) "+
		"SELECT id, ?, ?, ?, "+moment+" FROM events_outbox WHERE id = ? ON CONFLICT DO NOTHING", consumer, state, reason, at, eventID)
	if done.Error != nil || done.RowsAffected == 1 {
		return stateWaiting, database.Classify(done.Error)
	}
	found, err := database.All(l.db.Tx(ctx).Raw("SELECT state FROM events_inbox WHERE event_id = ? AND consumer = ?", eventID, consumer),
		database.Scalar[string])
	if err != nil || len(found) == 0 {
		return stateStrange, err
	}
	return found[0], nil
}

// enroll notes the consumers that are new, with the time. Their names come in order, or two who do this would wait for each
// other.
func (l ledger) enroll(ctx context.Context, consumers []string, now time.Time) error {
	return l.db.WithinTx(ctx, func(ctx context.Context) error {
		for _, name := range consumers {
			err := l.db.Tx(ctx).Exec("INSERT INTO events_consumers (name, since, checked) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
				name, now, firstID(now.UnixMilli())).Error
			if err != nil {
				return database.Classify(err)
			}
		}
		return nil
	})
}

// firstID returns the lowest id that a UUIDv7 of that millisecond since 1970 can be (RFC 9562, section 5.7).
func firstID(milliseconds int64) string {
	return fmt.Sprintf("%08x-%04x-7000-8000-000000000000", milliseconds>>16, milliseconds&0xffff)
}
