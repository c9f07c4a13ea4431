package wiregen_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/testkit"
	wiregen "github.com/omnistack/omnistack/wire_gen"
)

// nobody is a PostgreSQL server that isn't there, with a password that nothing may show.
const nobody = "DATABASE_URL=postgres://app:CANARY@127.0.0.1:1/app"

func load(t *testing.T, environ ...string) *wiregen.Settings {
	t.Helper()
	environ = append([]string{"ENVIRONMENT=test", "DATA_DIR=" + t.TempDir()}, environ...)
	settings, _, err := wiregen.LoadSettings(config.Sources{Dir: t.TempDir(), Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

func TestParseRoles(t *testing.T) {
	for _, c := range []struct {
		names []string
		want  wiregen.Roles
		fails bool
	}{
		{[]string{"api"}, wiregen.Roles{API: true}, false},
		{[]string{"worker"}, wiregen.Roles{Worker: true}, false},
		{[]string{"worker", "api", "api"}, wiregen.Roles{API: true, Worker: true}, false},
		{nil, wiregen.Roles{}, true},
		{[]string{""}, wiregen.Roles{}, true},
		{[]string{"api", "nonsense"}, wiregen.Roles{}, true},
	} {
		got, err := wiregen.ParseRoles(c.names)
		if got != c.want || (err != nil) != c.fails {
			t.Errorf("%q: %+v, %v", c.names, got, err)
		}
	}
}

func TestADatabaseThatIsAwayIsWaitedForUpToABound(t *testing.T) {
	t.Parallel()
	settings := load(t, nobody)
	log, logs := testkit.Logger(t)
	const patience = 700 * time.Millisecond
	began := time.Now()
	_, err := wiregen.OpenDatabase(t.Context(), settings, patience, log)
	if took := time.Since(began); took < patience/4 || took > 10*time.Second {
		t.Errorf("it waited %s", took)
	}
	if err == nil || !strings.Contains(err.Error(), "the database can't be reached: is it running, and is DATABASE_URL right?") {
		t.Errorf("it says %v", err)
	}
	attempts := logs.FilterMessage("the database doesn't answer yet, trying again").Len()
	if attempts < 2 {
		t.Errorf("it tried %d times", attempts)
	}
	shown := err.Error()
	for _, entry := range logs.All() {
		for _, field := range entry.Context {
			if cause, ok := field.Interface.(error); ok {
				shown += cause.Error()
			}
			shown += field.String
		}
	}
	if strings.Contains(shown, "CANARY") {
		t.Errorf("it shows the password: %s", shown)
	}
}

func TestBuildEndsWithItsContext(t *testing.T) {
	t.Parallel()
	settings := load(t, nobody)
	log, _ := testkit.Logger(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, _, err := wiregen.Build(ctx, settings, wiregen.Roles{API: true}, log)
	if err == nil || !strings.Contains(err.Error(), "the database can't be reached") {
		t.Errorf("it says %v", err)
	}
	if took := time.Since(began); took > wiregen.Patience/2 {
		t.Errorf("it went on for %s", took)
	}
}

func TestCatalogHoldsEveryModule(t *testing.T) {
	catalog, err := wiregen.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, canvas := range catalog {
		names = append(names, canvas.Name)
		if canvas.Summary == "" || !strings.HasPrefix(canvas.Markdown(), "# "+canvas.Name+"\n") {
			t.Errorf("the canvas of %s says\n%s", canvas.Name, canvas.Markdown())
		}
		if canvas.Routes != nil && len(canvas.Operations) == 0 {
			t.Errorf("the routes of %s are missing", canvas.Name)
		}
		if canvas.Settings.Struct != nil && len(canvas.Variables) == 0 {
			t.Errorf("the settings of %s are missing", canvas.Name)
		}
	}
	for _, name := range []string{"users"} {
		if !slices.Contains(names, name) {
			t.Errorf("there is no %s among %v", name, names)
		}
	}
}

func TestDiagnose(t *testing.T) {
	t.Parallel()
	log, _ := testkit.Logger(t)
	findings := map[string]error{}
	began := time.Now()
	for _, finding := range wiregen.Diagnose(t.Context(), load(t, nobody, "REDIS_URL=redis://127.0.0.1:1"), log) {
		findings[finding.Name] = finding.Err
	}
	if len(findings) != 3 || findings["database"] == nil || findings["redis"] == nil || findings["files"] != nil {
		t.Errorf("with nothing there: %v", findings)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it waited %s for what isn't there", took)
	}

	clear(findings)
	for _, finding := range wiregen.Diagnose(t.Context(), load(t, "REDIS_URL="+testkit.Redis(t)), log) {
		findings[finding.Name] = finding.Err
	}
	if len(findings) != 4 || findings["database"] != nil || findings["redis"] != nil || findings["files"] != nil || findings["migrations"] == nil {
		t.Errorf("with an empty database: %v", findings)
	}
}
