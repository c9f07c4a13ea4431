// Package settings_test proves what holds for the settings of the whole product, the platform's and every module's.
package settings_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/platform/config"
	wiregen "github.com/omnistack/omnistack/wire_gen"
)

const example = "../../.env.example"

// groups returns every group of settings, empty.
func groups() []config.Group { return new(wiregen.Settings).Groups() }

func TestEnvExampleStartsAsItIs(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	if report := changesNothing(t, text); len(report.Warnings) > 0 {
		t.Errorf("warnings: %v", report.Warnings)
	}
}

// changesNothing fails the test for each setting that a file .env of this text makes another than its default.
func changesNothing(t *testing.T, text []byte) *config.Report {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".env"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	dataDir := "DATA_DIR=" + t.TempDir()
	with, err := config.Load(config.Sources{Dir: dir, Environ: []string{dataDir}}, groups()...)
	if err != nil {
		t.Fatal(err)
	}
	without, err := config.Load(config.Sources{Dir: t.TempDir(), Environ: []string{dataDir}}, groups()...)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range with.Settings {
		if want := without.Settings[i]; s.Value != want.Value {
			t.Errorf("%s is %q with the file and %q without it", s.Name, s.Value, want.Value)
		}
	}
	return with
}

func TestEnvExampleNamesEverySettingAndNothingElse(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^(?:# (?:e\.g\. )?)?([A-Z][A-Z0-9_]*)=`).FindAllSubmatch(text, -1) {
		named[string(match[1])] = true
	}
	settings, err := config.Describe(groups()...)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings {
		if !named[s.Name] {
			t.Errorf("%s is missing", s.Name)
		}
		delete(named, s.Name)
	}
	if len(named) > 0 {
		t.Errorf("not settings: %v", slices.Sorted(maps.Keys(named)))
	}
}

// TestEnvExampleShowsDefaults reads the lines that are commented out and are no samples.
func TestEnvExampleShowsDefaults(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile(`(?m)^# ([A-Z][A-Z0-9_]*=.*)$`).FindAllSubmatch(text, -1)
	file := ""
	for _, match := range shown {
		if !strings.HasPrefix(string(match[1]), "DATA_DIR=") {
			file += string(match[1]) + "\n"
		}
	}
	changesNothing(t, []byte(file))
}

// TestNoModuleShowsASecret sets every secret of every group to one value and looks for it.
func TestNoModuleShowsASecret(t *testing.T) {
	const canary = "CANARY-7f3a9b2c5d8e1f4a6b0c9d8e7f6a5b4c"
	settings, err := config.Describe(groups()...)
	if err != nil {
		t.Fatal(err)
	}
	environ := []string{"DATA_DIR=" + t.TempDir(), "EMAIL_PROVIDER=smtp", "ENVIRONMENT=production"}
	for _, s := range settings {
		if s.Secret {
			environ = append(environ, s.Name+"="+canary)
		}
	}
	all := groups()
	report, err := config.Load(config.Sources{Dir: t.TempDir(), Environ: environ}, all...)
	if err == nil {
		t.Fatal("accepted")
	}
	var table strings.Builder
	if err := report.Print(&table); err != nil {
		t.Fatal(err)
	}
	text := table.String() + err.Error()
	for _, group := range all {
		text += fmt.Sprintf("%v %+v %#v %s %x", group.Struct, group.Struct, group.Struct, group.Struct, group.Struct)
	}
	if strings.Contains(text, canary) || strings.Contains(text, fmt.Sprintf("%x", canary)) {
		t.Errorf("a secret is shown:\n%s", text)
	}
}
