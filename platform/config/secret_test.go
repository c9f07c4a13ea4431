package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/omnistack/omnistack/platform/config"
)

// canary is a secret value. It must never be printed.
const canary = "CANARYqX3vN8sLr1mTzB5wYk7uHc2dPj"

// everyPrint returns all that the standard library would show of the values.
func everyPrint(t *testing.T, values ...any) string {
	t.Helper()
	var all bytes.Buffer
	for _, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%20v", "%T"} {
			fmt.Fprintf(&all, verb+"\n", value)
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
		slog.New(slog.NewTextHandler(&all, nil)).Info("x", "value", value)
		slog.New(slog.NewJSONHandler(&all, nil)).Info("x", "value", value)
	}
	return all.String()
}

func expectHidden(t *testing.T, what, text string) {
	t.Helper()
	for _, form := range []string{canary, "CANARY", fmt.Sprintf("%x", canary[:6]), fmt.Sprintf("%X", canary[:6])} {
		if at := strings.Index(text, form); at >= 0 {
			t.Errorf("%s shows the secret: …%s…", what, text[max(0, at-60):min(len(text), at+40)])
			return
		}
	}
}

func TestNothingShowsASecret(t *testing.T) {
	settings, err := config.Describe(new(config.Platform).Group())
	if err != nil {
		t.Fatal(err)
	}
	environ := desk(t)
	for _, s := range settings {
		if s.Secret {
			environ[s.Name] = canary
		}
	}
	environ["SECRET_KEY_PREVIOUS"] = canary + "2"
	environ["PUBLIC_URL"] = "https://user:" + canary + "@host"
	environ["S3_ENDPOINT"] = "https://" + canary + "@host"
	environ["BACKEND_CORS_ORIGINS"] = `["https://user:` + canary + `@host"]`
	environ["STRIPE_SECRET_KEY"] = canary // unknown here

	for _, environment := range []string{"local", "production"} {
		for _, url := range []string{
			canary, "postgres://u:" + canary + "@h/d", "mysql://u:" + canary + "@h/d", "postgres://" + canary + "@h/d",
			"redis://:" + canary + "@h:1", "http://u:" + canary + "@h/%zz", "postgres://u:" + canary + "/x@h/d",
			"postgres://u:1/" + canary + "@h/d", "postgres://u:1#" + canary + "@h/d", "postgres://u:1?" + canary + "@h/d",
			"postgres://h/d?password=" + canary, "postgres://h/d?p%61ssword=" + canary, "host=h password=" + canary,
			"postgres:u:" + canary + "@h", "sqlite://" + canary, "postgres:/" + canary,
		} {
			environ["ENVIRONMENT"], environ["DATABASE_URL"], environ["REDIS_URL"] = environment, url, url
			p, report, err := load(t, "", environ)
			// Only the loaded secrets can hold it; a refused URL stays in no field.
			everything := everyPrint(t, p.Core, p.Database, p.Redis, p.Auth, p.Storage.AWSAccessKeyID, p.Observability, report, &p.Redis)
			var table strings.Builder
			if err := report.Print(&table); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(url, "sqlite://") { // a path is not a secret, but its own canary
				expectHidden(t, "the report for "+url, everything+table.String())
			}
			if err == nil {
				t.Fatalf("%s is valid", url)
			}
			if !strings.HasPrefix(url, "sqlite://") {
				expectHidden(t, "the error for "+url, err.Error()+everyPrint(t, err))
			}
		}
	}
}

func TestWhereAURLPointsIsShown(t *testing.T) {
	for url, want := range map[string]string{
		"postgres://app:" + canary + "@db:5432/main?sslmode=require": "postgres://app:****@db:5432/main?sslmode=require",
		"postgres://db/main?sslmode=a&password=" + canary:            "postgres://db/main?sslmode=a&password=****",
		"postgresql+asyncpg://db/main":                               "postgresql+asyncpg://db/main",
		"sqlite:////var/app.db":                                      "sqlite:////var/app.db",
		"sqlite:///./app.db":                                         "sqlite:///./app.db",
	} {
		_, report := mustLoad(t, "", desk(t).with(vars{"DATABASE_URL": url}))
		if s, _ := report.Lookup("DATABASE_URL"); s.Value != want {
			t.Errorf("%q, want %q", s.Value, want)
		}
	}
}

func TestSecretPrints(t *testing.T) {
	expectHidden(t, "a printer", everyPrint(t, config.Secret(canary), []config.Secret{canary}, map[string]config.Secret{"a": canary},
		struct{ Key config.Secret }{canary}, &struct{ Key *config.Secret }{}))
	if config.Secret(canary).Reveal() != canary {
		t.Error("Reveal doesn't")
	}
	for format, want := range map[string]string{"%v": "****", "%s": "****", "%q": `"****"`, "%#v": `"****"`, "%x": "****"} {
		if got := fmt.Sprintf(format, config.Secret(canary)); got != want {
			t.Errorf("%s: %s", format, got)
		}
	}
	if got := fmt.Sprint(config.Secret("")); got != "" {
		t.Errorf("an empty secret is shown as %q", got)
	}
}

func TestSecretKeyIsGeneratedOnce(t *testing.T) {
	dataDir := filepath.Join(t.TempDir(), "new", "data")
	environ := vars{"DATA_DIR": dataDir}.environ()
	const processes = 8
	keys := make([]string, processes)
	errs := make([]error, processes)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range processes {
		all.Go(func() {
			<-start
			var core config.Core
			_, errs[i] = config.Load(config.Sources{Dir: dataDir, Environ: environ}, config.Group{Owner: "platform", Struct: &core})
			keys[i] = core.SecretKey.Reveal()
		})
	}
	close(start)
	all.Wait()
	for i := range processes {
		if errs[i] != nil || len(keys[i]) < 32 || keys[i] != keys[0] {
			t.Fatalf("process %d: %d bytes, the same: %v, %v", i, len(keys[i]), keys[i] == keys[0], errs[i])
		}
	}
	for path, want := range map[string]fs.FileMode{dataDir: 0o700, filepath.Join(dataDir, "secret_key"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	if left, err := os.ReadDir(dataDir); err != nil || len(left) != 1 {
		t.Errorf("more than the key is left: %v, %v", left, err)
	}
	p, _ := mustLoad(t, "", vars{"DATA_DIR": dataDir})
	if p.Core.SecretKey.Reveal() != keys[0] {
		t.Error("the next start has another key")
	}
}

func TestSecretKeyIsGeneratedOnlyWhenAllIsWell(t *testing.T) {
	for name, environ := range map[string]vars{
		"wrong setting":  {"PORT": "x"},
		"given key":      {"SECRET_KEY": goodKey},
		"not on a desk":  {"ENVIRONMENT": "staging"},
		"no environment": {"ENVIRONMENT": "prod"},
	} {
		dataDir := filepath.Join(t.TempDir(), "data")
		if _, _, err := load(t, "", environ.with(vars{"DATA_DIR": dataDir})); name == "given key" && err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(dataDir); err == nil {
			t.Errorf("%s: DATA_DIR was made", name)
		}
	}
}

func TestSecretKeyCannotBeKept(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "file"), "")
	_, _, err := load(t, "", vars{"DATA_DIR": file})
	expectProblems(t, err, vars{"SECRET_KEY": "must be set, since none can be kept in DATA_DIR"})

	dataDir := t.TempDir()
	write(t, filepath.Join(dataDir, "secret_key"), "CANARY\n")
	_, _, err = load(t, "", vars{"DATA_DIR": dataDir})
	expectProblems(t, err, vars{"SECRET_KEY": "fewer than 32 bytes"})
	expectHidden(t, "the error", err.Error())
}

// TestSecretsOfOneSetting proves that several are told apart, that what is empty beside a comma can be refused, and that the list
// shows none.
func TestSecretsOfOneSetting(t *testing.T) {
	for text, want := range map[string][]string{
		"": nil, "a": {"a"}, "a,b": {"a", "b"}, "a , b": {"a", "b"}, "a,,b": {"a", "", "b"}, "a,": {"a", ""},
	} {
		var got []string
		list := config.Secret(text).List()
		for _, secret := range list {
			got = append(got, secret.Reveal())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q", text, got)
		}
		if shown := fmt.Sprint(list); strings.ContainsAny(shown, "ab") {
			t.Errorf("%q shows %s", text, shown)
		}
	}
}
