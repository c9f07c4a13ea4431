package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/platform/testkit/idp"
)

// canary is a secret that nothing may print.
const canary = "CANARYqX3vN8sLr1mTzB5wYk7uHc2dPj"

func TestWrongSettingsAreAllListedAtOnce(t *testing.T) {
	t.Parallel()
	wrong := newDesk(t).with("PORT=eight thousand", "LOG_LEVEL=LOUD", "REQUEST_TIMEOUT=soon", "SECRET_KEY="+canary[:20],
		"RATE_LIMIT_DEFAULT=60/min", "BACKEND_CORS_ORIGINS=*", "EVENTS_TRANSPORT=pigeon",
		"DATABASE_URL=mysql://root:"+canary+"@localhost/app", "STORAGE_PROVIDER=s3", "AWS_SECRET_ACCESS_KEY="+canary, "AWS_S3_BUCKET=x")
	for _, call := range []string{"serve", "worker", "migrate up", "migrate status", "seed", "token --sub alice", "doctor", "events replay"} {
		ended := wrong.run(strings.Fields(call)...)
		ended.want(t, exitFailed, "", "9 settings are not valid:", `PORT="eight thousand" (environment): must be a whole number`,
			`LOG_LEVEL="LOUD"`, `REQUEST_TIMEOUT="soon"`, "SECRET_KEY", `RATE_LIMIT_DEFAULT="60/min"`, "BACKEND_CORS_ORIGINS",
			`EVENTS_TRANSPORT="pigeon"`, "DATABASE_URL", "AWS_ACCESS_KEY_ID is unset: must be set when STORAGE_PROVIDER is s3")
		if strings.Contains(ended.stderr, canary[:20]) {
			t.Errorf("%s shows a secret", call)
		}
	}
	if _, err := os.Stat(wrong.file("data")); err == nil {
		t.Error("there is a data folder, although nothing could start")
	}
}

func TestConfigShowsWhatIsInForceAndWhereItCameFrom(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "LOG_LEVEL=ERROR", "SECRET_KEY="+canary, "AWS_SECRET_ACCESS_KEY="+canary,
		"DATABASE_URL=postgres://app:"+canary+"@db.example.com:5432/app", "STORAGE_FOLDER=x")
	if err := os.WriteFile(d.file(".env"), []byte("PROJECT_NAME=\"My SaaS\"\nLOG_LEVEL=DEBUG\nSUPABASE_JWT_SECRET="+canary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	shown := d.run("config")
	shown.want(t, exitOK, "platform HTTP")
	lines := map[string][]string{}
	for line := range strings.Lines(shown.stdout) {
		if fields := strings.Fields(line); len(fields) > 1 {
			lines[fields[0]] = fields[1:]
		}
	}
	for name, want := range map[string]string{
		"LOG_LEVEL":             "ERROR environment",
		"PROJECT_NAME":          "My SaaS .env",
		"REQUEST_TIMEOUT":       "30s default",
		"SECRET_KEY":            "**** environment",
		"AWS_SECRET_ACCESS_KEY": "**** environment",
		"SUPABASE_JWT_SECRET":   "**** .env",
		"DATABASE_URL":          "postgres://app:****@db.example.com:5432/app environment",
		"REDIS_URL":             "- default",
	} {
		if got := strings.Join(lines[name], " "); !strings.HasPrefix(got, want+" ") {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if strings.Contains(shown.stdout+shown.stderr, "CANARY") {
		t.Error("it shows a secret")
	}
	if generated := newDesk(t).run("config"); !strings.Contains(generated.stdout, "generated") {
		t.Errorf("it doesn't say that the secret key was generated\n%s", generated.stdout)
	}

	broken := d.with("PORT=x").run("config")
	broken.want(t, exitFailed, "PROJECT_NAME", `PORT="x" (environment): must be a whole number`)
}

// Permission bits don't stop root, but nobody makes a folder below a file.
func TestADataFolderThatCannotBe(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if err := os.WriteFile(d.file("occupied"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d = d.with("DATA_DIR=" + d.file("occupied/data"))
	withKey := d.with("SECRET_KEY=" + canary) // else the key is the first that can't be kept
	for _, call := range []string{"serve", "worker", "migrate up", "token --sub alice"} {
		d.run(strings.Fields(call)...).want(t, exitFailed, "", "none can be kept in DATA_DIR", d.file("occupied"), "not a directory")
		withKey.run(strings.Fields(call)...).want(t, exitFailed, "", d.file("occupied"), "not a directory")
	}
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.run("doctor").want(t, exitFailed, "failing  migrations: the database is behind: run `omnistack migrate up`", "something needs attention")
	d.run("migrate", "up").want(t, exitOK, "applied", "migration applied")
	d.run("doctor").want(t, exitOK, "ok       settings\nok       database\nok       migrations\n")

	ended := d.with("DATABASE_URL=postgres://app:"+canary+"@127.0.0.1:1/app", "REDIS_URL=redis://:"+canary+"@127.0.0.1:1/0").run("doctor")
	ended.want(t, exitFailed, "failing  database: the database can't be reached: is it running, and is DATABASE_URL right?", "something needs attention")
	ended.want(t, exitFailed, "failing  redis: ", "something needs attention")
	if strings.Contains(ended.stdout+ended.stderr, canary) {
		t.Error("it shows a password")
	}
}

// The keys of the identity provider are fetched as they will be, by its settings.
func TestDoctorFetchesKeys(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.run("migrate", "up").want(t, exitOK, "applied", "migration applied")
	for _, shape := range []idp.Shape{idp.Supabase, idp.Clerk, idp.Custom} {
		provider := idp.New(t, shape)
		believing := d.with(provider.Settings("AUTH_PROVIDER")...)
		ok, failing := fmt.Sprintf("ok       keys of %s\n", shape), fmt.Sprintf("failing  keys of %s: no token of %s can be verified: ", shape, provider.Name())
		believing.run("doctor").want(t, exitOK, "ok       migrations\n"+ok)

		provider.Answer(idp.Status(500))
		believing.run("doctor").want(t, exitFailed, failing, "something needs attention")
		provider.Answer(nil)

		provider.PublishSet(`{"keys": []}`)
		if shape == idp.Supabase { // it is enough to have its secret
			believing.run("doctor").want(t, exitOK, ok)
			believing = believing.with("SUPABASE_JWT_SECRET=")
		}
		ended := believing.run("doctor")
		ended.want(t, exitFailed, failing, "something needs attention")
		ended.want(t, exitFailed, "it publishes no key that can verify a token", "something needs attention")
	}
	typo := idp.New(t, idp.Custom)
	d.with("AUTH_PROVIDER=custom", "OAUTH_ISSUER="+typo.URL+"/typo").run("doctor").want(t, exitFailed,
		"failing  keys of custom: no token of "+typo.URL+"/typo can be verified", "something needs attention")
}

func TestMigrate(t *testing.T) {
	for _, engine := range testkit.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, "DATABASE_URL="+emptyDatabase(t, engine))
			d.run("migrate", "validate").want(t, exitOK, "The migrations are as they were written.\n")
			status := d.run("migrate", "status")
			if status.want(t, exitOK, "river "); !regexp.MustCompile(`(?m)\briver +pending$`).MatchString(status.stdout) {
				t.Errorf("before it nothing is pending\n%s", status.stdout)
			}
			d.run("migrate", "up").want(t, exitOK, "applied 2", "migration applied")
			d.run("migrate", "up").want(t, exitOK, "The schema is up to date.\n")
			if status := d.run("migrate", "status"); status.code != exitOK || strings.Contains(status.stdout, "pending") {
				t.Errorf("after up there is something pending\n%s", status.stdout)
			}
		})
	}
}
