// Package events is what modules tell each other: that something happened, in words that last.
//
// An event has a golden name with a version, such as "users.user_registered.v1", and a flat payload: a struct of ids,
// numbers, booleans and times, without personal data and secrets. It is kept for 30 days and shown to administrators. A
// version only ever gains fields that readers may do without; what breaks a reader is a new version, under a new name, and
// both are published until nobody reads the old one. Golden files of every payload hold a module to that.
//
// This package is the contract and knows no technology; platform/bus carries events.
package events

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"time"

	"github.com/omnistack/omnistack/platform/errs"
)

// Event is something that happened. A type of the contract of the module where it happens implements it on its value, with
// JSON names on all fields.
type Event interface {
	// EventName returns the golden name, the same for every value: MODULE.WHAT_HAPPENED.vN.
	EventName() string
	// Aggregate returns the id of what it happened to, and the version that this made. Versions grow, so that who copies
	// state from events can leave out those that come late.
	Aggregate() (id string, version int64)
}

// Publisher tells whoever wants to know that something happened.
type Publisher interface {
	// Publish makes the events part of the transaction that ctx carries: they are handled if and only if it commits. Outside
	// of one it is an error.
	Publish(ctx context.Context, happened ...Event) error
}

var name = regexp.MustCompile(`^[a-z][a-z0-9]*\.[a-z][a-z0-9_]*\.v[1-9][0-9]*$`)

// ValidName tells whether a name is of the form MODULE.WHAT_HAPPENED.vN.
func ValidName(text string) bool { return name.MatchString(text) }

// Envelope is an event as it travels and is kept, with the attributes of CloudEvents 1.0
// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md) and the extensions correlationid, actor and
// traceparent.
type Envelope struct {
	ID        string          // a UUIDv7: events published later sort later
	Name      string          // the CloudEvents type
	Aggregate string          // the CloudEvents subject
	Version   int64           // of the aggregate
	Time      time.Time       // when it was published, in UTC to the microsecond
	Payload   json.RawMessage // the event, as JSON
	Origin
}

// Origin is what led to an event. Each part may be empty.
type Origin struct {
	Correlation string // the id of the request at the beginning, which all that follows from it shares
	Actor       string // the id of the user who made that request
	Trace       string // its W3C traceparent
}

// Consumer handles events of one name. On makes one; a field that is zero has the default that stands behind it.
type Consumer struct {
	Name     string        // its golden name, MODULE.WHAT_IT_DOES: what it has handled is remembered under it
	Event    string        // the name of the events that it handles; On fills it in
	Summary  string        // one line: what it does
	Timeout  time.Duration // how long one attempt may take; 10 s
	Attempts int           // how often it is tried before the event is dead for this consumer; 25
	Backoff  time.Duration // the longest wait between two attempts; an hour

	// Handle handles one event in the transaction that ctx carries, in which it is also noted as handled: a second time it
	// isn't called. It asks no port and nothing outside of the process; who must, enqueues a job.
	Handle func(ctx context.Context, event Envelope) error
}

// On returns the consumer with what it does: handle takes one event in a transaction, as Consumer.Handle says. A payload
// that can't be read makes the event dead for it.
func On[E Event](about Consumer, handle func(ctx context.Context, event E, envelope Envelope) error) Consumer {
	var zero E
	about.Event = zero.EventName()
	about.Handle = func(ctx context.Context, envelope Envelope) error {
		var event E
		if err := json.Unmarshal(envelope.Payload, &event); err != nil {
			return errs.New(errs.Invalid, "The event can't be read").Because(fmt.Errorf("%s: %w", envelope.Name, err))
		}
		return handle(ctx, event, envelope)
	}
	return about
}
