package bus

import (
	"context"
	"time"
)

// What the suite calls by itself, instead of waiting for a minute or a day.

func (b *Bus) Reconcile(ctx context.Context) error { return b.reconcile(ctx) }

func (b *Bus) Prune(ctx context.Context) error { return b.prune(ctx) }

// Checked returns the id up to which the consumer is done with everything.
func (b *Bus) Checked(ctx context.Context, consumer string) (checked string, err error) {
	err = b.db.Read(ctx).Raw("SELECT checked FROM events_consumers WHERE name = ?", consumer).Scan(&checked).Error
	return checked, err
}

var FirstID = firstID

const (
	Skew      = skew
	Slack     = slack
	Retention = retention
)

// Patience is how long an event may be on its way over the bus's road.
func (b *Bus) Patience() time.Duration { return b.road.patience() }
