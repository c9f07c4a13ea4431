package domain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/omnistack/omnistack/modules/projects/internal/domain"
	"github.com/omnistack/omnistack/platform/errs"
	"github.com/omnistack/omnistack/platform/errs/errstest"
	"github.com/omnistack/omnistack/platform/id"
)

var (
	birth = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	later = birth.Add(time.Hour)
)

func TestNewKeepsTheRules(t *testing.T) {
	for name, test := range map[string]struct {
		name        string
		description *string
		broken      []string
	}{
		"plain":                   {"Apollo", nil, nil},
		"hundred characters":      {strings.Repeat("é", 100), nil, nil},
		"emoji and right-to-left": {"🚀 مشروع", new("שלום"), nil},
		"blank":                   {" \t ", nil, []string{"name"}},
		"invisible":               {"\u200b\u202e", nil, []string{"name"}},
		"empty":                   {"", nil, []string{"name"}},
		"too long":                {strings.Repeat("é", 101), nil, []string{"name"}},
		"line break":              {"a\nb", nil, []string{"name"}},
		"long description":        {"a", new(strings.Repeat("é", 2000)), nil},
		"both broken":             {"", new(strings.Repeat("é", 2001)), []string{"name", "description"}},
	} {
		t.Run(name, func(t *testing.T) {
			project, err := domain.New("p1", id.Of("u1"), domain.Draft{Name: test.name, Description: test.description}, birth)
			if got := errstest.Broken(err); !equal(got, test.broken) {
				t.Fatalf("broken fields %v, want %v", got, test.broken)
			}
			if err == nil && (project.Version != 1 || project.Name != test.name || project.CreatedAt != birth || project.UpdatedAt != birth) {
				t.Errorf("born as %+v", project)
			}
		})
	}
}

func TestApply(t *testing.T) {
	for name, test := range map[string]struct {
		change  domain.Change
		changed bool
		broken  []string
		want    domain.Project
	}{
		"nothing":                       {domain.Change{}, false, nil, project("Apollo", new("moon"), 1, birth)},
		"the same again":                {domain.Change{Name: new("Apollo"), SetDescription: true, Description: new("moon")}, false, nil, project("Apollo", new("moon"), 1, birth)},
		"a new name":                    {domain.Change{Name: new("Artemis")}, true, nil, project("Artemis", new("moon"), 2, later)},
		"no description":                {domain.Change{SetDescription: true}, true, nil, project("Apollo", nil, 2, later)},
		"another description":           {domain.Change{SetDescription: true, Description: new("mars")}, true, nil, project("Apollo", new("mars"), 2, later)},
		"a broken name changes nothing": {domain.Change{Name: new(""), SetDescription: true}, false, []string{"name"}, project("Apollo", new("moon"), 1, birth)},
	} {
		t.Run(name, func(t *testing.T) {
			got := project("Apollo", new("moon"), 1, birth)
			changed, err := got.Apply(test.change, later)
			if changed != test.changed || !equal(errstest.Broken(err), test.broken) {
				t.Fatalf("changed is %t with %v", changed, err)
			}
			if got.Name != test.want.Name || got.Version != test.want.Version || got.UpdatedAt != test.want.UpdatedAt ||
				(got.Description == nil) != (test.want.Description == nil) ||
				got.Description != nil && *got.Description != *test.want.Description {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// A row may hold what a later rule forbids. That doesn't keep its owner from changing the rest, or from putting it right.
func TestAProjectOfAnOldRuleCanBeChanged(t *testing.T) {
	for name, change := range map[string]domain.Change{
		"another description": {SetDescription: true, Description: new("mars")},
		"a name that fits":    {Name: new("Apollo")},
	} {
		old := project("a name\nof two lines", new("moon"), 1, birth)
		if changed, err := old.Apply(change, later); err != nil || !changed {
			t.Errorf("%s: changed is %t with %v", name, changed, err)
		}
	}
}

func TestExpect(t *testing.T) {
	apollo := project("Apollo", nil, 3, birth)
	for version, fits := range map[int64]bool{0: true, 3: true, 2: false, 4: false, -1: false} {
		if err := apollo.Expect(version); fits != (err == nil) || !fits && !errs.Is(err, errs.Precondition) {
			t.Errorf("version %d: got %v", version, err)
		}
	}
}

func project(name string, description *string, version int64, updated time.Time) domain.Project {
	return domain.Project{
		ID: "p1", Owner: id.Of("u1"), Name: name, Description: description,
		Version: version, CreatedAt: birth, UpdatedAt: updated,
	}
}

func equal(a, b []string) bool { return strings.Join(a, ",") == strings.Join(b, ",") }
