package bus

import (
	"context"

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

func (r *jobRoad) kinds() []module.Job                 { return nil }
func (r *jobRoad) open(context.Context) error          { return nil }
func (r *jobRoad) subscription(*consumer) subscription { return subscription{} }
func (r *jobRoad) close() error                        { return nil }

// durable tells that what is sent can't be lost on the way.
func (r *jobRoad) durable() bool { return true }
