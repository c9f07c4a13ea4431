package bus

import (
	"context"
	"time"

	"github.com/omnistack/omnistack/platform/events"
	"github.com/omnistack/omnistack/platform/jobs"
	"github.com/omnistack/omnistack/platform/module"
)

// jobRoad carries events by jobs alone: one for each event and consumer.
type jobRoad struct{ bus *Bus }

func (r *jobRoad) send(envelopes []events.Envelope) []jobs.Request {
	var requests []jobs.Request
	for _, event := range envelopes {
		for _, consumer := range r.bus.wanted[event.Name] {
			requests = append(requests, jobs.Request{Args: delivery{consumer.Name, event.ID}})
		}
	}
	return requests
}

// kinds returns the kind that the other road leaves behind when a product comes back from it.
func (r *jobRoad) kinds() []module.Job {
	return []module.Job{jobs.Kind(module.Job{
		Summary: "delivers an event that was to go by Redis", Queue: queue, Manager: "events",
	}, func(ctx context.Context, args publishArgs) error {
		event, err := r.bus.ledger.find(ctx, args.Event)
		if err != nil {
			return err
		}
		for _, consumer := range r.bus.wanted[event.Name] {
			if err := r.bus.redeliver(ctx, consumer.Name, []string{event.ID}); err != nil {
				return err
			}
		}
		return nil
	})}
}

// patience is long: a job can't get lost, but one may be given up by mistake, or not be there, because the process that
// published didn't know the consumer.
func (r *jobRoad) patience() time.Duration { return 5 * time.Minute }

func (r *jobRoad) open(context.Context) error          { return nil }
func (r *jobRoad) subscription(*consumer) subscription { return subscription{} }
func (r *jobRoad) drain()                              {}
func (r *jobRoad) close() error                        { return nil }
