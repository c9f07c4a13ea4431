package config

import (
	"errors"
	"net/url"
	"strings"
	"time"
)

// Database says which database holds everything.
type Database struct {
	URL         Secret        `env:"DATABASE_URL" default:"sqlite:///{DATA_DIR}/omnistack.db" mask:"url" help:"The database: postgres://user:password@host:5432/name, or sqlite:///path/to/file.db; unset, an embedded SQLite file in DATA_DIR."`
	PoolSize    int           `env:"DB_POOL_SIZE" default:"10" min:"1" max:"1000" help:"The most connections to Postgres; fewer for serverless databases."`
	PoolRecycle time.Duration `env:"DB_POOL_RECYCLE" default:"3600" min:"1s" help:"How long a connection to Postgres is kept; a plain number is seconds."`
	UseNullPool bool          `env:"DB_USE_NULL_POOL" default:"false" help:"Keeps no connections and prepares no statements, for serverless databases and transaction poolers."`
}

// The database engines.
const (
	EnginePostgres = "postgres"
	EngineSQLite   = "sqlite"
)

// Target returns the engine and what its driver opens: a postgres:// URL, with its password, or the path of a SQLite
// file. Both are empty when URL is not valid, which Load refuses.
func (d Database) Target() (engine, dsn string) {
	engine, dsn, err := parseDatabaseURL(d.URL.Reveal())
	if err != nil {
		return "", ""
	}
	return engine, dsn
}

// Validate checks the URL.
func (d *Database) Validate(check *Check) {
	if _, _, err := parseDatabaseURL(d.URL.Reveal()); err != nil {
		check.Refuse("DATABASE_URL", "%s", err.Error())
	}
	if check.Environment == Production && !check.IsSet("DATABASE_URL") {
		check.Warn("DATABASE_URL", "production keeps its data in one file, which only one machine can use")
	}
}

var (
	errDatabaseScheme = errors.New("must start with postgres://, postgresql://, postgresql+asyncpg://, sqlite:// or sqlite+aiosqlite://")
	errPostgresURL    = errors.New("must be of the form postgres://user:password@host:5432/name, with signs such as @ / # in the password written as %40 %2F %23")
	errSQLiteURL      = errors.New("must be of the form sqlite:///relative/file.db or sqlite:////absolute/file.db, without parameters")
	errSQLiteMemory   = errors.New("must name a file: a database in memory can't be shared by several connections")
)

// parseDatabaseURL reads the URLs that SQLAlchemy and Postgres tools use. Its errors don't repeat the text.
func parseDatabaseURL(text string) (engine, dsn string, err error) {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return "", "", errDatabaseScheme
	}
	switch scheme {
	case "sqlite", "sqlite+aiosqlite":
		dsn, err = parseSQLite(rest)
		return EngineSQLite, dsn, err
	case "postgresql+asyncpg":
		rest, err = translateAsyncpg(rest)
	case "postgres", "postgresql":
	default:
		return "", "", errDatabaseScheme
	}
	if err != nil || !isPostgres(rest) {
		return "", "", errPostgresURL
	}
	return EnginePostgres, "postgres://" + rest, nil
}

// parseSQLite follows SQLAlchemy: three slashes start a relative path, four an absolute one.
func parseSQLite(rest string) (path string, err error) {
	path, found := strings.CutPrefix(rest, "/")
	switch {
	case rest == "" || path == ":memory:":
		return "", errSQLiteMemory
	case !found || path == "" || strings.HasSuffix(path, "/") || strings.ContainsAny(path, "?#\x00"):
		return "", errSQLiteURL
	}
	return path, nil
}

// isPostgres reports whether postgres:// with rest behind it is a URL that the driver reads. Several hosts, separated by
// commas, are allowed there, but not by net/url; so each is tried alone.
func isPostgres(rest string) bool {
	authority, tail := rest, ""
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		authority, tail = rest[:end], rest[end:]
	}
	login, hosts := "", authority
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		login, hosts = authority[:at+1], authority[at+1:]
	}
	for host := range strings.SplitSeq(hosts, ",") {
		u, err := url.Parse("postgres://" + login + host + tail)
		if err != nil || u.Fragment != "" || strings.Contains(u.Path, "@") {
			return false
		}
		if u.Hostname() == "" && !u.Query().Has("host") {
			return false
		}
	}
	return true
}

// translateAsyncpg turns asyncpg's parameter ssl into sslmode. Other drivers send an unknown parameter on to the server,
// which then refuses the connection.
func translateAsyncpg(rest string) (string, error) {
	before, query, found := strings.Cut(rest, "?")
	if !found {
		return rest, nil
	}
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		if name != "ssl" {
			continue
		}
		switch value {
		case "true", "True", "1":
			value = "require"
		case "false", "False", "0":
			value = "disable"
		case "disable", "allow", "prefer", "require", "verify-ca", "verify-full":
		default:
			return "", errPostgresURL
		}
		pairs[i] = "sslmode=" + value
	}
	return before + "?" + strings.Join(pairs, "&"), nil
}

// Redis says where Redis is. Without one, a single process does all by itself.
type Redis struct {
	URL              Secret `env:"REDIS_URL" mask:"url" help:"The Redis server: redis://host:6379/0, or rediss:// for TLS; needed when there is more than one process."`
	UpstashRESTURL   string `env:"UPSTASH_REDIS_REST_URL" help:"Refused: use the rediss:// URL of the same database as REDIS_URL."`
	UpstashRESTToken Secret `env:"UPSTASH_REDIS_REST_TOKEN" help:"Refused: use the rediss:// URL of the same database as REDIS_URL."`
}

// Validate checks the URL. Upstash's REST variables are refused rather than ignored: whoever sets them believes that
// there is a Redis, and nothing would reach it.
func (r *Redis) Validate(check *Check) {
	if r.URL != "" && !isRedis(r.URL.Reveal()) {
		check.Refuse("REDIS_URL", "must be of the form redis://user:password@host:6379/0, or rediss:// for TLS, or unix:///path")
	}
	host := "HOST"
	if u, err := url.Parse(r.UpstashRESTURL); err == nil && u.Hostname() != "" {
		host = u.Hostname()
	}
	for _, name := range []string{"UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"} {
		if check.IsSet(name) {
			check.Refuse(name, "must be left out: Upstash's REST protocol isn't spoken here, but the same database answers to "+
				"REDIS_URL=rediss://default:PASSWORD@%s:6379", host)
		}
	}
}

func isRedis(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "redis", "rediss":
		number := strings.Trim(u.Path, "/")
		return u.Hostname() != "" && u.Fragment == "" && strings.Trim(number, "0123456789") == "" && len(number) < 6
	case "unix":
		return u.Path != ""
	}
	return false
}
