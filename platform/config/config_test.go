package config_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/platform/config"
)

// vars is a process environment.
type vars map[string]string

func (v vars) environ() []string {
	var list []string
	for name, value := range v {
		list = append(list, name+"="+value)
	}
	return list
}

// with returns v with more variables, which win.
func (v vars) with(more vars) vars {
	all := maps.Clone(v)
	maps.Copy(all, more)
	return all
}

// desk is the least that a test needs: a folder of its own for what is kept.
func desk(t *testing.T) vars { return vars{"DATA_DIR": t.TempDir()} }

const goodKey = "qX3vN8sLr1mTzB5wYk7uHc2dPj9fGa4e"

// production is a complete production deployment.
func production(t *testing.T) vars {
	return desk(t).with(vars{
		"ENVIRONMENT": "production", "SECRET_KEY": goodKey, "PUBLIC_URL": "https://api.example.com",
		"FRONTEND_URL": "https://app.example.com", "BACKEND_CORS_ORIGINS": "https://app.example.com",
		"DATABASE_URL": "postgres://u:p@db/app", "AUTH_PROVIDER": "supabase", "SUPABASE_PROJECT_URL": "https://x.supabase.co",
		"STORAGE_PROVIDER": "s3", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_S3_BUCKET": "bucket",
	})
}

func load(t *testing.T, dir string, environ vars) (config.Platform, *config.Report, error) {
	t.Helper()
	if dir == "" {
		dir = t.TempDir()
	}
	var p config.Platform
	report, err := config.Load(config.Sources{Dir: dir, Environ: environ.environ()}, p.Group())
	return p, report, err
}

func mustLoad(t *testing.T, dir string, environ vars) (config.Platform, *config.Report) {
	t.Helper()
	p, report, err := load(t, dir, environ)
	if err != nil {
		t.Fatal(err)
	}
	return p, report
}

// problems returns the problems of err by variable.
func problems(t *testing.T, err error) map[string]string {
	t.Helper()
	found := map[string]string{}
	if err == nil {
		return found
	}
	var invalid *config.InvalidError
	if !errors.As(err, &invalid) {
		t.Fatalf("not an InvalidError: %v", err)
	}
	for _, p := range invalid.Problems {
		found[p.Name] += p.String()
	}
	return found
}

// expectProblems compares the variables that err names with want, and the text about each with a part of it.
func expectProblems(t *testing.T, err error, want vars) {
	t.Helper()
	got := problems(t, err)
	for name, part := range want {
		if !strings.Contains(got[name], part) {
			t.Errorf("%s: want %q, got %q", name, part, got[name])
		}
	}
	for name, text := range got {
		if _, expected := want[name]; !expected {
			t.Errorf("unexpected problem: %s", text)
		}
	}
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func warning(report *config.Report, name string) string {
	var all []string
	for _, w := range report.Warnings {
		if w.Name == name {
			all = append(all, w.String())
		}
	}
	return strings.Join(all, "\n")
}

func TestDefaults(t *testing.T) {
	dataDir := t.TempDir()
	everywhere := vars{
		"PROJECT_NAME": "OmniStack API", "DEBUG": "false", "LOG_LEVEL": "INFO", "SECRET_KEY_PREVIOUS": "", "DATA_DIR": dataDir,
		"PORT": "8000", "API_V1_STR": "/api/v1", "BACKEND_CORS_ORIGINS": `["http://localhost:3000"]`,
		"PUBLIC_URL": "http://localhost:8000", "FRONTEND_URL": "http://localhost:3000", "TRUSTED_PROXIES": "",
		"BODY_LIMIT": "1MiB", "REQUEST_TIMEOUT": "30s", "METRICS_ADDR": "127.0.0.1:9464",
		"DATABASE_URL": "sqlite:///" + dataDir + "/omnistack.db", "DB_POOL_SIZE": "10", "DB_POOL_RECYCLE": "3600",
		"DB_USE_NULL_POOL": "false", "REDIS_URL": "", "UPSTASH_REDIS_REST_URL": "", "UPSTASH_REDIS_REST_TOKEN": "",
		"AUTH_PROVIDER_SECONDARY": "", "SUPABASE_PROJECT_URL": "", "SUPABASE_JWT_SECRET": "", "SUPABASE_WEBHOOK_SECRET": "",
		"CLERK_ISSUER_URL": "", "CLERK_SECRET_KEY": "", "CLERK_AUTHORIZED_PARTIES": "", "CLERK_WEBHOOK_SECRET": "",
		"OAUTH_ISSUER": "", "OAUTH_JWKS_URL": "", "OAUTH_AUDIENCE": "", "OAUTH_ROLE_CLAIM": "", "OAUTH_EMAIL_CLAIM": "email",
		"RATE_LIMIT_ENABLED": "true", "RATE_LIMIT_DEFAULT": "60/minute", "RATE_LIMIT_AI": "10/minute", "RATE_LIMIT_AUTH": "5/minute",
		"STORAGE_PROVIDER": "local", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_REGION": "us-east-1",
		"AWS_S3_BUCKET": "", "S3_ENDPOINT": "", "R2_ACCOUNT_ID": "", "R2_ACCESS_KEY_ID": "", "R2_SECRET_ACCESS_KEY": "",
		"R2_BUCKET": "", "STORAGE_LOCAL_IN_PRODUCTION": "false", "UPLOAD_MAX_BYTES": "25MiB",
		"UPLOAD_ALLOWED_TYPES": "image/png,image/jpeg,image/gif,image/webp,application/pdf,text/plain,text/csv,application/json,application/zip",
		"EVENTS_TRANSPORT":     "database", "IDEMPOTENCY_TTL": "24h", "SENTRY_DSN": "", "SENTRY_TRACES_SAMPLE_RATE": "0.1",
		"OTEL_EXPORTER_OTLP_ENDPOINT": "", "OTEL_EXPORTER_OTLP_HEADERS": "", "OTEL_SERVICE_NAME": "omnistack",
		"OTEL_RESOURCE_ATTRIBUTES": "",
	}
	local := vars{"LOG_FORMAT": "console", "HOST": "127.0.0.1", "AUTH_PROVIDER": "dev", "DOCS_ENABLED": "true", "SECRET_KEY": "****"}
	away := vars{"LOG_FORMAT": "json", "HOST": "0.0.0.0", "AUTH_PROVIDER": "", "DOCS_ENABLED": "true", "SECRET_KEY": ""}
	for environment, want := range map[string]vars{
		"":           local.with(vars{"ENVIRONMENT": "local"}),
		"test":       local.with(vars{"ENVIRONMENT": "test"}),
		"staging":    away.with(vars{"ENVIRONMENT": "staging"}),
		"production": away.with(vars{"ENVIRONMENT": "production", "DOCS_ENABLED": "false", "PUBLIC_URL": ""}),
	} {
		t.Run("in "+environment, func(t *testing.T) {
			want := everywhere.with(want)
			_, report, _ := load(t, "", vars{"ENVIRONMENT": environment, "DATA_DIR": dataDir})
			for _, s := range report.Settings {
				if s.Value != want[s.Name] {
					t.Errorf("%s = %q, want %q", s.Name, s.Value, want[s.Name])
				}
				delete(want, s.Name)
			}
			if len(want) > 0 {
				t.Errorf("not a setting: %v", slices.Sorted(maps.Keys(want)))
			}
		})
	}
}

func TestEveryEnvironmentCanBeSatisfied(t *testing.T) {
	for _, environment := range []string{"local", "test"} {
		if _, _, err := load(t, "", desk(t).with(vars{"ENVIRONMENT": environment})); err != nil {
			t.Errorf("%s: %v", environment, err)
		}
	}
	for _, environment := range []string{"staging", "production"} {
		_, report, err := load(t, "", production(t).with(vars{"ENVIRONMENT": environment}))
		if err != nil || len(report.Warnings) > 0 {
			t.Errorf("%s: %v, warnings %v", environment, err, report.Warnings)
		}
	}
}

func TestLoadOrder(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, ".env"), "PROJECT_NAME=file\nAWS_REGION=file\nLOG_LEVEL=ERROR\nR2_BUCKET=file\nPORT=1\n")
	write(t, filepath.Join(dir, ".env.test"), "PROJECT_NAME=test\nAWS_REGION=test\nR2_BUCKET=\n")
	write(t, filepath.Join(dir, ".env.staging"), "PROJECT_NAME=staging\n")

	p, report := mustLoad(t, dir, desk(t).with(vars{"ENVIRONMENT": "test", "PROJECT_NAME": "process", "PORT": ""}))

	for name, want := range map[string]config.Setting{
		"PROJECT_NAME": {Value: "process", Source: "environment"},
		"AWS_REGION":   {Value: "test", Source: ".env.test"},
		"LOG_LEVEL":    {Value: "ERROR", Source: ".env"},
		"R2_BUCKET":    {Value: "", Source: "default"},     // emptied by .env.test
		"PORT":         {Value: "8000", Source: "default"}, // emptied by the process
		"HOST":         {Value: "127.0.0.1", Source: "default"},
		"SECRET_KEY":   {Value: "****", Source: "generated"},
	} {
		if got, _ := report.Lookup(name); got.Value != want.Value || got.Source != want.Source {
			t.Errorf("%s = %q from %q, want %q from %q", name, got.Value, got.Source, want.Value, want.Source)
		}
	}
	if p.Core.ProjectName != "process" || p.Storage.AWSRegion != "test" || p.HTTP.Port != 8000 || p.Core.Environment != config.Test {
		t.Errorf("loaded %+v", p)
	}
}

func TestEnvironmentIsDecidedFirst(t *testing.T) {
	t.Run("by .env when the process doesn't say", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, ".env"), "ENVIRONMENT=test\n")
		write(t, filepath.Join(dir, ".env.test"), "PROJECT_NAME=found\n")
		p, report := mustLoad(t, dir, desk(t))
		if p.Core.ProjectName != "found" || report.Environment != config.Test {
			t.Errorf("%+v", p.Core)
		}
	})
	t.Run("not by the file that it chooses", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, ".env.local"), "ENVIRONMENT=staging\n")
		p, _, err := load(t, dir, desk(t))
		expectProblems(t, err, vars{"ENVIRONMENT": "must be local in this file"})
		if p.Core.Environment != config.Local {
			t.Errorf("%+v", p.Core)
		}
	})
	t.Run("production not by a file", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, ".env"), "ENVIRONMENT=production\n")
		_, _, err := load(t, dir, production(t).with(vars{"ENVIRONMENT": "local"}))
		expectProblems(t, err, vars{})
		environ := production(t)
		delete(environ, "ENVIRONMENT")
		_, _, err = load(t, dir, environ)
		expectProblems(t, err, vars{"ENVIRONMENT": "must be set in the process environment"})
	})
	t.Run("and is refused when unknown, also without the platform's settings", func(t *testing.T) {
		_, _, err := load(t, "", desk(t).with(vars{"ENVIRONMENT": "../prod"}))
		expectProblems(t, err, vars{"ENVIRONMENT": "must be local, test, staging or production"})
		_, err = config.Load(config.Sources{Dir: t.TempDir(), Environ: []string{"ENVIRONMENT=prod"}},
			config.Group{Owner: "alone", Struct: &config.RateLimit{}})
		expectProblems(t, err, vars{"ENVIRONMENT": "must be local, test, staging or production"})
	})
}

func TestProductionReadsTheProcessOnly(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, ".env"), "PROJECT_NAME=file\nDEBUG=true\nnonsense")
	write(t, filepath.Join(dir, ".env.production"), "PROJECT_NAME=file\n")
	p, report := mustLoad(t, dir, production(t))
	if p.Core.ProjectName != "OmniStack API" || p.Core.Debug {
		t.Errorf("a file was read: %+v", p.Core)
	}
	if warning(report, ".env") == "" {
		t.Error("nothing says that .env is ignored")
	}
}

func TestSecretsFromFiles(t *testing.T) {
	dir := t.TempDir()
	key := write(t, filepath.Join(dir, "key"), goodKey+"\r\n")
	empty := write(t, filepath.Join(dir, "empty"), "\n")

	p, report := mustLoad(t, "", desk(t).with(vars{"SECRET_KEY_FILE": key}))
	if p.Core.SecretKey.Reveal() != goodKey {
		t.Error("the file's key wasn't taken, or not without its line end")
	}
	if s, _ := report.Lookup("SECRET_KEY"); s.Source != "file "+key || s.Value != "****" {
		t.Errorf("reported as %+v", s)
	}

	for name, c := range map[string]struct {
		environ vars
		want    vars
	}{
		"missing": {vars{"REDIS_URL_FILE": dir + "/none"}, vars{"REDIS_URL_FILE": "must be a file that exists"}},
		"folder":  {vars{"REDIS_URL_FILE": dir}, vars{"REDIS_URL_FILE": "must be a file that can be read"}},
		"empty":   {vars{"REDIS_URL_FILE": empty}, vars{"REDIS_URL_FILE": "must be a file that isn't empty"}},
		"both":    {vars{"REDIS_URL_FILE": key, "REDIS_URL": "redis://h"}, vars{"REDIS_URL_FILE": "must not be set together with REDIS_URL"}},
		"bad":     {vars{"REDIS_URL_FILE": key}, vars{"REDIS_URL": "must be of the form redis://"}},
		"no second complaint": {vars{"REDIS_URL_FILE": dir + "/none", "EVENTS_TRANSPORT": "redis"},
			vars{"REDIS_URL_FILE": "must be a file that exists"}},
		"one of them empty": {vars{"SECRET_KEY_FILE": key, "SECRET_KEY": ""}, vars{}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := load(t, "", desk(t).with(c.environ))
			expectProblems(t, err, c.want)
		})
	}

	t.Run("not for what is no secret", func(t *testing.T) {
		_, report := mustLoad(t, "", desk(t).with(vars{"API_V1_STR_FILE": key}))
		if warning(report, "API_V1_STR_FILE") == "" {
			t.Error("accepted in silence")
		}
	})
}

func TestEveryProblemAtOnce(t *testing.T) {
	_, report, err := load(t, "", vars{
		"DATA_DIR": t.TempDir(), "ENVIRONMENT": "staging", "PORT": "70000", "DEBUG": "maybe", "RATE_LIMIT_AI": "10/min",
		"BODY_LIMIT": "much", "DATABASE_URL": "mysql://u:canary@h/d", "STORAGE_PROVIDER": "r2", "AUTH_PROVIDER": "clerk",
	})
	want := vars{
		"DEBUG":                `DEBUG="maybe" (environment): must be true or false`,
		"SECRET_KEY":           "SECRET_KEY is unset: must be set outside local and test",
		"PORT":                 `PORT="70000" (environment): must be from 0 to 65535`,
		"BODY_LIMIT":           "must be a number of bytes",
		"DATABASE_URL":         `DATABASE_URL="mysql://u:****@h/d" (environment): must start with postgres://`,
		"CLERK_ISSUER_URL":     "must be set when AUTH_PROVIDER is clerk",
		"RATE_LIMIT_AI":        "per second, minute, hour or day",
		"R2_ACCOUNT_ID":        "must be set when STORAGE_PROVIDER is r2",
		"R2_ACCESS_KEY_ID":     "must be set",
		"R2_SECRET_ACCESS_KEY": "must be set",
		"R2_BUCKET":            "must be set",
	}
	expectProblems(t, err, want)
	text := err.Error()
	if !strings.HasPrefix(text, "11 settings are not valid:\n  DEBUG=") || strings.Count(text, "\n") != 11 {
		t.Errorf("not one line a problem, in declared order:\n%s", text)
	}
	if report == nil || len(report.Settings) == 0 {
		t.Error("no report beside the error")
	}
}

func TestSingleSettings(t *testing.T) {
	for _, c := range []struct{ name, value, problem string }{
		{"ENVIRONMENT", "Production", "must be local, test, staging or production"},
		{"LOG_LEVEL", "info", "must be DEBUG, INFO, WARNING or ERROR"},
		{"LOG_FORMAT", "xml", "must be console or json"},
		{"SECRET_KEY", "your-secret-key-min-32-chars", "must be at least 32 bytes long"},
		{"SECRET_KEY_PREVIOUS", "short", "must be at least 32 bytes long"},
		{"API_V1_STR", "api", "must be a path"},
		{"API_V1_STR", "/", "must be a path"},
		{"API_V1_STR", "/api/", "must be a path"},
		{"API_V1_STR", "/api/:id", "must be a path"},
		{"API_V1_STR", "/v2", ""},
		{"PORT", "http", "must be a whole number"},
		{"PORT", "0", ""},
		{"PUBLIC_URL", "localhost:8000", "must be an absolute URL"},
		{"PUBLIC_URL", "https://u:canary@h", "without a user name"},
		{"PUBLIC_URL", "https://h/?a=b", "without a query"},
		{"FRONTEND_URL", "ftp://h", "must be an absolute URL"},
		{"TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8::1", ""},
		{"TRUSTED_PROXIES", "10.0.0.0/33", "must be a list of addresses and networks"},
		{"TRUSTED_PROXIES", "proxy", "must be a list of addresses and networks"},
		{"BODY_LIMIT", "10", "must be from 1KiB to 1GiB"},
		{"REQUEST_TIMEOUT", "0", "must be from 1s to 1h"},
		{"REQUEST_TIMEOUT", "-5s", "must be a duration"},
		{"METRICS_ADDR", "9464", "must be host:port"},
		{"METRICS_ADDR", "127.0.0.1:99999", "must be host:port"},
		{"METRICS_ADDR", "[::1]:0", ""},
		{"METRICS_ADDR", "off", ""},
		{"DOCS_ENABLED", "maybe", "must be true or false"},
		{"DB_POOL_SIZE", "0", "must be from 1 to 1000"},
		{"DB_POOL_RECYCLE", "300", ""},
		{"DB_POOL_RECYCLE", "5m", ""},
		{"AUTH_PROVIDER", "auth0", "must be supabase, clerk, custom or dev"},
		{"SUPABASE_JWT_SECRET", "short", "must be at least 32 bytes long"},
		{"CLERK_WEBHOOK_SECRET", "whsec_c2hvcnQ=", `must be "whsec_" and at least 24 bytes in base64`},
		{"SUPABASE_WEBHOOK_SECRET", "a secret that is long, but isn't one of theirs", `must be "whsec_" and at least 24 bytes in base64`},
		{"OAUTH_ISSUER", "issuer", "must be an absolute URL"},
		{"RATE_LIMIT_DEFAULT", "60/min", "per second, minute, hour or day"},
		{"UPLOAD_ALLOWED_TYPES", "image/*", "must hold media types"},
		{"UPLOAD_ALLOWED_TYPES", `["image/png"]`, ""},
		{"UPLOAD_ALLOWED_TYPES", "png", "must hold media types"},
		{"EVENTS_TRANSPORT", "kafka", "must be database or redis"},
		{"IDEMPOTENCY_TTL", "1s", "must be from 1m to 720h"},
		{"SENTRY_DSN", "https://sentry.io", "must be a DSN"},
		{"SENTRY_DSN", "https://key@o1.ingest.sentry.io/42", ""},
		{"SENTRY_TRACES_SAMPLE_RATE", "10%", "must be a number"},
		{"SENTRY_TRACES_SAMPLE_RATE", "1.5", "must be from 0 to 1"},
		{"SENTRY_TRACES_SAMPLE_RATE", "NaN", "must be a number"},
		{"OTEL_EXPORTER_OTLP_HEADERS", "canary", "must be of the form name=value"},
		{"OTEL_RESOURCE_ATTRIBUTES", "a=b, c=d", ""},
		{"BACKEND_CORS_ORIGINS", "[]", ""},
		{"BACKEND_CORS_ORIGINS", `["https://a.example.com","http://localhost:3000"]`, ""},
		{"BACKEND_CORS_ORIGINS", "https://a.example.com, capacitor://localhost, http://[::1]:3000", ""},
		{"BACKEND_CORS_ORIGINS", `["https://a.example.com"`, "must be a JSON array"},
		{"BACKEND_CORS_ORIGINS", "*", "must name each origin"},
		{"BACKEND_CORS_ORIGINS", "https://a.example.com,null", "must name each origin"},
		{"BACKEND_CORS_ORIGINS", "https://*.example.com", "of the form scheme://host"},
		{"BACKEND_CORS_ORIGINS", "https://a.example.com/", "without a slash at the end"},
		{"BACKEND_CORS_ORIGINS", "https://a.example.com/app", "of the form scheme://host"},
		{"BACKEND_CORS_ORIGINS", "https://A.example.com", "in lower case"},
		{"BACKEND_CORS_ORIGINS", "https://a.example.com:443", "without the scheme's own port"},
		{"BACKEND_CORS_ORIGINS", "a.example.com", "of the form scheme://host"},
	} {
		t.Run(c.name+"="+c.value, func(t *testing.T) {
			_, _, err := load(t, "", desk(t).with(vars{c.name: c.value}))
			if c.problem == "" {
				expectProblems(t, err, vars{})
			} else {
				expectProblems(t, err, vars{c.name: c.problem})
			}
		})
	}
}

func TestRulesAcrossSettings(t *testing.T) {
	for _, c := range []struct {
		name    string
		base    func(*testing.T) vars
		environ vars
		want    vars
	}{
		{"no secret key in staging", production, vars{"ENVIRONMENT": "staging", "SECRET_KEY": ""}, vars{"SECRET_KEY": "must be set outside local and test"}},
		{"sample key", production, vars{"SECRET_KEY": "your-secret-key-min-32-chars-long-now"}, vars{"SECRET_KEY": "must be random"}},
		{"sample key on a desk", desk, vars{"SECRET_KEY": "change-me-change-me-change-me-change-me"}, vars{"SECRET_KEY": "must be random"}},
		{"one letter", production, vars{"SECRET_KEY": strings.Repeat("x", 40)}, vars{"SECRET_KEY": "must be random"}},
		{"same key twice", desk, vars{"SECRET_KEY": goodKey, "SECRET_KEY_PREVIOUS": goodKey}, vars{"SECRET_KEY_PREVIOUS": "must differ"}},
		{"debug in production", production, vars{"DEBUG": "yes"}, vars{"DEBUG": "must be false in production"}},
		{"debug in staging", production, vars{"ENVIRONMENT": "staging", "DEBUG": "1"}, vars{}},
		{"no public URL in production", production, vars{"PUBLIC_URL": ""}, vars{"PUBLIC_URL": "must be set in production"}},
		{"plain public URL in production", production, vars{"PUBLIC_URL": "http://api.example.com"}, vars{"PUBLIC_URL": "must start with https://"}},
		{"no provider", production, vars{"AUTH_PROVIDER": ""}, vars{"AUTH_PROVIDER": "must be supabase, clerk or custom"}},
		{"dev outside", production, vars{"ENVIRONMENT": "staging", "AUTH_PROVIDER": "dev"}, vars{"AUTH_PROVIDER": "dev lets anybody be anybody"}},
		{"dev as second outside", production, vars{"AUTH_PROVIDER_SECONDARY": "dev"}, vars{"AUTH_PROVIDER_SECONDARY": "dev lets anybody be anybody"}},
		{"dev as second on a desk", desk, vars{"AUTH_PROVIDER": "custom", "OAUTH_ISSUER": "https://i/", "AUTH_PROVIDER_SECONDARY": "dev"}, vars{}},
		{"supabase without project", desk, vars{"AUTH_PROVIDER": "supabase", "SUPABASE_JWT_SECRET": goodKey}, vars{"SUPABASE_PROJECT_URL": "must be set when AUTH_PROVIDER is supabase"}},
		{"clerk without issuer", desk, vars{"AUTH_PROVIDER": "clerk"}, vars{"CLERK_ISSUER_URL": "must be set when AUTH_PROVIDER is clerk"}},
		{"custom without issuer", desk, vars{"AUTH_PROVIDER": "custom", "OAUTH_JWKS_URL": "https://i/keys"}, vars{"OAUTH_ISSUER": "must be set when AUTH_PROVIDER is custom"}},
		{"second without its URL", production, vars{"AUTH_PROVIDER_SECONDARY": "clerk"}, vars{"CLERK_ISSUER_URL": "must be set when AUTH_PROVIDER_SECONDARY is clerk"}},
		{"plain issuer in production", production, vars{"SUPABASE_PROJECT_URL": "http://supabase"}, vars{"SUPABASE_PROJECT_URL": "must be https:// in production"}},
		{"plain issuer on this machine", production, vars{"SUPABASE_PROJECT_URL": "http://127.0.0.1:54321"}, vars{}},
		{"one issuer twice", production, vars{"AUTH_PROVIDER_SECONDARY": "custom", "OAUTH_AUDIENCE": "a", "SUPABASE_PROJECT_URL": "https://s.example", "OAUTH_ISSUER": "https://s.example/auth/v1"}, vars{"AUTH_PROVIDER_SECONDARY": "has the issuer of AUTH_PROVIDER"}},
		{"a prefix of dots", desk, vars{"API_V1_STR": "/api/.."}, vars{"API_V1_STR": "must be a path"}},
		{"twice the same", production, vars{"AUTH_PROVIDER_SECONDARY": "supabase"}, vars{"AUTH_PROVIDER_SECONDARY": "must differ from AUTH_PROVIDER"}},
		{"s3 without keys", desk, vars{"STORAGE_PROVIDER": "s3"}, vars{"AWS_ACCESS_KEY_ID": "must be set", "AWS_SECRET_ACCESS_KEY": "must be set", "AWS_S3_BUCKET": "must be set"}},
		{"r2 at another endpoint", desk, vars{"STORAGE_PROVIDER": "r2", "S3_ENDPOINT": "http://h", "R2_ACCESS_KEY_ID": "a", "R2_SECRET_ACCESS_KEY": "b", "R2_BUCKET": "c"}, vars{}},
		{"local files in production", production, vars{"STORAGE_PROVIDER": "local"}, vars{"STORAGE_PROVIDER": "STORAGE_LOCAL_IN_PRODUCTION=true"}},
		{"local files in production on purpose", production, vars{"STORAGE_PROVIDER": "local", "STORAGE_LOCAL_IN_PRODUCTION": "true"}, vars{}},
		{"any origin in production", production, vars{"BACKEND_CORS_ORIGINS": "*"}, vars{"BACKEND_CORS_ORIGINS": "must name each origin"}},
		{"events by a Redis that isn't there", desk, vars{"EVENTS_TRANSPORT": "redis"}, vars{"REDIS_URL": "must be set when EVENTS_TRANSPORT is redis"}},
		{"events by Redis", desk, vars{"EVENTS_TRANSPORT": "redis", "REDIS_URL": "redis://h"}, vars{}},
		{"events by Upstash REST", desk, vars{"EVENTS_TRANSPORT": "redis", "UPSTASH_REDIS_REST_URL": "https://eu1.upstash.io", "UPSTASH_REDIS_REST_TOKEN": "canary"},
			vars{"REDIS_URL": "must be set", "UPSTASH_REDIS_REST_URL": "REDIS_URL=rediss://default:PASSWORD@eu1.upstash.io:6379", "UPSTASH_REDIS_REST_TOKEN": "rediss://"}},
		{"a default isn't blamed for what it is made of", desk, vars{"PORT": "x"}, vars{"PORT": "must be a whole number"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := load(t, "", c.base(t).with(c.environ))
			expectProblems(t, err, c.want)
		})
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct {
		name    string
		base    func(*testing.T) vars
		environ vars
		about   string
		part    string
	}{
		{"anybody is a proxy", desk, vars{"TRUSTED_PROXIES": "0.0.0.0/0"}, "TRUSTED_PROXIES", "anybody's"},
		{"default public URL in staging", production, vars{"ENVIRONMENT": "staging", "PUBLIC_URL": ""}, "PUBLIC_URL", "lead nowhere"},
		{"loopback frontend in production", production, vars{"FRONTEND_URL": "http://127.0.0.1:3000"}, "FRONTEND_URL", "own machine"},
		{"default origins in production", production, vars{"BACKEND_CORS_ORIGINS": ""}, "BACKEND_CORS_ORIGINS", "default"},
		{"SQLite in production", production, vars{"DATABASE_URL": ""}, "DATABASE_URL", "one machine"},
		{"no limits in production", production, vars{"RATE_LIMIT_ENABLED": "off"}, "RATE_LIMIT_ENABLED", "as often as it likes"},
		{"Clerk without parties", production, vars{"AUTH_PROVIDER": "clerk", "CLERK_ISSUER_URL": "https://c"}, "CLERK_AUTHORIZED_PARTIES", "any site"},
		{"custom without audience", production, vars{"AUTH_PROVIDER": "custom", "OAUTH_ISSUER": "https://c"}, "OAUTH_AUDIENCE", "other services"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, report := mustLoad(t, "", c.base(t).with(c.environ))
			if got := warning(report, c.about); !strings.Contains(got, c.part) || len(report.Warnings) != 1 {
				t.Errorf("want one about %s with %q, got %v", c.about, c.part, report.Warnings)
			}
		})
	}
}

func TestUnknownVariables(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"STORAGE_PROVIDR", "did you mean STORAGE_PROVIDER?"},
		{"DATABSE_URL", "did you mean DATABASE_URL?"},
		{"ENVIROMENT", "did you mean ENVIRONMENT?"},
		{"database_url", "did you mean DATABASE_URL?"},
		{"SECRET_KEY_FLIE", "did you mean SECRET_KEY_FILE?"},
		{"AWS_S3_BUKET", "did you mean AWS_S3_BUCKET?"},
		{"RATE_LIMIT_UPLOADS", "is not a setting, and does nothing (environment)"},
		{"DB_HOST", "is not a setting"},
		{"CLERK_PUBLISHABLE_KEY", "is not a setting"},
		{"AWS_PROFILE", ""},
		{"AWS_SESSION_TOKEN", ""},
		{"OTEL_TRACES_SAMPLER", ""},
		{"HOSTNAME", ""},
		{"HOME", ""},
		{"PATH", ""},
		{"TERM", ""},
		{"REDIS_PORT", ""}, // Kubernetes sets these for a service called redis
		{"REDIS_SERVICE_HOST", ""},
		{"REDIS_PORT_6379_TCP_ADDR", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, report := mustLoad(t, "", desk(t).with(vars{c.name: "canary"}))
			got := warning(report, c.name)
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("want %q, got %q", c.want, got)
			}
			if strings.Contains(got, "canary") {
				t.Errorf("the value is shown: %s", got)
			}
		})
	}
	t.Run("in a file, whatever its prefix", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, ".env"), "WHATEVER=1\nAWS_PROFILE=x\n")
		_, report := mustLoad(t, dir, desk(t))
		if len(report.Warnings) != 2 || !strings.Contains(warning(report, "WHATEVER"), "(.env)") {
			t.Errorf("%v", report.Warnings)
		}
	})
}

func TestDotenvFiles(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       vars
		project    string
	}{
		{"quotes, remarks, export", "\ufeff# x\r\nexport PROJECT_NAME=\"My # App\" # remark\r\n", vars{}, "My # App"},
		{"a line that is none", "PROJECT_NAME=a\nSECRET canary\nX=y\n", vars{".env": "line 2"}, ""},
		{"an open quote", "PROJECT_NAME=a\n\nSECRET_KEY=\"canary\nX=y\n", vars{".env": "line 3"}, ""},
		{"a lost dollar", "PROJECT_NAME=ab$WORD9\n", vars{"PROJECT_NAME": "single quotes in .env"}, ""},
		{"a lost dollar in quotes", "PROJECT_NAME=\"ab${WORD9}\"\n", vars{"PROJECT_NAME": "single quotes in .env"}, ""},
		{"a lost dollar before a bracket", "PROJECT_NAME=ab$(c)\n", vars{"PROJECT_NAME": "single quotes in .env"}, ""},
		{"dollars that stay", "PROJECT_NAME='a$B$(C)'\n", vars{}, "a$B$(C)"},
		{"an escaped dollar", "PROJECT_NAME=\"a\\$B\"\n", vars{}, "a$B"},
		{"a reference", "R2_BUCKET=x\nPROJECT_NAME=my-${R2_BUCKET} # not $THIS\n", vars{}, "my-x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, ".env"), c.text)
			p, _, err := load(t, dir, desk(t))
			expectProblems(t, err, c.want)
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("the file's content is shown: %v", err)
			}
			if c.project != "" && p.Core.ProjectName != c.project {
				t.Errorf("PROJECT_NAME = %q, want %q", p.Core.ProjectName, c.project)
			}
		})
	}
	t.Run("one that can't be read", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, ".env"), 0o700); err != nil {
			t.Fatal(err)
		}
		_, _, err := load(t, dir, desk(t))
		expectProblems(t, err, vars{".env": "must be a file that can be read"})
	})
}

func TestValuesArriveAsTheProgramWantsThem(t *testing.T) {
	p, _ := mustLoad(t, "", desk(t).with(vars{
		"PORT": " 9000 ", "PUBLIC_URL": "https://api.example.com/", "OAUTH_ISSUER": "https://tenant.auth0.com/",
		"TRUSTED_PROXIES": "::ffff:10.1.2.3, 192.168.7.9/16", "BODY_LIMIT": "2MB", "REQUEST_TIMEOUT": "90", "METRICS_ADDR": "OFF",
		"BACKEND_CORS_ORIGINS": " https://a.example.com , ,https://b.example.com", "SENTRY_DSN": "https://k@h/1\n",
	}))
	if p.HTTP.Port != 9000 || p.HTTP.PublicURL != "https://api.example.com" || p.HTTP.BodyLimit != 2_000_000 || p.HTTP.RequestTimeout.String() != "1m30s" {
		t.Errorf("%+v", p.HTTP)
	}
	if p.HTTP.MetricsAddr != "" || !slices.Equal(p.HTTP.CORSOrigins, []string{"https://a.example.com", "https://b.example.com"}) {
		t.Errorf("%+v", p.HTTP)
	}
	if len(p.HTTP.TrustedProxies) != 2 || p.HTTP.TrustedProxies[0].String() != "10.1.2.3/32" || p.HTTP.TrustedProxies[1].String() != "192.168.0.0/16" {
		t.Errorf("%v", p.HTTP.TrustedProxies)
	}
	if p.Auth.OAuthIssuer != "https://tenant.auth0.com/" {
		t.Errorf("an issuer is compared byte by byte, got %q", p.Auth.OAuthIssuer)
	}
	if p.Observability.SentryDSN.Reveal() != "https://k@h/1" {
		t.Error("a secret kept its line end")
	}
	if p.RateLimit.Default != (config.Rate{Requests: 60, Per: 60e9}) || p.Database.PoolRecycle.Hours() != 1 {
		t.Errorf("%+v %+v", p.RateLimit, p.Database)
	}
}

func TestBooleans(t *testing.T) {
	for text, want := range map[string]bool{
		"true": true, "TRUE": true, "1": true, "Yes": true, "on": true, "false": false, "0": false, "NO": false, "Off": false,
	} {
		if p, _ := mustLoad(t, "", desk(t).with(vars{"DEBUG": text})); p.Core.Debug != want {
			t.Errorf("%s is read as %v", text, p.Core.Debug)
		}
	}
}

func TestAuthURLs(t *testing.T) {
	auth := config.Auth{
		Provider: "supabase", ProviderSecondary: "clerk", SupabaseProjectURL: "https://x.supabase.co",
		ClerkIssuerURL: "https://x.clerk.accounts.dev", OAuthIssuer: "https://i/", OAuthJWKSURL: "https://i/keys",
	}
	for provider, want := range map[string][2]string{
		"supabase": {"https://x.supabase.co/auth/v1/.well-known/jwks.json", "https://x.supabase.co/auth/v1"},
		"clerk":    {"https://x.clerk.accounts.dev/.well-known/jwks.json", "https://x.clerk.accounts.dev"},
		"custom":   {"https://i/keys", "https://i/"},
		"dev":      {"", ""},
	} {
		if got := [2]string{auth.JWKSURL(provider), auth.Issuer(provider)}; got != want {
			t.Errorf("%s: %v, want %v", provider, got, want)
		}
		if unset := (config.Auth{}); unset.JWKSURL(provider) != "" || unset.Issuer(provider) != "" {
			t.Errorf("%s has URLs without being configured", provider)
		}
	}
	if got := auth.Providers(); !slices.Equal(got, []string{"supabase", "clerk"}) {
		t.Errorf("Providers() = %v", got)
	}
}

func TestMalformedGroups(t *testing.T) {
	type inner struct {
		A string `env:"A" help:"x"`
	}
	for name, group := range map[string]any{
		"not a pointer":    inner{},
		"nil":              (*inner)(nil),
		"unexported field": &struct{ a string }{},
		"no help": &struct {
			A string `env:"A"`
		}{},
		"no name": &struct{ A string }{},
		"unknown type": &struct {
			A chan int `env:"A" help:"x"`
		}{},
		"unknown shape": &struct {
			A string `env:"A" is:"uri" help:"x"`
		}{},
		"unknown tag": &struct {
			A string `env:"A" defualt:"x" help:"x"`
		}{},
		"unreadable bound": &struct {
			A int `env:"A" min:"x" help:"x"`
		}{},
		"same name twice": &struct {
			A, B inner
		}{},
	} {
		if report, err := config.Load(config.Sources{}, config.Group{Owner: "x", Struct: group}); err == nil || report != nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestReportPrint(t *testing.T) {
	var group struct {
		Name  string `env:"A_NAME" default:"x" help:"The name."`
		Inner struct {
			Key config.Secret `env:"A_LONGER_KEY" help:"The key."`
		}
	}
	report, err := config.Load(config.Sources{Environ: []string{"A_LONGER_KEY=canary", "A_NAM=1", "A_NAME=two\nlines"}, Dir: t.TempDir()},
		config.Group{Owner: "sample", Struct: &group})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := report.Print(&text); err != nil {
		t.Fatal(err)
	}
	want := `sample
  A_NAME  two lines  environment  The name.

sample Inner
  A_LONGER_KEY  ****  environment  The key.

warnings
  A_NAM: is not a setting, and does nothing (environment)
`
	if text.String() != want {
		t.Errorf("got:\n%s", text.String())
	}
}

func TestDescribe(t *testing.T) {
	settings, err := config.Describe(new(config.Platform).Group())
	if err != nil {
		t.Fatal(err)
	}
	defaults := map[string]string{}
	for _, s := range settings {
		defaults[s.Name] = s.Default
		if s.Owner != "platform" || s.Section == "" || s.Help == "" || s.Value != "" {
			t.Errorf("%+v", s)
		}
	}
	for name, want := range map[string]string{
		"PORT": "8000", "HOST": "0.0.0.0 (local and test: 127.0.0.1)", "AUTH_PROVIDER": "(local and test: dev)",
		"PUBLIC_URL": "http://localhost:{PORT} (production: none)", "SECRET_KEY": "",
	} {
		if defaults[name] != want {
			t.Errorf("%s: %q, want %q", name, defaults[name], want)
		}
	}
}

// Who asked for a free port is reached at the one it got, but where a URL was set.
func TestAFreePortIsInTheURL(t *testing.T) {
	for set, want := range map[string]string{"": "http://localhost:4711", "https://api.example.com": "https://api.example.com"} {
		environ := desk(t).with(vars{"PORT": "0"})
		if set != "" {
			environ["PUBLIC_URL"] = set
		}
		p, _ := mustLoad(t, "", environ)
		p.HTTP.ListensOn(4711)
		if p.HTTP.Port != 4711 || p.HTTP.PublicURL != want {
			t.Errorf("%q: it is at %s, port %d", set, p.HTTP.PublicURL, p.HTTP.Port)
		}
	}
}
