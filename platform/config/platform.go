package config

import (
	"net/url"
	"strings"
	"time"
)

// Platform holds the settings of everything that belongs to no module.
type Platform struct {
	Core          Core
	HTTP          HTTP
	Database      Database
	Redis         Redis
	Auth          Auth
	RateLimit     RateLimit
	Storage       Storage
	Events        Events
	Observability Observability
}

// PlatformOwner is the owner's name of the platform's settings.
const PlatformOwner = "platform"

// Group returns p as a group for Load.
func (p *Platform) Group() Group { return Group{Owner: PlatformOwner, Struct: p} }

// Validate checks what concerns more than one group of the platform.
func (p *Platform) Validate(check *Check) {
	if p.Events.Transport == TransportRedis && p.Redis.URL == "" {
		check.Refuse("REDIS_URL", "must be set when EVENTS_TRANSPORT is redis")
	}
}

// RateLimit says how often one client may call. A client is a signed-in user or API key, else an address.
type RateLimit struct {
	Enabled bool `env:"RATE_LIMIT_ENABLED" default:"true" help:"Whether calls are limited at all."`
	Default Rate `env:"RATE_LIMIT_DEFAULT" default:"60/minute" help:"How often a client may call routes in no other group."`
	AI      Rate `env:"RATE_LIMIT_AI" default:"10/minute" help:"How often a client may call the AI routes."`
	Auth    Rate `env:"RATE_LIMIT_AUTH" default:"5/minute" help:"How often a client may call sign-in routes, or fail to sign in."`
}

// Validate warns about an open door.
func (r *RateLimit) Validate(check *Check) {
	if !r.Enabled && check.Environment == Production {
		check.Warn("RATE_LIMIT_ENABLED", "lets any client call as often as it likes, in production")
	}
}

// The transports of events.
const (
	TransportDatabase = "database" // delivery jobs in the database
	TransportRedis    = "redis"    // Redis Streams between processes
)

// Events says how events travel and how long answers to repeated calls are kept.
type Events struct {
	Transport      string        `env:"EVENTS_TRANSPORT" default:"database" oneof:"database redis" help:"How events reach their consumers: jobs in the database, or Redis Streams."`
	IdempotencyTTL time.Duration `env:"IDEMPOTENCY_TTL" default:"24h" min:"1m" max:"720h" help:"How long an Idempotency-Key answers a repeated call with the first answer."`
}

// Observability says where traces and errors are sent. Nothing is sent when it is unset. Metrics are served, see HTTP.
type Observability struct {
	SentryDSN              Secret  `env:"SENTRY_DSN" help:"Where errors are reported."`
	SentryTracesSampleRate float64 `env:"SENTRY_TRACES_SAMPLE_RATE" default:"0.1" min:"0" max:"1" help:"The share of requests that are traced, 0 to 1."`
	OTLPEndpoint           string  `env:"OTEL_EXPORTER_OTLP_ENDPOINT" is:"base" help:"The OTLP/HTTP collector that gets traces, such as http://localhost:4318."`
	OTLPHeaders            Secret  `env:"OTEL_EXPORTER_OTLP_HEADERS" help:"Headers for the collector, as name=value,name=value; most hold a key."`
	ServiceName            string  `env:"OTEL_SERVICE_NAME" default:"omnistack" help:"The name of this service in traces."`
	ResourceAttributes     string  `env:"OTEL_RESOURCE_ATTRIBUTES" help:"More about this service in traces, as name=value,name=value."`
}

// Validate checks the forms that no tag can say.
func (o *Observability) Validate(check *Check) {
	if o.SentryDSN != "" && !isSentryDSN(o.SentryDSN.Reveal()) {
		check.Refuse("SENTRY_DSN", "must be a DSN, such as https://key@o1.ingest.sentry.io/42")
	}
	for name, list := range map[string]string{
		"OTEL_EXPORTER_OTLP_HEADERS": o.OTLPHeaders.Reveal(),
		"OTEL_RESOURCE_ATTRIBUTES":   o.ResourceAttributes,
	} {
		if !isPairList(list) {
			check.Refuse(name, "must be of the form name=value,name=value")
		}
	}
}

// isSentryDSN reports whether text has a host, a key as its user and a project number as its path.
func isSentryDSN(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return false
	}
	return u.User.Username() != "" && strings.Trim(u.Path, "/") != ""
}

// isPairList reports whether text is empty or a comma list of name=value.
func isPairList(text string) bool {
	if text == "" {
		return true
	}
	for pair := range strings.SplitSeq(text, ",") {
		if name, _, found := strings.Cut(strings.TrimSpace(pair), "="); !found || name == "" {
			return false
		}
	}
	return true
}
