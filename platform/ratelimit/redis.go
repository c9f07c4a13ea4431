package ratelimit

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// takeScript is pace.take over the key's value, by the server's clock, so that all processes mean the same now. A key is
// gone when there is nothing left to remember. Its number is formatted by hand because Lua writes only 14 digits of one.
const takeScript = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local arrival = tonumber(redis.call('GET', KEYS[1]) or now) or now
arrival = math.min(math.max(arrival, now), now + burst)
local after = arrival + interval * cost
local wait = after - burst - now
if wait > 0 then
	return {arrival - now, wait}
end
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000))
return {after - now, 0}
`

// Redis is a Limiter of all processes that share a Redis. Each Take is one round trip, but for the first on a server that
// doesn't know the script.
type Redis struct {
	client *redis.Client
	script *redis.Script
}

// NewRedis returns a limiter that counts on the client's server, in keys that begin with "ratelimit:".
func NewRedis(client *redis.Client) *Redis {
	return &Redis{client: client, script: redis.NewScript(takeScript)}
}

// Take takes as every Limiter does. It fails when the server doesn't answer, with whatever the client says.
func (r *Redis) Take(ctx context.Context, key string, quota Quota, cost int) (Decision, error) {
	pace, sum := quota.pace(), quota.digest(key)
	name := "ratelimit:" + quota.Name + ":" + base64.RawURLEncoding.EncodeToString(sum[:])
	answer, err := r.script.Run(ctx, r.client, []string{name}, pace.interval, pace.burst, quota.bounded(cost)).Int64Slice()
	if err != nil {
		return Decision{}, fmt.Errorf("taking from a quota in Redis: %w", err)
	}
	if len(answer) != 2 {
		return Decision{}, fmt.Errorf("taking from a quota in Redis: it answers %v", answer)
	}
	return quota.decision(answer[0], answer[1]), nil
}
