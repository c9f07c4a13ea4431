package bus

import (
	"context"
	"time"
)

// What the tests of the streams shorten, or call by themselves.

// Hurry makes an entry free to be claimed after idle, and lines look for such every claim.
func (b *Bus) Hurry(idle, claim time.Duration) {
	settings := &b.road.(*redisRoad).settings
	settings.idle = func(*consumer) time.Duration { return idle }
	settings.claim = claim
}

// Forget sets after which time readers and groups are forgotten.
func (b *Bus) Forget(readers, outsiders time.Duration) {
	settings := &b.road.(*redisRoad).settings
	settings.forgotten, settings.outsider = readers, outsiders
}

// Trim is the job that trims.
func (b *Bus) Trim(ctx context.Context) error { return b.road.(*redisRoad).trim(ctx) }

// GiveUp takes an event that failed off the stream.
func (b *Bus) GiveUp(ctx context.Context, consumer, eventID string, why error) error {
	return b.road.(*redisRoad).giveUp(ctx, b.consumers[consumer], eventID, why)
}

// Write is the job that writes an event to its stream.
func (b *Bus) Write(ctx context.Context, eventID string) error {
	return b.road.(*redisRoad).publish(ctx, publishArgs{eventID})
}

// CloseClient closes what Watermill's publisher and subscribers close.
func (b *Bus) CloseClient() error {
	return b.road.(*redisRoad).publisher.Close()
}

// Strange returns how many messages were no event that the consumer knows.
func (b *Bus) Strange(consumer string) int64 { return b.consumers[consumer].strange.Load() }

// Longest returns how long an entry may belong to a reader that is alive, of a consumer with the timeout.
func Longest(timeout time.Duration) time.Duration {
	c := &consumer{}
	c.Timeout = timeout
	return longest(c)
}

var StreamKey = streamKey

const (
	Lines      = lines
	QuickTries = quickTries
	Grace      = grace
)

// RedisPatience is how long an event may be on its way through Redis.
var RedisPatience = (&redisRoad{}).patience()
