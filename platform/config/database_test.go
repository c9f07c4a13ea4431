package config_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/platform/config"
)

func TestDatabaseTarget(t *testing.T) {
	for _, c := range []struct{ url, engine, dsn string }{
		{"postgres://u:p@h:5432/d", "postgres", "postgres://u:p@h:5432/d"},
		{"postgresql://u:p@h/d?sslmode=require", "postgres", "postgres://u:p@h/d?sslmode=require"},
		{"postgresql+asyncpg://postgres:password@localhost:5432/omnistack", "postgres", "postgres://postgres:password@localhost:5432/omnistack"},
		{"postgresql+asyncpg://h/d?ssl=require&application_name=x", "postgres", "postgres://h/d?sslmode=require&application_name=x"},
		{"postgresql+asyncpg://h/d?ssl=true", "postgres", "postgres://h/d?sslmode=require"},
		{"postgresql+asyncpg://h/d?ssl=maybe", "", ""},
		{"postgres://u:p%40%2F%23@h/d", "postgres", "postgres://u:p%40%2F%23@h/d"},
		{"postgres://u:p@h1:5432,h2:5433/d?target_session_attrs=primary", "postgres", "postgres://u:p@h1:5432,h2:5433/d?target_session_attrs=primary"},
		{"postgres:///d?host=/run/postgresql", "postgres", "postgres:///d?host=/run/postgresql"},
		{"postgres://[::1]:5432/d", "postgres", "postgres://[::1]:5432/d"},
		{"sqlite:///./rel.db", "sqlite", "./rel.db"},
		{"sqlite:///data/rel.db", "sqlite", "data/rel.db"},
		{"sqlite:////abs/file.db", "sqlite", "/abs/file.db"},
		{"sqlite+aiosqlite:////abs/file.db", "sqlite", "/abs/file.db"},
		{"sqlite:///a b%20c.db", "sqlite", "a b%20c.db"},
		{"sqlite://", "", ""},
		{"sqlite:///", "", ""},
		{"sqlite:///:memory:", "", ""},
		{"sqlite://host/file.db", "", ""},
		{"sqlite:///dir/", "", ""},
		{"sqlite:///file.db?mode=memory", "", ""},
		{"postgres://", "", ""},
		{"postgres:///d", "", ""},
		{"postgres://u:p/ss@h/d", "", ""},
		{"postgres://u:p#ss@h/d", "", ""},
		{"postgres://u:12/ss@h/d", "", ""},
		{"postgres://h:port/d", "", ""},
		{"postgres://h1,/d", "", ""},
		{"postgresql+psycopg2://h/d", "", ""},
		{"POSTGRES://h/d", "", ""},
		{"mysql://h/d", "", ""},
		{"host=h dbname=d password=x", "", ""},
		{"", "", ""},
	} {
		engine, dsn := config.Database{URL: config.Secret(c.url)}.Target()
		if engine != c.engine || dsn != c.dsn {
			t.Errorf("%s: %q %q, want %q %q", c.url, engine, dsn, c.engine, c.dsn)
		}
		if c.url == "" {
			continue
		}
		_, _, err := load(t, "", desk(t).with(vars{"DATABASE_URL": c.url}))
		if accepted := err == nil; accepted != (c.engine != "") {
			t.Errorf("%s: Load says %v", c.url, err)
		}
	}
}

func FuzzDatabaseURL(f *testing.F) {
	for _, seed := range []string{
		"postgres://u:p@h:5432/d", "postgresql+asyncpg://u:p@h1,h2/d?ssl=require", "postgres:///d?host=/run", "sqlite:///./x.db",
		"sqlite:////x.db", "sqlite:///:memory:", "postgres://u:p/ss@h/d", "postgres://[::1", "://", "postgres://%zz",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		engine, dsn := config.Database{URL: config.Secret(text)}.Target()
		switch engine {
		case "":
			if dsn != "" {
				t.Errorf("%q: %q without an engine", text, dsn)
			}
		case "postgres":
			if !strings.HasPrefix(dsn, "postgres://") {
				t.Errorf("%q: %q", text, dsn)
			}
			if again, same := (config.Database{URL: config.Secret(dsn)}).Target(); again != engine || same != dsn {
				t.Errorf("%q: %q reads as %q %q", text, dsn, again, same)
			}
			if _, err := url.Parse(dsn); err != nil && !strings.Contains(dsn, ",") {
				t.Errorf("%q: %q can't be parsed", text, dsn)
			}
		case "sqlite":
			if dsn == "" || strings.ContainsAny(dsn, "?#\x00") {
				t.Errorf("%q: %q", text, dsn)
			}
		default:
			t.Errorf("%q: engine %q", text, engine)
		}
	})
}

func TestRedisURL(t *testing.T) {
	for text, ok := range map[string]bool{
		"redis://localhost:6379/0": true, "rediss://default:p@h:6379": true, "redis://h": true, "redis://[::1]:6379/15": true,
		"unix:///run/redis.sock": true, "redis://u:p@h/0?read_timeout=1s": true,
		"http://h": false, "h:6379": false, "redis://": false, "redis://h/name": false, "redis://u:p/ss@h": false,
		"unix://": false, "redis://h:port": false,
	} {
		_, _, err := load(t, "", desk(t).with(vars{"REDIS_URL": text}))
		if (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}
