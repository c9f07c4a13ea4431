package bus

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/page"
)

// Routes registers what administrators do with events. It needs no delivery: any process that serves the API will do.
func (b *Bus) Routes(r *httpserver.Router) {
	const list, one = "/admin/events", "/admin/events/{id}"
	missing := []int{http.StatusNotFound}
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: list, Guard: httpserver.Admin,
		Summary: "List the events, the newest first, and what their consumers made of them",
	}, b.list)
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: list + "/stats", Guard: httpserver.Admin,
		Summary: "Count what each consumer has handled",
	}, b.stats)
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: one, Guard: httpserver.Admin,
		Summary: "Get an event", Errors: missing,
	}, b.get)
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodPost, Path: one + "/replay", Guard: httpserver.Admin,
		Summary: "Deliver an event again, to the consumers that didn't handle it or to one that did", Errors: missing,
	}, b.replay)
}

// Event is an event as administrators see it.
type Event struct {
	ID            string          `json:"id"`
	Name          string          `json:"name"`
	Aggregate     string          `json:"aggregate" doc:"The id of what it happened to"`
	Version       int64           `json:"version" doc:"Of the aggregate"`
	Time          time.Time       `json:"time"`
	CorrelationID string          `json:"correlation_id" doc:"The id of the request that led to it; empty if none did"`
	Actor         string          `json:"actor" doc:"The id of the user who made that request; empty if nobody did"`
	Payload       json.RawMessage `json:"payload" doc:"The event, as it was published"`
	Consumers     []EventConsumer `json:"consumers" nullable:"false"`
}

// EventConsumer is what a consumer made of an event.
type EventConsumer struct {
	Name      string     `json:"name"`
	State     string     `json:"state" enum:"waiting,done,dead"`
	Error     string     `json:"error,omitempty" doc:"Why it is dead. Secrets and addresses are masked"`
	SettledAt *time.Time `json:"settled_at" doc:"When it was handled, or died"`
}

type listInput struct {
	Name      string    `query:"name" maxLength:"127" doc:"Only events of this name"`
	Aggregate string    `query:"aggregate" maxLength:"255" doc:"Only what happened to this"`
	State     string    `query:"state" enum:"done,dead" doc:"Only events that a consumer has handled, or that are dead for one"`
	From      time.Time `query:"from" doc:"Only what happened at this time or later"`
	To        time.Time `query:"to" doc:"Only what happened before this time"`
	Skip      int       `query:"skip" minimum:"0" maximum:"10000" default:"0" doc:"How many to leave out"`
	Limit     int       `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"How many to answer at most"`
}

// where returns the condition that the filters make, and its arguments. Times are looked up by id, which begins with them.
func (in *listInput) where() (condition string, args []any) {
	condition = " FROM events_outbox WHERE 1 = 1"
	filter := func(wanted bool, test string, values ...any) {
		if wanted {
			condition += " AND " + test
			args = append(args, values...)
		}
	}
	filter(in.Name != "", "name = ?", in.Name)
	filter(in.Aggregate != "", "aggregate = ?", in.Aggregate)
	filter(in.State != "", "EXISTS (SELECT 1 FROM events_inbox WHERE event_id = id AND state = ?)", in.State)
	filter(!in.From.IsZero(), "id >= ? AND created_at >= ?", firstID(in.From.UnixMilli()), in.From.UTC())
	filter(!in.To.IsZero(), "id < ? AND created_at < ?", firstID(in.To.UnixMilli()+1), in.To.UTC())
	return condition, args
}

func (b *Bus) list(ctx context.Context, in *listInput) (*httpserver.List[Event], error) {
	where, args := in.where()
	total, err := database.One(b.db.Read(ctx).Raw("SELECT count(*)"+where, args...), database.Scalar[int64])
	if err != nil {
		return nil, err
	}
	query := b.db.Read(ctx).Raw("SELECT "+columns+where+" ORDER BY id DESC LIMIT ? OFFSET ?", append(args, in.Limit, in.Skip)...)
	found, err := database.All(query, scan)
	if err != nil {
		return nil, err
	}
	shown, err := b.show(ctx, found)
	if err != nil {
		return nil, err
	}
	return httpserver.ListOf(page.Page[Event]{Items: shown, Total: total, Skip: in.Skip, Limit: in.Limit}, func(e Event) Event { return e }), nil
}

// show returns the events with what their consumers made of them.
func (b *Bus) show(ctx context.Context, found []events.Envelope) ([]Event, error) {
	ids := make([]string, len(found))
	for i, e := range found {
		ids[i] = e.ID
	}
	settled, err := b.ledger.settled(ctx, ids)
	if err != nil {
		return nil, err
	}
	since, err := b.ledger.since(ctx)
	if err != nil {
		return nil, err
	}
	shown := make([]Event, len(found))
	for i, e := range found {
		shown[i] = Event{
			ID: e.ID, Name: e.Name, Aggregate: e.Aggregate, Version: e.Version, Time: e.Time,
			CorrelationID: e.Correlation, Actor: e.Actor, Payload: e.Payload, Consumers: b.states(e, settled[e.ID], since),
		}
	}
	return shown, nil
}

// states returns what each consumer made of the event: those of today, unless they came later, and those that were once.
func (b *Bus) states(event events.Envelope, settled []inboxRow, since map[string]time.Time) []EventConsumer {
	states := []EventConsumer{}
	for _, row := range settled {
		states = append(states, EventConsumer{Name: string(row.Consumer), State: row.State, Error: row.Error, SettledAt: &row.SettledAt})
	}
	for _, c := range b.wanted[event.Name] {
		if !since[c.Name].After(event.Time) && !slices.ContainsFunc(states, func(s EventConsumer) bool { return s.Name == c.Name }) {
			states = append(states, EventConsumer{Name: c.Name, State: stateWaiting})
		}
	}
	return states
}

// since returns from when on events are for a consumer, by its name.
func (l ledger) since(ctx context.Context) (map[string]time.Time, error) {
	rows, err := database.All(l.db.Read(ctx).Raw("SELECT name, since, checked FROM events_consumers"), scanConsumer)
	since := make(map[string]time.Time, len(rows))
	for _, row := range rows {
		since[string(row.Name)] = row.Since
	}
	return since, err
}

// settled returns the inbox rows of the events, by event and in the order of the consumers' names.
func (l ledger) settled(ctx context.Context, eventIDs []string) (map[string][]inboxRow, error) {
	if len(eventIDs) == 0 {
		return nil, nil
	}
	rows, err := database.All(l.db.Read(ctx).Raw(
		"SELECT event_id, consumer, state, error, settled_at FROM events_inbox WHERE event_id IN ? ORDER BY event_id, consumer", eventIDs),
		func(row database.Row) (found inboxRow, err error) {
			err = row.Scan(&found.EventID, &found.Consumer, &found.State, &found.Error, &found.SettledAt)
			found.SettledAt = found.SettledAt.UTC()
			return found, err
		})
	by := map[string][]inboxRow{}
	for _, row := range rows {
		by[string(row.EventID)] = append(by[string(row.EventID)], row)
	}
	return by, err
}

// OneInput names one event. It is exported because huma passes over what an unexported embedded struct holds.
type OneInput struct {
	ID string `path:"id" maxLength:"255"`
}

func (b *Bus) get(ctx context.Context, in *OneInput) (*httpserver.Object[Event], error) {
	return b.object(ctx, in.ID)
}

func (b *Bus) object(ctx context.Context, eventID string) (*httpserver.Object[Event], error) {
	found, err := b.ledger.find(ctx, eventID)
	if err != nil {
		return nil, err
	}
	shown, err := b.show(ctx, []events.Envelope{found})
	if err != nil {
		return nil, err
	}
	return &httpserver.Object[Event]{Body: shown[0]}, nil
}

// EventReplay says who is to get an event again.
type EventReplay struct {
	Consumer string `json:"consumer,omitempty" maxLength:"127" doc:"One consumer, even if it has handled the event; without it all that haven't"`
}

type replayInput struct {
	OneInput
	Body *EventReplay
}

func (b *Bus) replay(_ context.Context, in *replayInput) (httpserver.Commit[httpserver.Object[Event]], error) {
	var consumer string
	if in.Body != nil {
		consumer = in.Body.Consumer
	}
	return func(ctx context.Context) (*httpserver.Object[Event], error) {
		if err := b.Replay(ctx, in.ID, consumer); err != nil {
			return nil, err
		}
		return b.object(ctx, in.ID)
	}, nil
}

// Replay delivers an event again, in the transaction that ctx carries: to the named consumer even if it has handled it, and
// with an empty name to all that haven't and were there when it happened. An event or a consumer that doesn't exist is
// errs.NotFound.
func (b *Bus) Replay(ctx context.Context, eventID, consumer string) error {
	event, err := b.ledger.find(ctx, eventID)
	if err != nil {
		return err
	}
	settled, err := b.ledger.settled(ctx, []string{eventID})
	if err != nil {
		return err
	}
	if consumer != "" {
		if c := b.consumers[consumer]; c == nil || c.Event != event.Name {
			return errs.Missing("Consumer", consumer)
		}
		return b.again(ctx, eventID, consumer)
	}
	since, err := b.ledger.since(ctx)
	if err != nil {
		return err
	}
	for _, c := range b.states(event, settled[eventID], since) {
		if b.consumers[c.Name] == nil || c.State == stateDone {
			continue
		}
		if err := b.again(ctx, eventID, c.Name); err != nil {
			return err
		}
	}
	return nil
}

// again forgets what the consumer made of the event, and delivers it. The job isn't unique: the one before it is at work, as
// far as anybody can tell, until its end is noted.
func (b *Bus) again(ctx context.Context, eventID, consumer string) error {
	err := b.db.Tx(ctx).Exec("DELETE FROM events_inbox WHERE event_id = ? AND consumer = ?", eventID, consumer).Error
	if err != nil {
		return database.Classify(err)
	}
	return b.jobs.Enqueue(ctx, delivery{consumer, eventID})
}

// Dead picks deliveries that were given up. What is zero picks all.
type Dead struct {
	Event    string    `json:"name,omitempty"` // of the events
	Consumer string    `json:"consumer,omitempty"`
	From     time.Time `json:"from,omitzero"` // when they happened
	To       time.Time `json:"to,omitzero"`
}

// ReplayDead delivers again what was given up until now, and returns how many deliveries that were. It takes them in pieces,
// each a transaction of its own: after an error some are on their way. An event or a consumer that doesn't exist is
// errs.NotFound.
func (b *Bus) ReplayDead(ctx context.Context, which Dead) (int, error) {
	if which.Event != "" && !b.published[which.Event] {
		return 0, errs.Missing("Event", which.Event)
	}
	if which.Consumer != "" && b.consumers[which.Consumer] == nil {
		return 0, errs.Missing("Consumer", which.Consumer)
	}
	// A consumer of another version is left alone.
	query := "SELECT event_id, consumer FROM events_inbox JOIN events_outbox ON id = event_id WHERE state = ? AND consumer IN ?"
	args := []any{stateDead, slices.Sorted(maps.Keys(b.consumers))}
	filter := func(wanted bool, test string, value any) {
		if wanted {
			query += " AND " + test
			args = append(args, value)
		}
	}
	filter(which.Event != "", "name = ?", which.Event)
	filter(which.Consumer != "", "consumer = ?", which.Consumer)
	filter(!which.From.IsZero(), "created_at >= ?", which.From.UTC())
	filter(!which.To.IsZero(), "created_at < ?", which.To.UTC())
	query += " AND (event_id, consumer) > (?, ?) ORDER BY event_id, consumer LIMIT ?"
	replayed := 0
	for last := (inboxRow{}); ; {
		var dead []inboxRow
		err := b.db.WithinTx(ctx, func(ctx context.Context) (err error) {
			values := slices.Concat(args, []any{last.EventID, last.Consumer, batch})
			dead, err = database.All(b.db.Tx(ctx).Raw(query, values...), scanDead)
			for _, row := range dead {
				if err == nil {
					err = b.again(ctx, string(row.EventID), string(row.Consumer))
				}
			}
			return err
		})
		if err != nil {
			return replayed, err
		}
		replayed += len(dead)
		if len(dead) < batch {
			return replayed, nil
		}
		last = dead[batch-1] // what dies again meanwhile is left alone
	}
}

func scanDead(row database.Row) (found inboxRow, err error) {
	err = row.Scan(&found.EventID, &found.Consumer)
	return found, err
}

// EventStats are how many events there are and what this process made of them since it began.
type EventStats struct {
	Events    int64                    `json:"events" doc:"How many are kept"`
	Dead      int64                    `json:"dead" doc:"How often one is dead for a consumer"`
	Consumers map[string]ConsumerStats `json:"consumers" doc:"What this process did since it began, by consumer"`
}

// ConsumerStats are what one process made of the events of a consumer.
type ConsumerStats struct {
	Event   string `json:"event"`
	Handled int64  `json:"handled" doc:"Deliveries that went well, repeated ones too"`
	Failed  int64  `json:"failed" doc:"Attempts that went wrong"`
	Dead    int64  `json:"dead" doc:"Events that were given up"`
	Unknown int64  `json:"unknown" doc:"Messages that were no event the consumer knows, and were passed over"`
}

func (b *Bus) stats(ctx context.Context, _ *struct{}) (*httpserver.Object[EventStats], error) {
	stats := EventStats{Consumers: b.Consumers()}
	var err error
	if stats.Events, err = database.One(b.db.Read(ctx).Raw("SELECT count(*) FROM events_outbox"), database.Scalar[int64]); err != nil {
		return nil, err
	}
	if stats.Dead, err = database.One(b.db.Read(ctx).Raw("SELECT count(*) FROM events_inbox WHERE state = ?", stateDead), database.Scalar[int64]); err != nil {
		return nil, err
	}
	return &httpserver.Object[EventStats]{Body: stats}, nil
}

// Consumers returns what this process made of events since it began, by the names of the consumers.
func (b *Bus) Consumers() map[string]ConsumerStats {
	stats := make(map[string]ConsumerStats, len(b.consumers))
	for name, c := range b.consumers {
		stats[name] = ConsumerStats{
			Event: c.Event, Handled: c.handled.Load(), Failed: c.failed.Load(), Dead: c.dead.Load(), Unknown: c.strange.Load(),
		}
	}
	return stats
}
